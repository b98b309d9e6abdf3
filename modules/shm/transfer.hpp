// SPDX-License-Identifier: Apache-2.0
#pragma once

// Part of endpoint.hpp: messages through the rings.

namespace ipcmark::shm {

template <Endpoint::Wait W, class Ring>
inline ipcmark_status Endpoint::reserve(Ring& ring, std::uint64_t payload, Slot& slot) noexcept {
    auto status = ring.reserve(payload, slot);
    if (status == IPCMARK_WOULD_BLOCK) [[unlikely]] {
        if constexpr (W == Wait::may) {
            status = wait<Ring>(tx_.ends, [&]() noexcept { return ring.reserve(payload, slot); });
        } else {
            tx_.wanted = payload;
            if (must_look()) {
                status = stop_or([&]() noexcept { return ring.reserve(payload, slot); });
            }
        }
    }
    return status != IPCMARK_INTERNAL ? status : corrupt();
}

template <Endpoint::Wait W, class Ring>
inline ipcmark_status Endpoint::next_record(Ring& ring, Record& record) noexcept {
    auto status = ring.peek(record);
    if (status == IPCMARK_WOULD_BLOCK) {
        // The peer may need all of the ring before it sends again.
        give_back(ring);
        if constexpr (W == Wait::may) {
            status = wait<Ring>(rx_.ends, [&]() noexcept { return ring.peek(record); });
        } else if (must_look()) {
            status = stop_or([&]() noexcept { return ring.peek(record); });
        }
    }
    return status != IPCMARK_INTERNAL ? status : corrupt();
}

// After a record was made visible.
inline void Endpoint::announce() noexcept {
    if (is_awaited(*tx_.ends.peers)) [[unlikely]] {
        wake(*tx_.ends.peers, tx_.ends.peers_event.get());
    }
    if (!answered_.load(std::memory_order_relaxed)) {
        answered_.store(true, std::memory_order_relaxed);
    }
}

template <class Ring> inline void Endpoint::give_back(Ring& ring) noexcept {
    if (ring.unpublished()) {
        ring.publish();
        if (is_awaited(*rx_.ends.peers)) {
            wake(*rx_.ends.peers, rx_.ends.peers_event.get());
        }
    }
}

template <class Ring> inline void Endpoint::done_with(Ring& ring, const Record& record) noexcept {
    if constexpr (Ring::streams) {
        rx_.ends.work += work_a_turn + ring.size(record);
    }
    if (ring.consume(record)) {
        give_back(ring);
    }
}

// Before a message is begun: IPCMARK_OK, or the reason to stop.
inline ipcmark_status Endpoint::reason_to_stop_sending() noexcept {
    if (!must_look()) [[likely]] {
        return IPCMARK_OK;
    }
    const auto status = stop_or([]() noexcept { return IPCMARK_WOULD_BLOCK + 0; });
    return status != IPCMARK_WOULD_BLOCK ? status : IPCMARK_OK;
}

// Whether a message of that size can be copied in now.
inline ipcmark_status Endpoint::may_send(std::size_t size) noexcept {
    if (!size_allowed(size)) [[unlikely]] {
        return refuse_size(size);
    }
    if (tx_.lent_token != 0) [[unlikely]] {
        return loan_is_out();
    }
    return reason_to_stop_sending();
}

template <Endpoint::Wait W, class Ring>
inline ipcmark_status Endpoint::send_through(Ring& ring, const void* data, std::size_t size) noexcept {
    if (const auto status = may_send(size); status != IPCMARK_OK) [[unlikely]] {
        return status;
    }
    if constexpr (Ring::streams) {
        if (size > tx_.piece) [[unlikely]] {
            return send_pieces<W>(static_cast<const std::byte*>(data), size);
        }
    }
    Slot slot;
    if (const auto status = reserve<W>(ring, size, slot); status != IPCMARK_OK) [[unlikely]] {
        return status;
    }
    Ring::copy(ring.payload(slot), static_cast<const std::byte*>(data), size);
    ring.commit(slot, size);
    announce();
    return IPCMARK_OK;
}

template <Endpoint::Wait W>
[[gnu::noinline]] ipcmark_status Endpoint::send_pieces(const std::byte* data, std::size_t size) noexcept {
    auto& ring = tx_.records;
    while (tx_.moved < size) {
        const auto piece = std::min(tx_.piece, size - tx_.moved);
        Slot slot;
        if (const auto status = reserve<W>(ring, piece, slot); status != IPCMARK_OK) {
            return status;
        }
        std::memcpy(ring.payload(slot), data + tx_.moved, piece);
        tx_.moved += piece;
        ring.commit(slot, piece, tx_.moved < size ? header::more : 0);
        announce();
    }
    tx_.moved = 0;
    return IPCMARK_OK;
}

template <Endpoint::Wait W, class Ring>
inline ipcmark_status Endpoint::recv_through(Ring& ring, void* data, std::size_t capacity, std::size_t& size) noexcept {
    if (must_look()) [[unlikely]] {
        if (const auto status = stop_.interrupted(); status != IPCMARK_OK) {
            return status;
        }
    }
    Record record;
    if (const auto status = next_record<W>(ring, record); status != IPCMARK_OK) [[unlikely]] {
        return status;
    }
    if (ring.goes_on(record) || ring.size(record) > capacity || (Ring::streams && rx_.moved != 0)) [[unlikely]] {
        return recv_pieces<W>(ring, record, static_cast<std::byte*>(data), capacity, size);
    }
    size = ring.size(record);
    Ring::copy(static_cast<std::byte*>(data), ring.payload(record), size);
    done_with(ring, record);
    return IPCMARK_OK;
}

template <Endpoint::Wait W, class Ring>
[[gnu::noinline]] ipcmark_status Endpoint::recv_pieces(Ring& ring, Record record, std::byte* data, std::size_t capacity,
                                                       std::size_t& size) noexcept {
    for (;;) {
        const auto piece = ring.size(record);
        if (piece > max_size_ - rx_.moved) {
            return corrupt();
        }
        if (!rx_.cut && piece <= capacity - rx_.moved) {
            std::memcpy(data + rx_.moved, ring.payload(record), piece);
        } else {
            rx_.cut = true;
        }
        rx_.moved += piece;
        const bool last = !ring.goes_on(record);
        done_with(ring, record);
        if (last) {
            break;
        }
        if (const auto status = next_record<W>(ring, record); status != IPCMARK_OK) {
            return status;
        }
    }
    size = std::exchange(rx_.moved, 0);
    if (std::exchange(rx_.cut, false)) {
        return kit::record_hot(IPCMARK_TRUNCATED, 0, "the message is larger than the buffer");
    }
    return IPCMARK_OK;
}

inline ipcmark_status Endpoint::send(const void* data, std::size_t size) noexcept {
    return with_ring(tx_, [&](auto& ring) noexcept { return send_through<Wait::may>(ring, data, size); });
}
inline ipcmark_status Endpoint::recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
    return with_ring(rx_, [&](auto& ring) noexcept { return recv_through<Wait::may>(ring, data, capacity, size); });
}
inline ipcmark_status Endpoint::try_send(const void* data, std::size_t size) noexcept {
    return with_ring(tx_, [&](auto& ring) noexcept { return send_through<Wait::must_not>(ring, data, size); });
}
inline ipcmark_status Endpoint::try_recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
    return with_ring(rx_,
                     [&](auto& ring) noexcept { return recv_through<Wait::must_not>(ring, data, capacity, size); });
}

inline ipcmark_status Endpoint::send_batch(const ipcmark_tx_message* messages, std::size_t count,
                                           std::size_t& sent) noexcept {
    sent = 0;
    if (count == 0) {
        return kit::record_hot(IPCMARK_BAD_ARGUMENT, 0, "a batch of no messages");
    }
    // The first one by the usual way, which waits and looks for reasons to stop.
    if (messages[0].size > tx_.piece || count == 1) {
        const auto status = send(messages[0].data, messages[0].size);
        sent = status == IPCMARK_OK ? 1 : 0;
        return status;
    }
    if (const auto status = may_send(messages[0].size); status != IPCMARK_OK) [[unlikely]] {
        return status;
    }
    return with_ring(tx_, [&](auto& ring) noexcept { return send_several(ring, messages, count, sent); });
}

template <class Ring>
inline ipcmark_status Endpoint::send_several(Ring& ring, const ipcmark_tx_message* messages, std::size_t count,
                                             std::size_t& sent) noexcept {
    Slot slot;
    if (const auto status = reserve<Wait::may>(ring, messages[0].size, slot); status != IPCMARK_OK) [[unlikely]] {
        return status;
    }
    Group group;
    do {
        std::memcpy(ring.payload(slot), messages[sent].data, messages[sent].size);
        ring.commit(group, slot, messages[sent].size);
        ++sent;
    } while (sent < count && messages[sent].size <= tx_.piece && size_allowed(messages[sent].size) &&
             ring.reserve(messages[sent].size, slot) == IPCMARK_OK);
    group.publish();
    announce();
    return IPCMARK_OK;
}

inline ipcmark_status Endpoint::recv_batch(ipcmark_rx_message* messages, std::size_t count,
                                           std::size_t& received) noexcept {
    received = 0;
    if (count == 0) {
        return kit::record_hot(IPCMARK_BAD_ARGUMENT, 0, "a batch of no messages");
    }
    return with_ring(rx_, [&](auto& ring) noexcept { return recv_several(ring, messages, count, received); });
}

template <class Ring>
inline ipcmark_status Endpoint::recv_several(Ring& ring, ipcmark_rx_message* messages, std::size_t count,
                                             std::size_t& received) noexcept {
    if (const auto status = recv_through<Wait::may>(ring, messages[0].data, messages[0].capacity, messages[0].size);
        status != IPCMARK_OK) [[unlikely]] {
        return status;
    }
    Record record;
    for (received = 1; received < count; ++received) {
        auto& message = messages[received];
        // What has a fault or needs more calls is left to the next call.
        if (ring.peek(record) != IPCMARK_OK || ring.goes_on(record) || ring.size(record) > message.capacity) {
            break;
        }
        message.size = ring.size(record);
        std::memcpy(message.data, ring.payload(record), message.size);
        done_with(ring, record);
    }
    return IPCMARK_OK;
}

} // namespace ipcmark::shm

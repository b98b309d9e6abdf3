// SPDX-License-Identifier: Apache-2.0
#pragma once

// Part of endpoint.hpp: messages through the rings.

namespace ipcmark::shm {

template <Endpoint::Wait W>
inline ipcmark_status Endpoint::reserve(std::uint64_t payload, Writer::Slot& slot) noexcept {
    auto status = tx_.ring.reserve(payload, slot);
    if (status == IPCMARK_WOULD_BLOCK) [[unlikely]] {
        if constexpr (W == Wait::may) {
            status = wait(tx_.ends, [&]() noexcept { return tx_.ring.reserve(payload, slot); });
        } else {
            tx_.wanted = payload;
            if (must_look()) {
                status = stop_or([&]() noexcept { return tx_.ring.reserve(payload, slot); });
            }
        }
    }
    return status != IPCMARK_INTERNAL ? status : corrupt();
}

template <Endpoint::Wait W> inline ipcmark_status Endpoint::next_record(Reader::Record& record) noexcept {
    auto status = rx_.ring.peek(record);
    if (status == IPCMARK_WOULD_BLOCK) {
        // The peer may need all of the ring before it sends again.
        give_back();
        if constexpr (W == Wait::may) {
            status = wait(rx_.ends, [&]() noexcept { return rx_.ring.peek(record); });
        } else if (must_look()) {
            status = stop_or([&]() noexcept { return rx_.ring.peek(record); });
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

inline void Endpoint::give_back() noexcept {
    if (rx_.ring.unpublished()) {
        rx_.ring.publish();
        if (is_awaited(*rx_.ends.peers)) {
            wake(*rx_.ends.peers, rx_.ends.peers_event.get());
        }
    }
}

inline void Endpoint::done_with(const Reader::Record& record) noexcept {
    rx_.ends.work += work_a_turn + record.size;
    if (rx_.ring.consume(record)) [[unlikely]] {
        give_back();
    }
}

template <Endpoint::Wait W> inline ipcmark_status Endpoint::send_as(const void* data, std::size_t size) noexcept {
    if (!size_allowed(size)) [[unlikely]] {
        return refuse_size(size);
    }
    if (must_look()) [[unlikely]] {
        if (const auto status = stop_or([]() noexcept { return IPCMARK_WOULD_BLOCK + 0; });
            status != IPCMARK_WOULD_BLOCK) {
            return status;
        }
    }
    if (size > tx_.piece) [[unlikely]] {
        return send_pieces<W>(static_cast<const std::byte*>(data), size);
    }
    Writer::Slot slot;
    if (const auto status = reserve<W>(size, slot); status != IPCMARK_OK) [[unlikely]] {
        return status;
    }
    std::memcpy(tx_.ring.payload(slot), data, size);
    tx_.ring.commit(slot, size);
    announce();
    return IPCMARK_OK;
}

template <Endpoint::Wait W>
[[gnu::noinline]] ipcmark_status Endpoint::send_pieces(const std::byte* data, std::size_t size) noexcept {
    while (tx_.moved < size) {
        const auto piece = std::min(tx_.piece, size - tx_.moved);
        Writer::Slot slot;
        if (const auto status = reserve<W>(piece, slot); status != IPCMARK_OK) {
            return status;
        }
        std::memcpy(tx_.ring.payload(slot), data + tx_.moved, piece);
        tx_.moved += piece;
        tx_.ring.commit(slot, piece, tx_.moved < size ? header::more : 0);
        announce();
    }
    tx_.moved = 0;
    return IPCMARK_OK;
}

template <Endpoint::Wait W>
inline ipcmark_status Endpoint::recv_as(void* data, std::size_t capacity, std::size_t& size) noexcept {
    if (must_look()) [[unlikely]] {
        if (const auto status = stop_.interrupted(); status != IPCMARK_OK) {
            return status;
        }
    }
    Reader::Record record;
    if (const auto status = next_record<W>(record); status != IPCMARK_OK) [[unlikely]] {
        return status;
    }
    if (record.flags != 0 || record.size > capacity || rx_.moved != 0) [[unlikely]] {
        return recv_pieces<W>(record, static_cast<std::byte*>(data), capacity, size);
    }
    std::memcpy(data, record.payload, record.size);
    size = record.size;
    done_with(record);
    return IPCMARK_OK;
}

template <Endpoint::Wait W>
[[gnu::noinline]] ipcmark_status Endpoint::recv_pieces(Reader::Record record, std::byte* data, std::size_t capacity,
                                                       std::size_t& size) noexcept {
    for (;;) {
        if (record.size > max_size_ - rx_.moved) {
            return corrupt();
        }
        if (!rx_.cut && record.size <= capacity - rx_.moved) {
            std::memcpy(data + rx_.moved, record.payload, record.size);
        } else {
            rx_.cut = true;
        }
        rx_.moved += record.size;
        const bool last = record.flags == 0;
        done_with(record);
        if (last) {
            break;
        }
        if (const auto status = next_record<W>(record); status != IPCMARK_OK) {
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
    return send_as<Wait::may>(data, size);
}
inline ipcmark_status Endpoint::recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
    return recv_as<Wait::may>(data, capacity, size);
}
inline ipcmark_status Endpoint::try_send(const void* data, std::size_t size) noexcept {
    return send_as<Wait::must_not>(data, size);
}
inline ipcmark_status Endpoint::try_recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
    return recv_as<Wait::must_not>(data, capacity, size);
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
    if (!size_allowed(messages[0].size)) {
        return refuse_size(messages[0].size);
    }
    if (must_look()) [[unlikely]] {
        if (const auto status = stop_or([]() noexcept { return IPCMARK_WOULD_BLOCK + 0; });
            status != IPCMARK_WOULD_BLOCK) {
            return status;
        }
    }
    Writer::Slot slot;
    if (const auto status = reserve<Wait::may>(messages[0].size, slot); status != IPCMARK_OK) [[unlikely]] {
        return status;
    }
    Writer::Group group;
    do {
        std::memcpy(tx_.ring.payload(slot), messages[sent].data, messages[sent].size);
        tx_.ring.commit(group, slot, messages[sent].size);
        ++sent;
    } while (sent < count && messages[sent].size <= tx_.piece && size_allowed(messages[sent].size) &&
             tx_.ring.reserve(messages[sent].size, slot) == IPCMARK_OK);
    tx_.ring.publish(group);
    announce();
    return IPCMARK_OK;
}

inline ipcmark_status Endpoint::recv_batch(ipcmark_rx_message* messages, std::size_t count,
                                           std::size_t& received) noexcept {
    received = 0;
    if (count == 0) {
        return kit::record_hot(IPCMARK_BAD_ARGUMENT, 0, "a batch of no messages");
    }
    if (const auto status = recv(messages[0].data, messages[0].capacity, messages[0].size); status != IPCMARK_OK)
        [[unlikely]] {
        return status;
    }
    Reader::Record record;
    for (received = 1; received < count; ++received) {
        auto& message = messages[received];
        // What has a fault or needs more calls is left to the next call.
        if (rx_.ring.peek(record) != IPCMARK_OK || record.flags != 0 || record.size > message.capacity) {
            break;
        }
        std::memcpy(message.data, record.payload, record.size);
        message.size = record.size;
        done_with(record);
    }
    return IPCMARK_OK;
}

} // namespace ipcmark::shm

// SPDX-License-Identifier: Apache-2.0
#include "endpoint.hpp"

#include "greeting.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

namespace ipcmark::shm {
namespace {

kit::Fd make_event() {
    kit::Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event) {
        kit::throw_errno("make an eventfd");
    }
    return event;
}

} // namespace

Endpoint::Endpoint(const kit::EndpointRequest& request, unsigned side)
    : max_size_(request.max_message_size), wait_policy_(request.wait_policy), spin_ns_(request.spin_ns),
      polled_(request.polled()), loaned_(request.loaned()), side_(side) {
    tx_.fixed_size = request.tx_fixed_size;
}

Endpoint::Endpoint(const Address& address, const kit::EndpointRequest& request) : Endpoint(request, 0) {
    const Settings settings(request.options());
    const auto greeting = plan(request, settings, address.endpoints);
    layout_ = greeting.layout;
    memory_ = Memory::make(layout_.total, settings.pages, settings.numa_node);
    std::vector<kit::Fd> events;
    std::vector<int> descriptors{memory_.descriptor()};
    if (polled_) {
        for (std::size_t i = 0; i < event_count; ++i) {
            events.push_back(make_event());
            descriptors.push_back(events.back().get());
        }
    }
    socket_ =
        kit::connect_local(address.rendezvous, request.timeout_ns, std::as_bytes(std::span(&greeting, 1)), descriptors);
    attach(greeting, std::move(events));
}

Endpoint::Endpoint(kit::Peer peer, const kit::EndpointRequest& request) : Endpoint(request, 1) {
    const auto greeting = read_greeting(peer.payload, request);
    layout_ = greeting.layout;
    if (peer.descriptors.size() != 1 + (polled_ ? event_count : 0)) {
        throw kit::Error(IPCMARK_SYSTEM, "the peer sent " + std::to_string(peer.descriptors.size()) + " descriptors");
    }
    memory_ = Memory::open(std::move(peer.descriptors.front()), layout_.total);
    peer.descriptors.erase(peer.descriptors.begin());
    socket_ = std::move(peer.socket);
    attach(greeting, std::move(peer.descriptors));
}

// Takes up the memory. `events`: four, or none.
void Endpoint::attach(const Greeting& greeting, std::vector<kit::Fd> events) {
    control_ = reinterpret_cast<Control*>(memory_.data());
    const auto tx = side_;
    const auto rx = 1 - side_;
    auto& to_peer = control_->channels[tx];
    auto& from_peer = control_->channels[rx];
    tx_.piece = greeting.piece[tx];
    const auto& tx_ring = layout_.rings[tx];
    const auto& rx_ring = layout_.rings[rx];
    tx_.slotted = tx_ring.slot != 0;
    rx_.slotted = rx_ring.slot != 0;
    if (tx_.slotted) {
        tx_.slots = SlotWriter(memory_.data(), tx_ring, tx_.piece, to_peer, from_peer.consumed, told_);
    } else {
        tx_.records = Writer(memory_.data(), tx_ring, to_peer);
    }
    if (rx_.slotted) {
        rx_.slots = SlotReader(memory_.data(), rx_ring, greeting.piece[rx], from_peer, told_);
    } else {
        rx_.records = Reader(memory_.data(), rx_ring, from_peer);
    }
    tx_.ends.own = &to_peer.room;
    tx_.ends.peers = &to_peer.data;
    rx_.ends.own = &from_peer.data;
    rx_.ends.peers = &from_peer.room;
    if (!events.empty()) {
        tx_.ends.peers_event = std::move(events[2 * tx]);
        tx_.ends.own_event = std::move(events[2 * tx + 1]);
        rx_.ends.own_event = std::move(events[2 * rx]);
        rx_.ends.peers_event = std::move(events[2 * rx + 1]);
    }
    if (take_part_in_membarriers()) {
        expedited_ = true;
        control_->sides[side_].expedited.store(1, std::memory_order_release);
    }
    if (wait_policy_ == IPCMARK_WAIT_SPIN && !polled_) {
        tx_.ends.own->one_sided.store(1, std::memory_order_relaxed);
        rx_.ends.own->one_sided.store(1, std::memory_order_relaxed);
    }
    watch_ = kit::PeerWatch::Registration(socket_.get(), *this);
}

void Endpoint::interrupt(ipcmark_status status) noexcept {
    if (stop_.interrupt(status)) {
        wake_self();
    }
}

void Endpoint::peer_left() noexcept {
    stop_.peer_left();
    wake_self();
}

void Endpoint::wake_self() noexcept {
    for (auto* ends : {&tx_.ends, &rx_.ends}) {
        wake(*ends->own, ends->own_event.get());
        if (polled_) {
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto written = ::write(ends->own_event.get(), &one, sizeof one);
        }
    }
}

ipcmark_status Endpoint::refuse_size(std::size_t size) const noexcept {
    if (size > max_size_) {
        return kit::record_hot(IPCMARK_TOO_BIG, 0, "the message is larger than max_message_size");
    }
    return kit::record_hot(IPCMARK_BAD_ARGUMENT, 0, "the message's size is 0 or not the fixed size");
}

ipcmark_status Endpoint::corrupt() const noexcept {
    return kit::record_hot(IPCMARK_SYSTEM, 0, "the peer wrote what cannot be into the shared memory; it is at fault");
}

ipcmark_status Endpoint::loan_is_out() const noexcept {
    return kit::record_hot(IPCMARK_LIMIT, 0, "a loan is out; commit or discard it first");
}

ipcmark_status Endpoint::unknown_token() const noexcept {
    return kit::record_hot(IPCMARK_BAD_ARGUMENT, 0, "this token is not out on this endpoint");
}

ipcmark_value Endpoint::effective_option(std::uint32_t index) const {
    switch (index) {
    case option::buffer_size:
        return kit::value_of_bytes(layout_.rings[side_].capacity + largest_granule);
    case option::huge_pages: {
        const auto page = memory_.page();
        const auto pages = page == page_size(Pages::huge_1g)   ? Pages::huge_1g
                           : page == page_size(Pages::huge_2m) ? Pages::huge_2m
                                                               : Pages::base;
        return kit::value_of_u64(static_cast<std::uint64_t>(pages), IPCMARK_TYPE_ENUM);
    }
    default: {
        ipcmark_value value{IPCMARK_TYPE_I64, 1, {}};
        const auto node = memory_.node();
        value.as.i64 = node ? static_cast<std::int64_t>(*node) : -1;
        return value;
    }
    }
}

void Endpoint::poll_descriptor(std::uint32_t direction, int& fd, short& events) const {
    if (!polled_) {
        throw kit::Error(IPCMARK_BAD_ARGUMENT, "the endpoint was not made with IPCMARK_ENDPOINT_POLLED");
    }
    fd = (direction == IPCMARK_POLL_TX ? tx_.ends : rx_.ends).own_event.get();
    events = POLLIN;
}

ipcmark_status Endpoint::arm(std::uint32_t directions, std::uint32_t& ready) noexcept {
    ready = 0;
    const auto arm_one = [&](Ends& ends, std::uint32_t direction, auto probe) noexcept {
        if (ends.drain && !must_look()) {
            std::uint64_t count = 0;
            [[maybe_unused]] const auto got = ::read(ends.own_event.get(), &count, sizeof count);
        }
        ends.own->armed.store(Bell::polling, std::memory_order_relaxed);
        ends.drain = true;
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (probe() != IPCMARK_WOULD_BLOCK || must_look()) {
            ready |= direction;
            // Untouched by the peer: it will not write.
            ends.drain = ends.own->armed.exchange(Bell::awake) != Bell::polling;
        }
    };
    if ((directions & IPCMARK_POLL_RX) != 0) {
        with_ring(rx_, [&](auto& ring) noexcept {
            Record record;
            arm_one(rx_.ends, IPCMARK_POLL_RX, [&]() noexcept { return ring.peek(record); });
        });
    }
    if ((directions & IPCMARK_POLL_TX) != 0) {
        with_ring(tx_, [&](auto& ring) noexcept {
            Slot slot;
            arm_one(tx_.ends, IPCMARK_POLL_TX, [&]() noexcept { return ring.reserve(tx_.wanted, slot); });
        });
    }
    return IPCMARK_OK;
}

} // namespace ipcmark::shm

// SPDX-License-Identifier: Apache-2.0
#include "endpoint.hpp"

#include "queue_calls.hpp"

#include <ipcmark/module_kit/membarrier.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace pmq {

namespace kit = ipcmark::kit;

namespace {

// How long a poll between attempts sleeps before it looks whether there is a reason to stop. Half of what an interrupt
// may take.
constexpr int look_every_ms = IPCMARK_INTERRUPT_LIMIT_NS / 2 / 1'000'000;

// A time limit that has passed: the call does not wait.
constexpr timespec at_once{0, 0};

// The message of no bytes that wakes a receiver. Of the lowest priority, so it comes behind everything that was sent.
constexpr unsigned wake_priority = 0;

struct Greeting {
    std::uint64_t fixed_size[2]{}; // 0: from the connecting side to the accepting one
    std::uint64_t max_message_size = 0;
    std::uint32_t flags = 0;
    std::uint32_t version = 1;
};

void set_nonblocking(int queue) {
    mq_attr attributes{};
    attributes.mq_flags = O_NONBLOCK;
    if (::mq_setattr(queue, &attributes, nullptr) != 0) {
        kit::throw_errno("set the flags of a message queue");
    }
}

std::uint64_t message_size_of(int queue) {
    mq_attr attributes{};
    return ::mq_getattr(queue, &attributes) == 0 ? static_cast<std::uint64_t>(attributes.mq_msgsize) : 0;
}

} // namespace

Shape shape_of(const kit::Options& given, std::uint64_t fixed_size, std::uint64_t max_size) {
    return {fixed_size != 0 ? fixed_size : max_size, given.u64(option::depth)};
}

Endpoint::Endpoint(const kit::EndpointRequest& request)
    : tx_size_(request.tx_fixed_size != 0 ? request.tx_fixed_size : request.max_message_size),
      rx_size_(request.rx_fixed_size != 0 ? request.rx_fixed_size : request.max_message_size),
      tx_fixed_(request.tx_fixed_size != 0), max_size_(request.max_message_size),
      priority_(static_cast<unsigned>(request.options().u64(option::priority))),
      blocking_(request.wait_policy == IPCMARK_WAIT_BLOCK && !request.polled()), wait_policy_(request.wait_policy),
      spin_ns_(request.spin_ns) {
    if (request.loaned()) {
        throw kit::Error(IPCMARK_UNSUPPORTED, "message queues copy every message: there is no loan extension");
    }
    if (request.polled()) {
        tx_wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        tx_watch_.reset(::epoll_create1(EPOLL_CLOEXEC));
        if (!tx_wake_ || !tx_watch_) {
            kit::throw_errno("make the descriptors to poll");
        }
    }
}

Endpoint::Endpoint(std::span<const std::byte> address, const kit::EndpointRequest& request) : Endpoint(request) {
    const auto tx_shape = shape_of(request.options(), request.tx_fixed_size, request.max_message_size);
    const auto rx_shape = shape_of(request.options(), request.rx_fixed_size, request.max_message_size);
    check_limits(tx_shape, 1);
    check_limits(rx_shape, 1);
    auto to_peer = make_queue(tx_shape);
    auto from_peer = make_queue(rx_shape);
    tx_ = std::move(to_peer.sender);
    rx_ = std::move(from_peer.receiver);
    Greeting greeting;
    greeting.fixed_size[0] = request.tx_fixed_size;
    greeting.fixed_size[1] = request.rx_fixed_size;
    greeting.max_message_size = request.max_message_size;
    greeting.flags = request.flags;
    const int descriptors[] = {to_peer.receiver.get(), from_peer.sender.get()};
    socket_ = kit::connect_local(address, request.timeout_ns, std::as_bytes(std::span(&greeting, 1)), descriptors);
    attach();
}

Endpoint::Endpoint(kit::Peer peer, const kit::EndpointRequest& request) : Endpoint(request) {
    Greeting greeting;
    if (peer.payload.size() != sizeof greeting || peer.descriptors.size() != 2) {
        throw kit::Error(IPCMARK_SYSTEM, "the peer's greeting is not that of this module's version");
    }
    std::memcpy(&greeting, peer.payload.data(), sizeof greeting);
    if (greeting.version != Greeting{}.version) {
        throw kit::Error(IPCMARK_SYSTEM, "the peer's greeting is not that of this module's version");
    }
    if (greeting.fixed_size[0] != request.rx_fixed_size || greeting.fixed_size[1] != request.tx_fixed_size ||
        greeting.max_message_size != request.max_message_size || greeting.flags != request.flags) {
        throw kit::Error(IPCMARK_BAD_ARGUMENT,
                         "the two sides were given different parameters: the peer messages of up to " +
                             std::to_string(greeting.max_message_size) + " bytes and flags " +
                             std::to_string(greeting.flags) + ", this side " +
                             std::to_string(request.max_message_size) + " and " + std::to_string(request.flags));
    }
    rx_ = std::move(peer.descriptors[0]);
    tx_ = std::move(peer.descriptors[1]);
    if (message_size_of(rx_.get()) != rx_size_ || message_size_of(tx_.get()) != tx_size_) {
        throw kit::Error(IPCMARK_SYSTEM, "the peer's queues are not of the message size that was agreed");
    }
    socket_ = std::move(peer.socket);
    attach();
}

void Endpoint::attach() {
    rx_buffer_.resize(rx_size_);
    mq_attr attributes{};
    if (::mq_getattr(tx_.get(), &attributes) != 0) {
        kit::throw_errno("read the attributes of a message queue");
    }
    const auto places = static_cast<std::size_t>(attributes.mq_maxmsg) + 1;
    taken_out_.reset(new std::byte[places * tx_size_]);
    taken_sizes_.resize(places);
    if (!blocking_) {
        set_nonblocking(tx_.get());
        set_nonblocking(rx_.get());
    }
    if (tx_watch_) {
        epoll_event event{};
        event.events = EPOLLOUT;
        auto result = ::epoll_ctl(tx_watch_.get(), EPOLL_CTL_ADD, tx_.get(), &event);
        event.events = EPOLLIN;
        result |= ::epoll_ctl(tx_watch_.get(), EPOLL_CTL_ADD, tx_wake_.get(), &event);
        if (result != 0) {
            kit::throw_errno("watch a message queue");
        }
    }
    release_makes_barrier_ = kit::prepare_private_membarrier();
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

// A receiver that is blocked wakes by a message of no bytes. If the queue has no room for that, the receiver is not
// blocked, and looks for a reason to stop before it takes the message after next.
void Endpoint::wake_self() noexcept {
    [[maybe_unused]] const auto sent = queue_send(rx_.get(), "", 0, wake_priority, &at_once);
    if (blocking_) {
        release_sender();
    }
    if (tx_wake_) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(tx_wake_.get(), &one, sizeof one);
    }
}

// A sender that is blocked wakes when there is room. To make some without losing a message all are taken out, which
// lets the sender's own one in behind them, and all but that one are put back; its send is then told as stopped.
void Endpoint::release_sender() noexcept {
    constexpr timespec pause{0, 200'000};
    constexpr int pauses_to_go_by_itself = 5; // a receiver that is at work makes room
    constexpr int most_pauses = 400;
    const std::scoped_lock lock(release_mutex_);
    if (release_makes_barrier_) {
        kit::membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    }
    for (int round = 0; sending_.load() && round < most_pauses; ++round) {
        mq_attr attributes{};
        if (round >= pauses_to_go_by_itself && ::mq_getattr(tx_.get(), &attributes) == 0 &&
            attributes.mq_curmsgs == attributes.mq_maxmsg) {
            recalled_.store(true);
            take_back_last(static_cast<std::size_t>(attributes.mq_maxmsg));
        }
        ::nanosleep(&pause, nullptr);
    }
}

void Endpoint::take_back_last(std::size_t depth) noexcept {
    auto* const messages = reinterpret_cast<char*>(taken_out_.get());
    std::size_t count = 0;
    for (; count <= depth; ++count) {
        const auto got = queue_receive(tx_.get(), messages + count * tx_size_, tx_size_, &at_once);
        if (got < 0) {
            break;
        }
        taken_sizes_[count] = static_cast<std::size_t>(got);
    }
    for (std::size_t i = 0; i < std::min(count, depth); ++i) {
        queue_send(tx_.get(), messages + i * tx_size_, taken_sizes_[i], priority_, &at_once);
    }
}

ipcmark_status Endpoint::refuse_size(std::size_t size) const noexcept {
    if (size > max_size_) {
        return kit::record_hot(IPCMARK_TOO_BIG, 0, "the message is larger than max_message_size");
    }
    return kit::record_hot(IPCMARK_BAD_ARGUMENT, 0, "the message's size is 0 or not the fixed size");
}

ipcmark_status Endpoint::reason_to_stop_sending() const noexcept {
    if (!must_look()) [[likely]] {
        return IPCMARK_OK;
    }
    if (const auto status = stop_.interrupted(); status != IPCMARK_OK) {
        return status;
    }
    return stop_.has_peer_left() ? stop_.peer_gone() : IPCMARK_OK;
}

ipcmark_status Endpoint::reason_to_stop_receiving() const noexcept {
    if (!must_look()) [[likely]] {
        return IPCMARK_OK;
    }
    if (const auto status = stop_.interrupted(); status != IPCMARK_OK) {
        return status;
    }
    if (!stop_.has_peer_left()) {
        return IPCMARK_OK;
    }
    // Nobody but this thread takes messages out, and none come in any more.
    mq_attr attributes{};
    if (::mq_getattr(rx_.get(), &attributes) == 0 && attributes.mq_curmsgs != 0) {
        return IPCMARK_OK;
    }
    return stop_.peer_gone();
}

ipcmark_status Endpoint::after_failed_send(int error) noexcept {
    if (error == EAGAIN) {
        const auto status = reason_to_stop_sending();
        return status != IPCMARK_OK ? status : IPCMARK_WOULD_BLOCK;
    }
    if (error != EINTR) {
        return kit::record_hot(IPCMARK_SYSTEM, error, "cannot send to the message queue");
    }
    return reason_to_stop_sending();
}

ipcmark_status Endpoint::after_failed_recv(int error) noexcept {
    if (error == EAGAIN) {
        const auto status = reason_to_stop_receiving();
        return status != IPCMARK_OK ? status : IPCMARK_WOULD_BLOCK;
    }
    if (error != EINTR) {
        return kit::record_hot(IPCMARK_SYSTEM, error, "cannot receive from the message queue");
    }
    return reason_to_stop_receiving();
}

ipcmark_status Endpoint::attempt_send(const void* data, std::size_t size) noexcept {
    if (!size_allowed(size)) [[unlikely]] {
        return refuse_size(size);
    }
    // Either release_sender sees that a send may be blocked, or this sees the reason to stop.
    sending_.store(true, std::memory_order_relaxed);
    if (release_makes_barrier_) [[likely]] {
        std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    auto status = reason_to_stop_sending();
    while (status == IPCMARK_OK && queue_send(tx_.get(), data, size, priority_) != 0) {
        status = after_failed_send(errno);
    }
    if (recalled_.load(std::memory_order_relaxed)) [[unlikely]] {
        status = reason_to_stop_sending();
    }
    sending_.store(false, std::memory_order_release);
    return status;
}

ipcmark_status Endpoint::attempt_recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
    // The kernel refuses a buffer that is smaller than the messages may be.
    const bool direct = capacity >= rx_size_;
    auto* const into = direct ? data : rx_buffer_.data();
    for (;;) {
        if (const auto status = reason_to_stop_receiving(); status != IPCMARK_OK) [[unlikely]] {
            return status;
        }
        const auto got = queue_receive(rx_.get(), into, direct ? capacity : rx_size_);
        if (got > 0) [[likely]] {
            size = static_cast<std::size_t>(got);
            return direct ? IPCMARK_OK : deliver(data, capacity, size);
        }
        // No bytes: there is a reason to stop.
        if (got < 0) {
            if (const auto status = after_failed_recv(errno); status != IPCMARK_OK) {
                return status;
            }
        }
    }
}

ipcmark_status Endpoint::deliver(void* data, std::size_t capacity, std::size_t size) noexcept {
    if (size > capacity) {
        return kit::record_hot(IPCMARK_TRUNCATED, 0, "the message is larger than the buffer");
    }
    std::memcpy(data, rx_buffer_.data(), size);
    return IPCMARK_OK;
}

template <class Attempt> ipcmark_status Endpoint::repeat(int queue, short events, Attempt attempt) noexcept {
    // Where the peer shares this CPU it must be let run.
    constexpr unsigned turns_between_yields = 256;
    kit::SpinBudget budget(wait_policy_ == IPCMARK_WAIT_SPIN ? UINT64_MAX : spin_ns_);
    for (unsigned turn = 1;; ++turn) {
        const auto status = attempt();
        if (status != IPCMARK_WOULD_BLOCK) {
            return status;
        }
        if (turn % turns_between_yields == 0) {
            ::sched_yield();
        }
        if (wait_policy_ == IPCMARK_WAIT_BLOCK || !budget.turn()) {
            pollfd wanted{queue, events, 0};
            ::poll(&wanted, 1, look_every_ms);
        }
    }
}

ipcmark_status Endpoint::send(const void* data, std::size_t size) noexcept {
    if (blocking_) {
        return attempt_send(data, size);
    }
    return repeat(tx_.get(), POLLOUT, [&]() noexcept { return attempt_send(data, size); });
}

ipcmark_status Endpoint::recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
    if (blocking_) {
        return attempt_recv(data, capacity, size);
    }
    return repeat(rx_.get(), POLLIN, [&]() noexcept { return attempt_recv(data, capacity, size); });
}

ipcmark_status Endpoint::try_send(const void* data, std::size_t size) noexcept {
    return attempt_send(data, size);
}

ipcmark_status Endpoint::try_recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
    return attempt_recv(data, capacity, size);
}

void Endpoint::poll_descriptor(std::uint32_t direction, int& fd, short& events) const {
    if (!tx_watch_) {
        throw kit::Error(IPCMARK_BAD_ARGUMENT, "the endpoint was not made with IPCMARK_ENDPOINT_POLLED");
    }
    fd = direction == IPCMARK_POLL_TX ? tx_watch_.get() : rx_.get();
    events = POLLIN;
}

// The descriptors are level triggered, so there is nothing to prepare.
ipcmark_status Endpoint::arm(std::uint32_t directions, std::uint32_t& ready) noexcept {
    ready = must_look() ? directions : 0;
    return IPCMARK_OK;
}

ipcmark_value Endpoint::effective_option(std::uint32_t index) const {
    if (index == option::priority) {
        return kit::value_of_u64(priority_);
    }
    mq_attr attributes{};
    if (::mq_getattr(tx_.get(), &attributes) != 0) {
        kit::throw_errno("read the attributes of a message queue");
    }
    return kit::value_of_u64(static_cast<std::uint64_t>(attributes.mq_maxmsg));
}

} // namespace pmq

// SPDX-License-Identifier: Apache-2.0
#include "packet_channel.hpp"

#include <ipcmark/module_kit/socket_calls.hpp>
#include <ipcmark/module_kit/socket_status.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace uds {

using namespace ipcmark::kit;

namespace {
// How often a sleeping receiver of datagrams looks whether its peer still lives.
constexpr suseconds_t life_check_us = 50'000;
// The same for a spinning one, in turns of one system call each.
constexpr std::uint32_t life_check_turns = 1024;
} // namespace

PacketChannel::PacketChannel(Fd tx, Fd rx, Fd life, const EndpointRequest& request)
    : tx_(std::move(tx)), rx_(std::move(rx)), tx_fd_(tx_.get()), rx_fd_(rx_ ? rx_.get() : tx_fd_),
      tx_flags_(MSG_NOSIGNAL), rx_flags_(MSG_TRUNC), tx_fixed_(request.tx_fixed_size),
      rx_largest_(request.rx_fixed_size != 0 ? request.rx_fixed_size : request.max_message_size),
      max_size_(request.max_message_size), wait_policy_(request.wait_policy), spin_ns_(request.spin_ns),
      life_(std::move(life)) {
    if (request.loaned()) {
        throw Error(IPCMARK_UNSUPPORTED, "a unix socket has no loan extension");
    }
    if (wait_policy_ != IPCMARK_WAIT_BLOCK) {
        tx_flags_ |= MSG_DONTWAIT;
        rx_flags_ |= MSG_DONTWAIT;
    }
    if (life_) {
        const timeval check{0, life_check_us};
        if (::setsockopt(rx_fd_, SOL_SOCKET, SO_RCVTIMEO, &check, sizeof check) != 0) {
            throw_errno("set the receive time-out of the socket");
        }
        if (request.polled()) {
            rx_watch_ = watch(rx_fd_, EPOLLIN);
            tx_watch_ = watch(tx_fd_, EPOLLOUT);
        }
    }
}

Fd PacketChannel::watch(int fd, std::uint32_t events) const {
    Fd set(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event data{events, {}};
    epoll_event life{EPOLLRDHUP, {}};
    if (!set || ::epoll_ctl(set.get(), EPOLL_CTL_ADD, fd, &data) != 0 ||
        ::epoll_ctl(set.get(), EPOLL_CTL_ADD, life_.get(), &life) != 0) {
        throw_errno("watch the sockets of the endpoint");
    }
    return set;
}

ipcmark_status PacketChannel::send(const void* data, std::size_t size) noexcept {
    if (!takes(size)) [[unlikely]] {
        return refuse_size(size, max_size_);
    }
    if (socket_send(tx_fd_, data, size, tx_flags_) == static_cast<ssize_t>(size)) [[likely]] {
        return IPCMARK_OK;
    }
    SocketWait wait(wait_policy_, spin_ns_);
    auto status = after_failed_attempt(interrupt_, errno, &wait);
    while (status == IPCMARK_OK && socket_send(tx_fd_, data, size, MSG_NOSIGNAL | wait.flags()) < 0) {
        status = after_failed_attempt(interrupt_, errno, &wait);
    }
    return status;
}

ipcmark_status PacketChannel::try_send(const void* data, std::size_t size) noexcept {
    if (!takes(size)) [[unlikely]] {
        return refuse_size(size, max_size_);
    }
    auto status = static_cast<ipcmark_status>(IPCMARK_OK);
    while (status == IPCMARK_OK && socket_send(tx_fd_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        status = after_failed_attempt(interrupt_, errno, nullptr);
    }
    return status;
}

ipcmark_status PacketChannel::send_batch(const ipcmark_tx_message* messages, std::size_t count,
                                         std::size_t& sent) noexcept {
    sent = 0;
    mmsghdr packets[max_batch] = {};
    iovec parts[max_batch];
    unsigned taken = 0;
    for (; taken < std::min<std::size_t>(count, max_batch) && takes(messages[taken].size); ++taken) {
        parts[taken] = {const_cast<void*>(messages[taken].data), messages[taken].size};
        packets[taken].msg_hdr.msg_iov = &parts[taken];
        packets[taken].msg_hdr.msg_iovlen = 1;
    }
    if (taken == 0) {
        return count == 0 ? IPCMARK_OK : refuse_size(messages[0].size, max_size_);
    }
    SocketWait wait(wait_policy_, spin_ns_);
    for (;;) {
        const auto done = ::sendmmsg(tx_fd_, packets, taken, MSG_NOSIGNAL | wait.flags());
        if (done > 0) {
            sent = static_cast<std::size_t>(done);
            return IPCMARK_OK;
        }
        if (const auto status = after_failed_attempt(interrupt_, errno, &wait); status != IPCMARK_OK) {
            return status;
        }
    }
}

ipcmark_status PacketChannel::recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
    const auto count = socket_recv(rx_fd_, data, capacity, rx_flags_);
    if (count > 0 && static_cast<std::size_t>(count) <= capacity) [[likely]] {
        size = static_cast<std::size_t>(count);
        return IPCMARK_OK;
    }
    SocketWait wait(wait_policy_, spin_ns_);
    return recv_again(data, capacity, size, count, &wait);
}

ipcmark_status PacketChannel::try_recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
    const auto count = socket_recv(rx_fd_, data, capacity, MSG_TRUNC | MSG_DONTWAIT);
    return recv_again(data, capacity, size, count, nullptr);
}

ipcmark_status PacketChannel::recv_again(void* data, std::size_t capacity, std::size_t& size, ssize_t count,
                                         SocketWait* wait) noexcept {
    while (count <= 0) {
        if (const auto status = after_recv(count, wait); status != IPCMARK_OK) {
            return status;
        }
        count = socket_recv(rx_fd_, data, capacity, MSG_TRUNC | (wait != nullptr ? wait->flags() : MSG_DONTWAIT));
    }
    if (static_cast<std::size_t>(count) > capacity) {
        return record_hot(IPCMARK_TRUNCATED, 0, "the message is larger than the buffer given");
    }
    size = static_cast<std::size_t>(count);
    return IPCMARK_OK;
}

ipcmark_status PacketChannel::recv_batch(ipcmark_rx_message* messages, std::size_t count,
                                         std::size_t& received) noexcept {
    received = 0;
    mmsghdr packets[max_batch] = {};
    iovec parts[max_batch];
    unsigned taken = 0;
    // A buffer that could be too small is left to recv, so that no message behind it is lost with it.
    for (; taken < std::min<std::size_t>(count, max_batch) && messages[taken].capacity >= rx_largest_; ++taken) {
        parts[taken] = {messages[taken].data, messages[taken].capacity};
        packets[taken].msg_hdr.msg_iov = &parts[taken];
        packets[taken].msg_hdr.msg_iovlen = 1;
    }
    if (taken <= 1) {
        if (count == 0) {
            return IPCMARK_OK;
        }
        const auto status = recv(messages[0].data, messages[0].capacity, messages[0].size);
        received = status == IPCMARK_OK ? 1 : 0;
        return status;
    }
    SocketWait wait(wait_policy_, spin_ns_);
    for (;;) {
        const auto done = ::recvmmsg(rx_fd_, packets, taken, MSG_WAITFORONE | wait.flags(), nullptr);
        // At the end of the connection every further packet is an empty one.
        for (; received < static_cast<std::size_t>(std::max(done, 0)) && packets[received].msg_len != 0; ++received) {
            messages[received].size = packets[received].msg_len;
        }
        if (received != 0) {
            return IPCMARK_OK;
        }
        if (const auto status = after_recv(std::min(done, 0), &wait); status != IPCMARK_OK) {
            return status;
        }
    }
}

ipcmark_status PacketChannel::after_recv(ssize_t count, SocketWait* wait) noexcept {
    const int error = count == 0 ? 0 : errno;
    if (error == ECONNRESET && !peer_left_) {
        // The peer left without reading all that was sent to it. What it had sent itself is still in the queue.
        peer_left_ = true;
        return IPCMARK_OK;
    }
    if (count == 0 || (error == EAGAIN && peer_left_)) {
        return socket_failure(interrupt_, 0);
    }
    const bool idle = error == EAGAIN && !interrupt_;
    if (idle && life_ && (wait == nullptr || !wait->spinning() || ++idle_turns_ % life_check_turns == 0) &&
        peer_has_left()) {
        // It may have sent between the attempt and its end: one more attempt.
        peer_left_ = true;
        return IPCMARK_OK;
    }
    return after_failed_attempt(interrupt_, error, wait);
}

bool PacketChannel::peer_has_left() const noexcept {
    char byte = 0;
    const auto count = socket_recv(life_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
}

void PacketChannel::interrupt(ipcmark_status status) noexcept {
    if (interrupt_.raise(status)) {
        ::shutdown(tx_fd_, SHUT_RDWR);
        if (rx_fd_ != tx_fd_) {
            ::shutdown(rx_fd_, SHUT_RDWR);
        }
    }
}

void PacketChannel::poll_descriptor(std::uint32_t direction, int& fd, short& events) const noexcept {
    const bool receiving = direction == IPCMARK_POLL_RX;
    if (life_) {
        fd = receiving ? rx_watch_.get() : tx_watch_.get();
        events = POLLIN;
    } else {
        fd = tx_fd_; // seqpacket: the same for both
        events = receiving ? POLLIN : POLLOUT;
    }
}

ipcmark_status PacketChannel::arm(std::uint32_t directions, std::uint32_t& ready) noexcept {
    ready = interrupt_ ? directions : 0; // the sockets and epoll sets are level triggered by themselves
    return IPCMARK_OK;
}

} // namespace uds

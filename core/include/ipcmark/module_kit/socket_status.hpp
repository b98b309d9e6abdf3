// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/error.hpp>
#include <ipcmark/module_kit/wait.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <sys/socket.h>

namespace ipcmark::kit {

// The status of a failed send or recv on a socket, in this order: the host interrupted, the peer is gone, the rest.
[[gnu::cold, gnu::noinline]] inline ipcmark_status socket_failure(const InterruptFlag& interrupt, int error) noexcept {
    if (interrupt) {
        return record_hot(interrupt.status(), 0, "the call was interrupted");
    }
    switch (error) {
    case 0: // the end of the stream
        return record_hot(IPCMARK_PEER_GONE, 0, "the peer closed the connection or died");
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
    case ECONNABORTED:
    case ENOTCONN:
    case ETIMEDOUT:
    case EHOSTUNREACH:
        return record_hot(IPCMARK_PEER_GONE, error, "the peer closed the connection or died");
    case ENOMEM:
    case ENOBUFS:
        return record_hot(IPCMARK_NO_MEMORY, error, "the kernel has no memory for the message");
    case EMSGSIZE:
        return record_hot(IPCMARK_TOO_BIG, error, "the socket cannot carry a message of this size");
    default:
        return record_hot(IPCMARK_SYSTEM, error, "the socket call failed");
    }
}

// The status for a message size that send does not take.
[[gnu::cold, gnu::noinline]] inline ipcmark_status refuse_size(std::size_t size, std::uint64_t max_size) noexcept {
    if (size > max_size) {
        return record_hot(IPCMARK_TOO_BIG, 0, "the message is larger than max_message_size");
    }
    if (size == 0) {
        return record_hot(IPCMARK_BAD_ARGUMENT, 0, "the message has size 0");
    }
    return record_hot(IPCMARK_BAD_ARGUMENT, 0, "the message has not the fixed size of this endpoint");
}

// How one call waits while a non-blocking attempt cannot go on.
class SocketWait {
public:
    SocketWait(std::uint32_t policy, std::uint64_t spin_ns) noexcept
        : policy_(policy), spinning_(policy != IPCMARK_WAIT_BLOCK), budget_(spin_ns) {}
    // MSG_DONTWAIT or 0 for the next attempt.
    [[nodiscard]] int flags() const noexcept { return spinning_ ? MSG_DONTWAIT : 0; }
    [[nodiscard]] bool spinning() const noexcept { return spinning_; }
    // After an attempt found nothing to do: one turn.
    void turn() noexcept {
        if (policy_ == IPCMARK_WAIT_SPIN) {
            cpu_relax();
        } else if (spinning_) {
            spinning_ = budget_.turn();
        }
    }

private:
    std::uint32_t policy_;
    bool spinning_;
    SpinBudget budget_;
};

// What a socket call that failed with `error` means: IPCMARK_OK to try again, after one turn of `wait` where there was
// nothing to do; without `wait` that is IPCMARK_WOULD_BLOCK; else what to return.
inline ipcmark_status after_failed_attempt(const InterruptFlag& interrupt, int error, SocketWait* wait) noexcept {
    if (error == EINTR) {
        return IPCMARK_OK;
    }
    if (error != EAGAIN || interrupt) {
        return socket_failure(interrupt, error);
    }
    if (wait == nullptr) {
        return IPCMARK_WOULD_BLOCK;
    }
    wait->turn();
    return IPCMARK_OK;
}

} // namespace ipcmark::kit

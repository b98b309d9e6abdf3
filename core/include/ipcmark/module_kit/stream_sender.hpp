// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/ext/batch.h>
#include <ipcmark/module_kit/request.hpp>
#include <ipcmark/module_kit/socket_calls.hpp>
#include <ipcmark/module_kit/socket_status.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <sys/socket.h>
#include <sys/uio.h>

namespace ipcmark::kit {

// What stands before each message on a byte stream when its size is not fixed.
using FrameHeader = std::uint64_t;

// The [tx] half of a byte-stream endpoint.
class StreamSender {
public:
    static constexpr std::uint32_t max_batch = 256;

    StreamSender(int fd, const EndpointRequest& request, const InterruptFlag& interrupt)
        : fd_(fd), flags_(MSG_NOSIGNAL | (request.wait_policy == IPCMARK_WAIT_BLOCK ? 0 : MSG_DONTWAIT)),
          fixed_size_(request.tx_fixed_size), usual_size_(fixed_size_ != 0 ? fixed_size_ : SIZE_MAX),
          max_size_(request.max_message_size), wait_policy_(request.wait_policy), spin_ns_(request.spin_ns),
          interrupt_(interrupt) {}

    ipcmark_status send(const void* data, std::size_t size) noexcept {
        ssize_t count = 0;
        if (size == usual_size_) [[likely]] {
            count = socket_send(fd_, data, size, flags_);
            if (count == static_cast<ssize_t>(size)) [[likely]] {
                return IPCMARK_OK;
            }
        }
        return send_on(data, size, count);
    }

    ipcmark_status try_send(const void* data, std::size_t size) noexcept {
        if (size == usual_size_ && polled_done_ == 0) [[likely]] {
            const auto count = socket_send(fd_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (count == static_cast<ssize_t>(size)) [[likely]] {
                return IPCMARK_OK;
            }
            if (count < 0 && errno == EAGAIN && !interrupt_) {
                return IPCMARK_WOULD_BLOCK;
            }
            polled_done_ = count > 0 ? static_cast<std::size_t>(count) : 0;
        }
        if (!takes(size)) [[unlikely]] {
            return refuse_size(size, max_size_);
        }
        const auto status = push(data, size, polled_done_, nullptr);
        if (status != IPCMARK_WOULD_BLOCK) {
            polled_done_ = 0;
        }
        return status;
    }

    ipcmark_status send_batch(const ipcmark_tx_message* messages, std::size_t count, std::size_t& sent) noexcept {
        sent = 0;
        iovec parts[2 * max_batch];
        FrameHeader headers[max_batch];
        std::size_t part_count = 0;
        std::size_t total = 0;
        std::size_t taken = 0;
        for (; taken < std::min<std::size_t>(count, max_batch); ++taken) {
            const auto& message = messages[taken];
            if (!takes(message.size)) [[unlikely]] {
                break;
            }
            if (fixed_size_ == 0) {
                headers[taken] = message.size;
                parts[part_count++] = {&headers[taken], sizeof(FrameHeader)};
            }
            parts[part_count++] = {const_cast<void*>(message.data), message.size};
            total += frame_size(message.size);
        }
        if (taken == 0) {
            return count == 0 ? IPCMARK_OK : refuse_size(messages[0].size, max_size_);
        }
        msghdr header{};
        header.msg_iov = parts;
        header.msg_iovlen = part_count;
        const auto written = ::sendmsg(fd_, &header, flags_);
        if (written == static_cast<ssize_t>(total)) [[likely]] {
            sent = taken;
            return IPCMARK_OK;
        }
        return finish_batch(messages, written > 0 ? static_cast<std::size_t>(written) : 0, sent);
    }

private:
    [[nodiscard]] bool takes(std::size_t size) const noexcept {
        return size != 0 && (fixed_size_ != 0 ? size == fixed_size_ : size <= max_size_);
    }
    [[nodiscard]] std::size_t frame_size(std::size_t size) const noexcept {
        return fixed_size_ != 0 ? size : sizeof(FrameHeader) + size;
    }

    // Goes on after `count` bytes; nothing was sent if it is negative.
    [[gnu::noinline]] ipcmark_status send_on(const void* data, std::size_t size, ssize_t count) noexcept {
        if (!takes(size)) {
            return refuse_size(size, max_size_);
        }
        std::size_t done = count > 0 ? static_cast<std::size_t>(count) : 0;
        SocketWait wait(wait_policy_, spin_ns_);
        return push(data, size, done, &wait);
    }

    // Sends what is left of the message after `done` bytes of its frame. No `wait`: IPCMARK_WOULD_BLOCK instead.
    [[gnu::noinline]] ipcmark_status push(const void* data, std::size_t size, std::size_t& done,
                                          SocketWait* wait) noexcept {
        FrameHeader header = size;
        const std::size_t head = fixed_size_ != 0 ? 0 : sizeof header;
        while (done < head + size) {
            iovec parts[2];
            std::size_t part_count = 0;
            if (done < head) {
                parts[part_count++] = {reinterpret_cast<char*>(&header) + done, head - done};
            }
            const auto body_done = done > head ? done - head : 0;
            parts[part_count++] = {const_cast<char*>(static_cast<const char*>(data)) + body_done, size - body_done};
            msghdr message{};
            message.msg_iov = parts;
            message.msg_iovlen = part_count;
            const auto count =
                ::sendmsg(fd_, &message, MSG_NOSIGNAL | (wait != nullptr ? wait->flags() : MSG_DONTWAIT));
            if (count >= 0) {
                done += static_cast<std::size_t>(count);
            } else if (const auto status = after_failed_attempt(interrupt_, errno, wait); status != IPCMARK_OK) {
                return status;
            }
        }
        return IPCMARK_OK;
    }

    // After `written` bytes of a batch: completes the message that was cut, at least the first one.
    [[gnu::cold]] ipcmark_status finish_batch(const ipcmark_tx_message* messages, std::size_t written,
                                              std::size_t& sent) noexcept {
        std::size_t whole = 0;
        while (written >= frame_size(messages[whole].size)) {
            written -= frame_size(messages[whole].size);
            ++whole;
        }
        if (whole == 0 || written != 0) {
            SocketWait wait(wait_policy_, spin_ns_);
            if (const auto status = push(messages[whole].data, messages[whole].size, written, &wait);
                status != IPCMARK_OK) {
                // What was sent whole is told first; the next call meets the same failure.
                sent = whole;
                return whole != 0 ? IPCMARK_OK : status;
            }
            ++whole;
        }
        sent = whole;
        return IPCMARK_OK;
    }

    int fd_;
    int flags_;
    std::size_t fixed_size_; // 0: any size up to max_size_, with a header
    std::size_t usual_size_; // the fixed size; one that no message has if there is none
    std::uint64_t max_size_;
    std::uint32_t wait_policy_;
    std::uint64_t spin_ns_;
    const InterruptFlag& interrupt_;
    std::size_t polled_done_ = 0; // bytes of the frame that earlier try_send calls sent
};

} // namespace ipcmark::kit

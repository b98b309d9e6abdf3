// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/ext/batch.h>
#include <ipcmark/module_kit/request.hpp>
#include <ipcmark/module_kit/socket_calls.hpp>
#include <ipcmark/module_kit/socket_status.hpp>
#include <ipcmark/module_kit/stream_sender.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include <sys/socket.h>

namespace ipcmark::kit {

// The [rx] half of a byte-stream endpoint.
class StreamReceiver {
public:
    StreamReceiver(int fd, const EndpointRequest& request, const InterruptFlag& interrupt)
        : fd_(fd), flags_(request.wait_policy == IPCMARK_WAIT_BLOCK ? MSG_WAITALL : MSG_DONTWAIT),
          fixed_size_(request.rx_fixed_size), size_(fixed_size_), max_size_(request.max_message_size),
          wait_policy_(request.wait_policy), spin_ns_(request.spin_ns), interrupt_(interrupt) {
        if (fixed_size_ <= largest_buffered) {
            buffer_.reset(new std::byte[buffer_size]); // no page of it is touched before it is used
        }
    }

    ipcmark_status recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
        ssize_t count = 0;
        if (idle() && capacity >= fixed_size_) [[likely]] {
            count = socket_recv(fd_, data, fixed_size_, flags_);
            if (count == static_cast<ssize_t>(fixed_size_)) [[likely]] {
                size = fixed_size_;
                return IPCMARK_OK;
            }
        }
        return recv_on(data, capacity, size, count);
    }

    ipcmark_status try_recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
        if (idle() && capacity >= fixed_size_) [[likely]] {
            const auto count = socket_recv(fd_, data, fixed_size_, MSG_DONTWAIT);
            if (count == static_cast<ssize_t>(fixed_size_)) [[likely]] {
                size = fixed_size_;
                return IPCMARK_OK;
            }
            if (count < 0 && errno == EAGAIN && !interrupt_) {
                return IPCMARK_WOULD_BLOCK;
            }
            done_ = count > 0 ? static_cast<std::size_t>(count) : 0;
        }
        return pull(data, capacity, size, nullptr);
    }

    ipcmark_status recv_batch(ipcmark_rx_message* messages, std::size_t count, std::size_t& received) noexcept {
        received = 0;
        if (count > 1 && buffer_) {
            SocketWait wait(wait_policy_, spin_ns_);
            while (!message_buffered() && !next_passes_buffer()) {
                if (const auto status = fill(&wait); status != IPCMARK_OK) {
                    return status;
                }
            }
            while (received < count && message_buffered() && messages[received].capacity >= next_size()) {
                take_buffered(messages[received++]);
            }
            if (received != 0) {
                return IPCMARK_OK;
            }
        }
        if (count == 0) {
            return IPCMARK_OK;
        }
        const auto status = recv(messages[0].data, messages[0].capacity, messages[0].size);
        received = status == IPCMARK_OK ? 1 : 0;
        return status;
    }

    // A whole message was read ahead, so that no poll would tell of it.
    [[nodiscard]] bool message_buffered() const noexcept {
        return buffered() > header_size() && next_size() <= buffered() - header_size();
    }

private:
    static constexpr std::size_t buffer_size = 65536;
    // Messages of a fixed size up to this are worth a second copy when they come in a batch.
    static constexpr std::size_t largest_buffered = 4096;

    // Messages of a fixed size, nothing read ahead, none under way.
    [[nodiscard]] bool idle() const noexcept { return ((begin_ ^ end_) | done_) == 0 && fixed_size_ != 0; }
    [[nodiscard]] std::size_t buffered() const noexcept { return end_ - begin_; }
    [[nodiscard]] std::size_t header_size() const noexcept { return fixed_size_ != 0 ? 0 : sizeof(FrameHeader); }
    // Of the message at begin_, whose header must be there.
    [[nodiscard]] std::size_t next_size() const noexcept {
        if (fixed_size_ != 0) {
            return fixed_size_;
        }
        FrameHeader header = 0;
        std::memcpy(&header, buffer_.get() + begin_, sizeof header);
        return header;
    }
    // It is larger than the buffer, or its header is wrong.
    [[nodiscard]] bool next_passes_buffer() const noexcept {
        return buffered() >= header_size() &&
               (next_size() == 0 || next_size() > std::min<std::uint64_t>(max_size_, buffer_size - header_size()));
    }
    void take_buffered(ipcmark_rx_message& message) noexcept {
        message.size = next_size();
        std::memcpy(message.data, buffer_.get() + begin_ + header_size(), message.size);
        begin_ += header_size() + message.size;
    }

    // An attempt that brought nothing: IPCMARK_OK to try again, else what to return.
    ipcmark_status after(ssize_t count, SocketWait* wait) noexcept {
        return count == 0 ? socket_failure(interrupt_, 0) : after_failed_attempt(interrupt_, errno, wait);
    }

    // Reads more into the buffer, which holds no whole message.
    [[gnu::noinline]] ipcmark_status fill(SocketWait* wait) noexcept {
        if (begin_ != 0) {
            std::memmove(buffer_.get(), buffer_.get() + begin_, buffered());
            end_ -= begin_;
            begin_ = 0;
        }
        const auto count =
            socket_recv(fd_, buffer_.get() + end_, buffer_size - end_, wait != nullptr ? wait->flags() : MSG_DONTWAIT);
        if (count <= 0) {
            return after(count, wait);
        }
        end_ += static_cast<std::size_t>(count);
        return IPCMARK_OK;
    }

    // Goes on after `count` more bytes; nothing was received if it is negative.
    [[gnu::noinline]] ipcmark_status recv_on(void* data, std::size_t capacity, std::size_t& size,
                                             ssize_t count) noexcept {
        done_ += count > 0 ? static_cast<std::size_t>(count) : 0;
        SocketWait wait(wait_policy_, spin_ns_);
        return pull(data, capacity, size, &wait);
    }

    // Receives the message of which earlier calls brought done_ bytes: from the buffer first, then straight into
    // `data`. No `wait`: IPCMARK_WOULD_BLOCK instead.
    [[gnu::noinline]] ipcmark_status pull(void* data, std::size_t capacity, std::size_t& size,
                                          SocketWait* wait) noexcept {
        if (done_ != 0 && interrupt_) {
            return socket_failure(interrupt_, 0); // the first part of the message may be in another buffer
        }
        while (size_ == 0) {
            if (buffered() < sizeof(FrameHeader)) {
                if (const auto status = fill(wait); status != IPCMARK_OK) {
                    return status;
                }
                continue;
            }
            if (next_size() == 0 || next_size() > max_size_) {
                return record_hot(IPCMARK_INTERNAL, 0, "the byte stream is out of step: a frame of impossible size");
            }
            size_ = next_size();
            begin_ += sizeof(FrameHeader);
        }
        const bool fits = size_ <= capacity;
        while (done_ < size_) {
            if (const auto ready = std::min(buffered(), size_ - done_); ready != 0) {
                if (fits) {
                    std::memcpy(static_cast<std::byte*>(data) + done_, buffer_.get() + begin_, ready);
                }
                begin_ += ready;
                done_ += ready;
                continue;
            }
            std::byte lost[4096];
            const auto left = size_ - done_;
            const auto flags = wait == nullptr || wait->spinning() ? MSG_DONTWAIT : MSG_WAITALL;
            const auto count = fits ? socket_recv(fd_, static_cast<std::byte*>(data) + done_, left, flags)
                                    : socket_recv(fd_, lost, std::min(left, sizeof lost), flags);
            if (count > 0) {
                done_ += static_cast<std::size_t>(count);
            } else if (const auto status = after(count, wait); status != IPCMARK_OK) {
                return status;
            }
        }
        size = size_;
        size_ = fixed_size_;
        done_ = 0;
        if (!fits) {
            return record_hot(IPCMARK_TRUNCATED, 0, "the message is larger than the buffer given");
        }
        return IPCMARK_OK;
    }

    int fd_;
    int flags_;
    std::size_t fixed_size_; // 0: each message has a header
    // Read ahead: [begin_, end_) of buffer_.
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    // Of the message under way; size_ == 0: its header is not here yet.
    std::size_t size_;
    std::size_t done_ = 0;
    std::uint64_t max_size_;
    std::uint32_t wait_policy_;
    std::uint64_t spin_ns_;
    const InterruptFlag& interrupt_;
    std::unique_ptr<std::byte[]> buffer_;
};

} // namespace ipcmark::kit

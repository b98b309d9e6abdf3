// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "queue.hpp"

#include <ipcmark/module_kit.hpp>
#include <ipcmark/module_kit/local_rendezvous.hpp>
#include <ipcmark/module_kit/peer_watch.hpp>
#include <ipcmark/module_kit/stop_reasons.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace pmq {

namespace option {
enum Index : std::uint32_t { depth, priority, count };
}

// What the hardest limit of the kernel allows; the present one is looked at when an endpoint is made.
inline constexpr std::int64_t deepest = 65536;
inline constexpr std::int64_t highest_priority = 32767;

inline constexpr std::array<ipcmark_option, option::count> options{{
    {"depth", IPCMARK_TYPE_U64, 0, "10", 1, deepest, nullptr, "messages",
     "messages that a queue holds; more than 10 may need a higher fs.mqueue.msg_max"},
    {"priority", IPCMARK_TYPE_U64, 0, "0", 0, highest_priority, nullptr, nullptr, "priority of every message"},
}};

// What a queue must hold in one direction.
[[nodiscard]] Shape shape_of(const ipcmark::kit::Options& options, std::uint64_t fixed_size, std::uint64_t max_size);

class Endpoint final : ipcmark::kit::PeerWatch::Listener {
public:
    // The connecting side: makes both queues and passes the peer its descriptions.
    Endpoint(std::span<const std::byte> address, const ipcmark::kit::EndpointRequest& request);
    // The accepting side.
    Endpoint(ipcmark::kit::Peer peer, const ipcmark::kit::EndpointRequest& request);
    ~Endpoint() = default;
    Endpoint(const Endpoint&) = delete;
    Endpoint& operator=(const Endpoint&) = delete;

    ipcmark_status send(const void* data, std::size_t size) noexcept;
    ipcmark_status recv(void* data, std::size_t capacity, std::size_t& size) noexcept;
    void interrupt(ipcmark_status status) noexcept;
    ipcmark_value effective_option(std::uint32_t index) const;

    void poll_descriptor(std::uint32_t direction, int& fd, short& events) const;
    ipcmark_status try_send(const void* data, std::size_t size) noexcept;
    ipcmark_status try_recv(void* data, std::size_t capacity, std::size_t& size) noexcept;
    ipcmark_status arm(std::uint32_t directions, std::uint32_t& ready) noexcept;

private:
    explicit Endpoint(const ipcmark::kit::EndpointRequest& request);
    void attach();
    void peer_left() noexcept override;
    void wake_self() noexcept;
    void release_sender() noexcept;
    void take_back_last(std::size_t depth) noexcept;

    [[nodiscard]] bool size_allowed(std::size_t size) const noexcept {
        return size - 1 < tx_size_ && (!tx_fixed_ || size == tx_size_);
    }
    [[nodiscard]] ipcmark_status refuse_size(std::size_t size) const noexcept;
    [[nodiscard]] bool must_look() const noexcept { return stop_.any(); }
    // The reason to stop, or IPCMARK_OK.
    ipcmark_status reason_to_stop_sending() const noexcept;
    ipcmark_status reason_to_stop_receiving() const noexcept;
    // After a system call that failed with `error`: IPCMARK_OK to repeat it, IPCMARK_WOULD_BLOCK where that was the
    // cause, or what to return.
    ipcmark_status after_failed_send(int error) noexcept;
    ipcmark_status after_failed_recv(int error) noexcept;
    // The queue's own call, which waits where the description has no O_NONBLOCK.
    ipcmark_status attempt_send(const void* data, std::size_t size) noexcept;
    ipcmark_status attempt_recv(void* data, std::size_t capacity, std::size_t& size) noexcept;
    // Makes attempts, and spins or sleeps in poll between them, by the wait policy.
    template <class Attempt> ipcmark_status repeat(int queue, short events, Attempt attempt) noexcept;
    // The message in rx_buffer_ to a caller with a small buffer.
    ipcmark_status deliver(void* data, std::size_t capacity, std::size_t size) noexcept;

    ipcmark::kit::Fd tx_;
    ipcmark::kit::Fd rx_;
    std::uint64_t tx_size_; // the largest message
    std::uint64_t rx_size_;
    bool tx_fixed_;
    std::uint64_t max_size_;
    unsigned priority_;
    bool blocking_;                      // the descriptions are without O_NONBLOCK
    bool release_makes_barrier_ = false; // between sending_ and stop_, for the sender too
    std::uint32_t wait_policy_;
    std::uint64_t spin_ns_;
    ipcmark::kit::StopReasons stop_;
    std::atomic<bool> sending_{false};  // [tx] a send is under way
    std::atomic<bool> recalled_{false}; // the message of that send may have been taken back
    std::mutex release_mutex_;
    // For release_sender: all messages of the queue and one more.
    std::unique_ptr<std::byte[]> taken_out_;
    std::vector<std::size_t> taken_sizes_;
    // [rx] Where a message goes when the caller's buffer is smaller than the queue's messages may be.
    std::vector<std::byte> rx_buffer_;
    // Polled endpoints: an epoll set of tx_ and tx_wake_, since an interrupt cannot make room in a queue.
    ipcmark::kit::Fd tx_watch_;
    ipcmark::kit::Fd tx_wake_;
    ipcmark::kit::Fd socket_;
    ipcmark::kit::PeerWatch::Registration watch_; // last: nobody calls peer_left when the rest is destroyed
};

} // namespace pmq

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/pollfd.h>
#include <ipcmark/module_kit.hpp>
#include <ipcmark/module_kit/socket_status.hpp>

#include <cstddef>
#include <cstdint>

#include <sys/types.h>

namespace uds {

// Whole messages over a connected seqpacket or datagram socket, where one packet is one message. Both ends are
// connected to each other, so that it is the sender's own buffer that bounds what is under way, and a shutdown wakes
// it.
class PacketChannel {
public:
    static constexpr std::uint32_t max_batch = 64;

    // A seqpacket socket serves both directions: `rx` and `life` are none. Datagrams take a socket for each direction,
    // since a send to a peer that is gone makes the kernel drop what the same socket had received, and `life`, a stream
    // socket to the same peer, since a datagram socket does not tell that its peer is gone.
    PacketChannel(ipcmark::kit::Fd tx, ipcmark::kit::Fd rx, ipcmark::kit::Fd life,
                  const ipcmark::kit::EndpointRequest& request);

    [[nodiscard]] int tx_descriptor() const noexcept { return tx_fd_; }
    [[nodiscard]] int rx_descriptor() const noexcept { return rx_fd_; }

    ipcmark_status send(const void* data, std::size_t size) noexcept;
    ipcmark_status recv(void* data, std::size_t capacity, std::size_t& size) noexcept;
    void interrupt(ipcmark_status status) noexcept;

    void poll_descriptor(std::uint32_t direction, int& fd, short& events) const noexcept;
    ipcmark_status try_send(const void* data, std::size_t size) noexcept;
    ipcmark_status try_recv(void* data, std::size_t capacity, std::size_t& size) noexcept;
    ipcmark_status arm(std::uint32_t directions, std::uint32_t& ready) noexcept;

    ipcmark_status send_batch(const ipcmark_tx_message* messages, std::size_t count, std::size_t& sent) noexcept;
    ipcmark_status recv_batch(ipcmark_rx_message* messages, std::size_t count, std::size_t& received) noexcept;

private:
    [[nodiscard]] bool takes(std::size_t size) const noexcept {
        return size != 0 && (tx_fixed_ != 0 ? size == tx_fixed_ : size <= max_size_);
    }
    // After an attempt that moved nothing, with errno: IPCMARK_OK to try again, else what to return.
    ipcmark_status after_recv(ssize_t count, ipcmark::kit::SocketWait* wait) noexcept;
    // Goes on after an attempt that returned `count`.
    ipcmark_status recv_again(void* data, std::size_t capacity, std::size_t& size, ssize_t count,
                              ipcmark::kit::SocketWait* wait) noexcept;
    [[nodiscard]] bool peer_has_left() const noexcept;
    [[nodiscard]] ipcmark::kit::Fd watch(int fd, std::uint32_t events) const;

    ipcmark::kit::Fd tx_;
    ipcmark::kit::Fd rx_;
    int tx_fd_;
    int rx_fd_;
    int tx_flags_;
    int rx_flags_;
    std::uint64_t tx_fixed_;
    std::uint64_t rx_largest_;
    std::uint64_t max_size_;
    std::uint32_t wait_policy_;
    std::uint64_t spin_ns_;
    ipcmark::kit::InterruptFlag interrupt_;
    ipcmark::kit::Fd life_;
    // Polled datagram endpoints: epoll sets of the socket and `life_`, one for each direction.
    ipcmark::kit::Fd rx_watch_;
    ipcmark::kit::Fd tx_watch_;
    std::uint32_t idle_turns_ = 0; // [rx]
    bool peer_left_ = false;       // [rx] nothing more can come than what is in the queue
};

} // namespace uds

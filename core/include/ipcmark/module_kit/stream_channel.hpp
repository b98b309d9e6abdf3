// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/ext/pollfd.h>
#include <ipcmark/module_kit/fd.hpp>
#include <ipcmark/module_kit/stream_receiver.hpp>
#include <ipcmark/module_kit/stream_sender.hpp>

#include <cstdint>
#include <utility>

#include <poll.h>

namespace ipcmark::kit {

// Whole messages over a connected byte-stream socket, by the rules of the ABI: what an endpoint needs to send, receive
// and be interrupted, and for the pollfd and batch extensions. A message of fixed size takes no header and one system
// call; others get a header of 8 bytes and are received through a buffer. [tx] and [rx] may run on two threads.
class StreamChannel {
public:
    static constexpr std::uint32_t max_batch = StreamSender::max_batch;

    StreamChannel(Fd socket, const EndpointRequest& request)
        : socket_(std::move(socket)), tx_(socket_.get(), request, interrupt_), rx_(socket_.get(), request, interrupt_) {
        if (request.loaned()) {
            throw Error(IPCMARK_UNSUPPORTED, "a byte stream has no loan extension");
        }
    }
    StreamChannel(const StreamChannel&) = delete;
    StreamChannel& operator=(const StreamChannel&) = delete;

    [[nodiscard]] int tx_descriptor() const noexcept { return socket_.get(); }
    [[nodiscard]] int rx_descriptor() const noexcept { return socket_.get(); }

    ipcmark_status send(const void* data, std::size_t size) noexcept { return tx_.send(data, size); }
    ipcmark_status recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
        return rx_.recv(data, capacity, size);
    }
    // Any thread. Ends the connection, which wakes whoever sleeps in it; the peer sees its end, too.
    void interrupt(ipcmark_status status) noexcept {
        if (interrupt_.raise(status)) {
            ::shutdown(socket_.get(), SHUT_RDWR);
        }
    }

    void poll_descriptor(std::uint32_t direction, int& fd, short& events) const noexcept {
        fd = socket_.get();
        events = direction == IPCMARK_POLL_RX ? POLLIN : POLLOUT;
    }
    ipcmark_status try_send(const void* data, std::size_t size) noexcept { return tx_.try_send(data, size); }
    ipcmark_status try_recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
        return rx_.try_recv(data, capacity, size);
    }
    // The socket is level triggered by itself; only what was read ahead would not wake a poll.
    ipcmark_status arm(std::uint32_t directions, std::uint32_t& ready) noexcept {
        ready = 0;
        if (interrupt_) {
            ready = directions;
        } else if ((directions & IPCMARK_POLL_RX) != 0 && rx_.message_buffered()) {
            ready = IPCMARK_POLL_RX;
        }
        return IPCMARK_OK;
    }

    ipcmark_status send_batch(const ipcmark_tx_message* messages, std::size_t count, std::size_t& sent) noexcept {
        return tx_.send_batch(messages, count, sent);
    }
    ipcmark_status recv_batch(ipcmark_rx_message* messages, std::size_t count, std::size_t& received) noexcept {
        return rx_.recv_batch(messages, count, received);
    }

private:
    Fd socket_;
    InterruptFlag interrupt_;
    StreamSender tx_;
    alignas(64) StreamReceiver rx_; // its own cache line: the halves may run on two threads
};

} // namespace ipcmark::kit

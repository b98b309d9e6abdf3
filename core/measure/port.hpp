// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/envelope.hpp"
#include "measure/loop_context.hpp"
#include "measure/message_buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ipcmark {

// The two ways to move a message through an endpoint, under one shape for the loops: begin_send gives the memory to
// write to, end_send sends it; begin_recv waits and gives the memory to read from, end_recv gives it back; echo sends
// what begin_recv_for_echo gave.

// send and recv: the caller's buffers.
class CopyPort {
public:
    explicit CopyPort(const LoopContext& context)
        : send_(context.calls.table->send), recv_(context.calls.table->recv), endpoint_(context.endpoint),
          size_(context.settings.size), tx_(size_, message_fill), rx_(size_, receive_fill) {}

    ipcmark_status begin_send(std::uint8_t*& payload) noexcept {
        payload = tx_.data();
        return IPCMARK_OK;
    }
    ipcmark_status end_send() noexcept { return send_(endpoint_, tx_.data(), size_); }

    ipcmark_status begin_recv(const std::uint8_t*& payload, std::size_t& size) noexcept {
        payload = rx_.data();
        return recv_(endpoint_, rx_.data(), size_, &size);
    }
    ipcmark_status begin_recv_for_echo(const std::uint8_t*& payload, std::size_t& size) noexcept {
        return begin_recv(payload, size);
    }
    ipcmark_status end_recv() noexcept { return IPCMARK_OK; }
    // The last message stays here; null where it does not.
    [[nodiscard]] const std::uint8_t* last_received() const noexcept { return rx_.data(); }

    ipcmark_status echo(const std::uint8_t* payload, std::size_t size) noexcept {
        return send_(endpoint_, payload, size);
    }

private:
    ipcmark_status (*send_)(ipcmark_endpoint*, const void*, std::size_t);
    ipcmark_status (*recv_)(ipcmark_endpoint*, void*, std::size_t, std::size_t*);
    ipcmark_endpoint* endpoint_;
    std::size_t size_;
    MessageBuffer tx_;
    MessageBuffer rx_;
};

// The loan extension. The sender writes the whole message in place and the receiver looks at every cache line of it in
// place: without that a message would cost the same at any size, and "zero copy" would mean that nothing was moved.
class DirectPort {
public:
    explicit DirectPort(const LoopContext& context)
        : loan_(context.calls.loan), endpoint_(context.endpoint), size_(context.settings.size) {}

    ipcmark_status begin_send(std::uint8_t*& payload) noexcept {
        ipcmark_loan loan{};
        const ipcmark_status status = loan_->loan(endpoint_, size_, &loan);
        if (status != IPCMARK_OK) [[unlikely]]
            return status;
        loan_token_ = loan.token;
        payload = static_cast<std::uint8_t*>(loan.data);
        std::memset(payload, message_fill, size_);
        return IPCMARK_OK;
    }
    ipcmark_status end_send() noexcept { return loan_->commit(endpoint_, loan_token_, size_); }

    ipcmark_status begin_recv(const std::uint8_t*& payload, std::size_t& size) noexcept {
        const ipcmark_status status = begin_recv_for_echo(payload, size);
        if (status != IPCMARK_OK) [[unlikely]]
            return status;
        std::uint8_t sum = 0;
        // One of another size is counted as damaged, and what it says of itself is not believed.
        const std::size_t readable = size == size_ ? size_ : 0;
        for (std::size_t at = 0; at < readable; at += 64)
            sum = static_cast<std::uint8_t>(sum + *static_cast<const volatile std::uint8_t*>(payload + at));
        seen_ = sum;
        return IPCMARK_OK;
    }
    // The echo itself reads all of it.
    ipcmark_status begin_recv_for_echo(const std::uint8_t*& payload, std::size_t& size) noexcept {
        ipcmark_taken taken{};
        const ipcmark_status status = loan_->take(endpoint_, &taken);
        if (status != IPCMARK_OK) [[unlikely]]
            return status;
        taken_token_ = taken.token;
        payload = static_cast<const std::uint8_t*>(taken.data);
        size = taken.size;
        return IPCMARK_OK;
    }
    ipcmark_status end_recv() noexcept { return loan_->release(endpoint_, taken_token_); }
    [[nodiscard]] static const std::uint8_t* last_received() noexcept { return nullptr; }

    ipcmark_status echo(const std::uint8_t* payload, std::size_t size) noexcept {
        ipcmark_loan loan{};
        const ipcmark_status status = loan_->loan(endpoint_, size, &loan);
        if (status != IPCMARK_OK) [[unlikely]]
            return status;
        std::memcpy(loan.data, payload, size);
        return loan_->commit(endpoint_, loan.token, size);
    }

private:
    const ipcmark_ext_loan* loan_;
    ipcmark_endpoint* endpoint_;
    std::size_t size_;
    std::uint64_t loan_token_ = 0;
    std::uint64_t taken_token_ = 0;
    volatile std::uint8_t seen_ = 0;
};

} // namespace ipcmark

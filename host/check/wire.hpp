// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/context.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ipcmark::check {

using Bytes = std::vector<std::byte>;

// The content of message number `sequence`: the number in the first bytes, then bytes that depend on all of number,
// size and position, so that a message that is cut, shifted, mixed or stale is recognised.
void fill(std::span<std::byte> message, std::uint64_t sequence);
[[nodiscard]] Bytes message(std::uint64_t sequence, std::size_t size);
// The sequence number in a message of 8 bytes or more.
[[nodiscard]] std::uint64_t sequence_of(std::span<const std::byte> message);
// Ends the test unless this is message number `sequence` of the size `size`; tells lost, doubled and reordered messages
// from damaged ones.
void verify(Context& context, std::span<const std::byte> got, std::uint64_t sequence, std::size_t size);
// Whether it is; for tests that count.
[[nodiscard]] bool is_intact(std::span<const std::byte> got, std::uint64_t sequence);

// An endpoint with the calls that most tests make of it. Failures end the test.
class Wire {
public:
    Wire(Context& context, EndpointHandle endpoint) : context_(&context), endpoint_(std::move(endpoint)) {}

    [[nodiscard]] ipcmark_endpoint* get() const noexcept { return endpoint_.get(); }
    [[nodiscard]] Context& context() const noexcept { return *context_; }
    void close() { endpoint_.reset(); }

    [[nodiscard]] ipcmark_status try_send(std::span<const std::byte> data);
    [[nodiscard]] ipcmark_status try_recv(std::span<std::byte> into, std::size_t& size);
    void send(std::span<const std::byte> data);
    // Returns the part of `into` that the message fills.
    std::span<const std::byte> recv(std::span<std::byte> into);

    void send_message(std::uint64_t sequence, std::size_t size);
    void recv_message(std::uint64_t sequence, std::size_t size);
    void interrupt(ipcmark_status status) {
        const Step step("interrupt");
        context_->table().interrupt(endpoint_.get(), status);
    }

private:
    Context* context_;
    EndpointHandle endpoint_;
    Bytes buffer_;
};

} // namespace ipcmark::check

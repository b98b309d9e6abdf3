// SPDX-License-Identifier: Apache-2.0
#include "host/check/wire.hpp"

#include <cstring>

#include <fmt/format.h>

namespace ipcmark::check {
namespace {

std::uint64_t mix(std::uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9U;
    x ^= x >> 27;
    return x;
}

std::uint64_t word(std::uint64_t sequence, std::uint64_t size, std::uint64_t position) {
    return position == 0 ? sequence : mix(sequence * 0x9e3779b97f4a7c15U + size * 31 + position);
}

std::size_t first_difference(std::span<const std::byte> got, std::uint64_t sequence) {
    for (std::size_t at = 0; at < got.size(); at += sizeof(std::uint64_t)) {
        const auto wanted = word(sequence, got.size(), at / sizeof(std::uint64_t));
        const auto length = std::min(sizeof wanted, got.size() - at);
        if (std::memcmp(got.data() + at, &wanted, length) != 0) {
            const auto* bytes = reinterpret_cast<const std::byte*>(&wanted);
            std::size_t within = 0;
            while (got[at + within] == bytes[within]) {
                ++within;
            }
            return at + within;
        }
    }
    return got.size();
}

} // namespace

void fill(std::span<std::byte> message, std::uint64_t sequence) {
    for (std::size_t at = 0; at < message.size(); at += sizeof(std::uint64_t)) {
        const auto value = word(sequence, message.size(), at / sizeof(std::uint64_t));
        std::memcpy(message.data() + at, &value, std::min(sizeof value, message.size() - at));
    }
}

Bytes message(std::uint64_t sequence, std::size_t size) {
    Bytes bytes(size);
    fill(bytes, sequence);
    return bytes;
}

std::uint64_t sequence_of(std::span<const std::byte> message) {
    std::uint64_t sequence = 0;
    std::memcpy(&sequence, message.data(), std::min(sizeof sequence, message.size()));
    return sequence;
}

bool is_intact(std::span<const std::byte> got, std::uint64_t sequence) {
    return first_difference(got, sequence) == got.size();
}

void verify(Context& context, std::span<const std::byte> got, std::uint64_t sequence, std::size_t size) {
    if (got.size() != size) {
        fail(fmt::format("message {} was sent with {} bytes and arrived with {}", sequence, size, got.size()));
    }
    // A loopback that only measures the harness may move no more than the stamp.
    const auto checked = context.is_loopback() ? got.first(std::min<std::size_t>(got.size(), 8)) : got;
    if (context.is_loopback() ? sequence_of(checked) == sequence || size < 8 : is_intact(got, sequence)) {
        return;
    }
    if (size >= sizeof(std::uint64_t) && sequence_of(got) != sequence && is_intact(got, sequence_of(got))) {
        const auto other = sequence_of(got);
        fail(fmt::format("message {} came where message {} is due: {}", other, sequence,
                         other < sequence ? "doubled, stale or reordered" : "lost or reordered"));
    }
    fail(fmt::format("message {} of {} bytes is damaged from byte {} on", sequence, size,
                     first_difference(got, sequence)));
}

ipcmark_status Wire::try_send(std::span<const std::byte> data) {
    Sandbox::step("send");
    const auto status = context_->table().send(endpoint_.get(), data.data(), data.size());
    Context::in_set(status, "send");
    Sandbox::progress();
    if (status == IPCMARK_WOULD_BLOCK) {
        fail("send returned would_block, which is never right: it waits");
    }
    return status;
}

ipcmark_status Wire::try_recv(std::span<std::byte> into, std::size_t& size) {
    Sandbox::step("recv");
    const auto status = context_->table().recv(endpoint_.get(), into.data(), into.size(), &size);
    Context::in_set(status, "recv");
    Sandbox::progress();
    if (status == IPCMARK_WOULD_BLOCK) {
        fail("recv returned would_block, which is never right: it waits, and a dead peer is peer_gone");
    }
    if (status == IPCMARK_OK && size > into.size()) {
        fail(fmt::format("recv gave a size of {} with a capacity of {}", size, into.size()));
    }
    return status;
}

void Wire::send(std::span<const std::byte> data) {
    context_->expect(try_send(data), IPCMARK_OK, get(), fmt::format("send of {} bytes", data.size()));
}

std::span<const std::byte> Wire::recv(std::span<std::byte> into) {
    std::size_t size = 0;
    context_->expect(try_recv(into, size), IPCMARK_OK, get(), "recv");
    return std::span<const std::byte>(into).first(size);
}

void Wire::send_message(std::uint64_t sequence, std::size_t size) {
    buffer_.resize(std::max(buffer_.size(), size));
    const auto part = std::span(buffer_).first(size);
    fill(part, sequence);
    send(part);
}

void Wire::recv_message(std::uint64_t sequence, std::size_t size) {
    // A little more room than needed, so that a message that is too long is seen as such.
    buffer_.resize(std::max(buffer_.size(), size + 64));
    verify(*context_, recv(std::span(buffer_).first(size + 64)), sequence, size);
}

} // namespace ipcmark::check

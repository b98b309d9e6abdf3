// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ipcmark {

// What a message carries: its send stamp and sequence number in the first 16 bytes, and the sequence number again in
// the last 8 where there is room for both, so that a message that was cut, mixed or not moved at all is found out.
// Shorter messages carry the low bits of the sequence number only; their stamps go through the stamp ring in shared
// memory. The highest bit marks the message that ends a run. All other bytes are message_fill.
inline constexpr std::size_t envelope_bytes = 16;
inline constexpr std::size_t tailed_bytes = 24;
// Set in the sequence number of the message that ends a run.
inline constexpr std::uint64_t end_flag = std::uint64_t{1} << 63;
inline constexpr std::uint8_t message_fill = 0xA5;
// What receiving memory holds before: a part of a message that never came is not message_fill.
inline constexpr std::uint8_t receive_fill = 0x5A;

// How many low bits of the sequence number a short message carries, below its end mark. One byte shows a loss of
// anything but a multiple of 128.
constexpr unsigned short_sequence_bits(std::size_t size) noexcept {
    return static_cast<unsigned>(8 * std::min<std::size_t>(size, 8) - 1);
}

[[gnu::always_inline]] inline void write_envelope(std::uint8_t* payload, std::size_t size, std::uint64_t stamp,
                                                  std::uint64_t sequence) noexcept {
    if (size >= envelope_bytes) [[likely]] {
        std::memcpy(payload, &stamp, 8);
        std::memcpy(payload + 8, &sequence, 8);
        if (size >= tailed_bytes) [[likely]]
            std::memcpy(payload + size - 8, &sequence, 8);
    } else {
        const unsigned bits = short_sequence_bits(size);
        const std::uint64_t low = sequence & ((std::uint64_t{1} << bits) - 1);
        const std::uint64_t carried = low | (sequence >> 63 << bits);
        std::memcpy(payload, &carried, std::min<std::size_t>(size, 8));
    }
}

inline std::uint64_t read_stamp(const std::uint8_t* payload) noexcept {
    std::uint64_t stamp;
    std::memcpy(&stamp, payload, 8);
    return stamp;
}

// Of a message of at least envelope_bytes.
inline std::uint64_t read_sequence(const std::uint8_t* payload) noexcept {
    std::uint64_t sequence;
    std::memcpy(&sequence, payload + 8, 8);
    return sequence;
}

// What a shorter message carries: the low bits of the sequence number, and the end mark above them.
inline std::uint64_t read_short(const std::uint8_t* payload, std::size_t size) noexcept {
    std::uint64_t carried = 0;
    std::memcpy(&carried, payload, std::min<std::size_t>(size, 8));
    return carried;
}

// The sequence number of a shorter message: the one with these low bits that is nearest to the expected one.
inline std::uint64_t read_short_sequence(const std::uint8_t* payload, std::size_t size,
                                         std::uint64_t expected) noexcept {
    const unsigned bits = short_sequence_bits(size);
    const std::uint64_t ahead = (read_short(payload, size) - expected) & ((std::uint64_t{1} << bits) - 1);
    const std::uint64_t behind = (std::uint64_t{1} << bits) - ahead;
    return ahead >= std::uint64_t{1} << (bits - 1) && behind <= expected ? expected - behind : expected + ahead;
}

// Whether the message ends the run.
inline bool has_end_mark(const std::uint8_t* payload, std::size_t size) noexcept {
    if (size >= envelope_bytes) [[likely]]
        return (read_sequence(payload) & end_flag) != 0;
    return read_short(payload, size) >> short_sequence_bits(size) != 0;
}

inline bool tail_matches(const std::uint8_t* payload, std::size_t size, std::uint64_t sequence) noexcept {
    return size < tailed_bytes || std::memcmp(payload + size - 8, &sequence, 8) == 0;
}

// Whether the two ends of a message belong together, as far as it has two. For one message of a run: apart from what is
// done with each.
[[gnu::cold, gnu::noinline]] inline bool is_whole(const std::uint8_t* payload, std::size_t size) noexcept {
    return size < tailed_bytes || tail_matches(payload, size, read_sequence(payload));
}

// Whether all bytes that carry nothing are as they were sent. Takes time with the size: not for the measured window.
inline bool body_intact(const std::uint8_t* payload, std::size_t size) noexcept {
    return size < tailed_bytes || std::all_of(payload + envelope_bytes, payload + size - 8,
                                              [](std::uint8_t byte) { return byte == message_fill; });
}

// Whether a reply is the echo of the message sent: same size, stamp and sequence number, at both ends of it.
[[gnu::always_inline]] inline bool is_echo(const std::uint8_t* payload, std::size_t size, std::size_t sent_size,
                                           std::uint64_t stamp, std::uint64_t sequence) noexcept {
    if (size != sent_size) [[unlikely]]
        return false;
    if (size >= envelope_bytes) [[likely]]
        return read_sequence(payload) == sequence && read_stamp(payload) == stamp &&
               tail_matches(payload, size, sequence);
    return read_short(payload, size) == (sequence & ((std::uint64_t{1} << short_sequence_bits(size)) - 1));
}

} // namespace ipcmark

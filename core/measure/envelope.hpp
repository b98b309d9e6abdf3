// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ipcmark {

// What a message carries: its send stamp and sequence number in the first 16 bytes, and the sequence number again in
// the last 8 where there is room for both, so that a message that was cut, mixed or not moved at all is found out.
// Shorter messages carry the low bytes of the sequence number only; their stamps go through the stamp ring in shared
// memory.
inline constexpr std::size_t envelope_bytes = 16;
inline constexpr std::size_t tailed_bytes = 24;
// Set in the sequence number of the message that ends a run.
inline constexpr std::uint64_t end_flag = std::uint64_t{1} << 63;

// The sequence number in two bytes less than a message has would repeat too early to see a loss; one byte shows a loss
// of anything but a multiple of 256.
inline std::uint64_t sequence_mask(std::size_t size) noexcept {
    return size >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * size)) - 1;
}

[[gnu::always_inline]] inline void write_envelope(std::uint8_t* payload, std::size_t size, std::uint64_t stamp,
                                                  std::uint64_t sequence) noexcept {
    if (size >= envelope_bytes) [[likely]] {
        std::memcpy(payload, &stamp, 8);
        std::memcpy(payload + 8, &sequence, 8);
        if (size >= tailed_bytes) [[likely]]
            std::memcpy(payload + size - 8, &sequence, 8);
    } else {
        std::memcpy(payload, &sequence, std::min<std::size_t>(size, 8));
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

// The low bytes of the sequence number in a shorter message.
inline std::uint64_t read_short_sequence(const std::uint8_t* payload, std::size_t size) noexcept {
    std::uint64_t sequence = 0;
    std::memcpy(&sequence, payload, std::min<std::size_t>(size, 8));
    return sequence;
}

inline bool tail_matches(const std::uint8_t* payload, std::size_t size, std::uint64_t sequence) noexcept {
    return size < tailed_bytes || std::memcmp(payload + size - 8, &sequence, 8) == 0;
}

// Whether a reply is the echo of the message sent: same size, stamp and sequence number, at both ends of it.
[[gnu::always_inline]] inline bool is_echo(const std::uint8_t* payload, std::size_t size, std::size_t sent_size,
                                           std::uint64_t stamp, std::uint64_t sequence) noexcept {
    if (size != sent_size) [[unlikely]]
        return false;
    if (size >= envelope_bytes) [[likely]]
        return read_sequence(payload) == sequence && read_stamp(payload) == stamp &&
               tail_matches(payload, size, sequence);
    return ((read_short_sequence(payload, size) ^ sequence) & sequence_mask(size)) == 0;
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ipcmark::shm {

// Two cache lines: the adjacent-line prefetcher of x86 fetches pairs, and aarch64 has lines of 128 bytes.
inline constexpr std::size_t line = 128;

// One side's wish to be woken about one thing. Written by the side that sleeps, read by the other after each step.
struct alignas(line) Bell {
    enum : std::uint32_t { awake = 0, sleeping = 1, polling = 2 };
    std::atomic<std::uint32_t> armed; // also the futex word
    // 1: the sleeper's barrier is a membarrier, which counts for both sides, or it never sleeps: who rings needs none.
    std::atomic<std::uint32_t> one_sided;
};

// What both sides know about one direction, apart from the messages.
struct Channel {
    alignas(line) std::atomic<std::uint64_t> consumed; // bytes of the ring that the receiver gave back, since the start
    Bell data;                                         // the receiver waits for a message
    Bell room;                                         // the sender waits for room
};

// The first page of the shared memory.
struct Control {
    Channel channels[2]; // 0: from the connecting side to the accepting one
    // The side's process takes part in MEMBARRIER_CMD_GLOBAL_EXPEDITED. 0: the connecting side.
    struct alignas(line) Side {
        std::atomic<std::uint32_t> expedited;
    } sides[2];
};
static_assert(sizeof(Control) <= 4096);
static_assert(std::is_trivially_destructible_v<Control>);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<std::uint32_t>::is_always_lock_free);

// Where things are in the shared memory. Chosen by the connecting side and told in its greeting, so that nothing the
// peer writes into the memory later can move a ring.
struct Layout {
    struct Ring {
        std::uint64_t offset;   // of its first byte in the memory
        std::uint64_t capacity; // bytes between the first header and the end; a multiple of `granule`
        std::uint64_t granule;  // records begin at multiples of it: 16 or 64
        std::uint64_t slot;     // 0: a ring of records; else one of slots of this many bytes, `capacity` a multiple
    };
    std::uint64_t total; // bytes of the memory
    std::uint64_t page;  // its page size
    Ring rings[2];       // as Control::channels
};

// A header is the 8 bytes before a payload; the first one is so placed that payloads are aligned to the granule.
inline constexpr std::uint64_t header_size = 8;
inline constexpr std::uint64_t largest_granule = 64;
inline constexpr std::uint64_t ring_lead = largest_granule - header_size;

// A slot's header is 16 bytes: how much the sender has taken from the other direction, then the header proper.
inline constexpr std::uint64_t slot_header_size = 2 * header_size;

// Bytes of a ring's memory before the first header. The payload of a slot of more than one line begins with a line; in
// one of a single line it comes after the header.
constexpr std::uint64_t lead_of(std::uint64_t slot) noexcept {
    return slot == largest_granule ? header_size : ring_lead;
}

// Bytes of the ring that a slot for this payload takes: whole lines, no two slots share one. The header has its own
// where the payload does not fit beside it.
constexpr std::uint64_t slot_for(std::uint64_t payload) noexcept {
    constexpr auto granule = largest_granule;
    return payload + slot_header_size <= granule ? granule : (payload + granule - 1) / granule * granule + granule;
}

// Bytes of the ring that a record with this payload takes.
constexpr std::uint64_t stride_of(std::uint64_t payload, std::uint64_t granule) noexcept {
    return (payload + header_size + granule - 1) & ~(granule - 1);
}

} // namespace ipcmark::shm

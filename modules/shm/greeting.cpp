// SPDX-License-Identifier: Apache-2.0
#include "greeting.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace ipcmark::shm {
namespace {

// Longer messages cross in pieces of this size, so that the receiver copies the first piece out while the sender copies
// the second one in, and what both touch stays in the caches.
constexpr std::uint64_t piece_size = 16 * 1024;
// A stream fills its ring. In one larger than the second-level caches (1 or 2 MiB where this was measured), what the
// receiver reads has left the sender's own cache for the shared one, from which it comes several times as fast.
constexpr std::uint64_t largest_stream_ring = 4 * 1024 * 1024;
// What the rings of all endpoints take together, in one direction.
struct Shares {
    std::uint64_t all;
    std::uint64_t least;         // of one endpoint
    std::uint64_t least_records; // that it holds, whatever that takes
};
// A thread for each endpoint that finds its ring empty or full sleeps: rings are as large as they can be while all of
// them stay in the shared cache (16 to 32 MiB where this was measured), without which a stream is half as fast.
constexpr Shares shares_of_threads{16 * 1024 * 1024, 64 * 1024, 256};
// One thread that polls all endpoints goes on with the next one instead, and what all of them take together is what it
// goes through again and again: half of it gave a third more of what CPUs near each other can do. Rings that are
// smaller still gain them little, and cost CPUs that share no cache much, which sleep more.
constexpr Shares shares_of_polled{8 * 1024 * 1024, 64 * 1024, 128};
// Where the host keeps few bytes under way, a ring of no more than that: the same lines are used again and again and
// stay in the first-level caches. Larger ones gain nothing from it.
constexpr std::uint64_t largest_tight_ring = 16 * 1024;
constexpr std::uint64_t control_size = 4096;
// Where a chosen ring has room for an unknown number of messages under way.
constexpr std::uint64_t messages_if_unknown = 2;

std::uint64_t round_up(std::uint64_t value, std::uint64_t to) {
    return (value + to - 1) / to * to;
}

struct Records {
    std::uint64_t granule;
    std::uint64_t piece;       // longest payload of a record
    std::uint64_t per_message; // bytes of ring that the largest message takes
};

Records records_of(std::uint64_t fixed, std::uint64_t max, bool loaned) {
    const auto largest = fixed != 0 ? fixed : max;
    Records records{};
    // Small messages packed tightly share lines, which is what makes them fast; long copies like aligned ends.
    records.granule = largest >= 256 && (fixed != 0 || loaned) ? largest_granule : 16;
    records.piece = loaned ? largest : std::min(largest, piece_size);
    records.per_message = largest / records.piece * stride_of(records.piece, records.granule) +
                          stride_of(largest % records.piece, records.granule);
    return records;
}

// The least capacity with which `messages` are under way at once without waiting: the receiver gives back in steps of
// an eighth, a record that would cross the end begins at the start, and one header behind the last record is cleared.
std::uint64_t least_capacity(const Records& records, std::uint64_t messages) {
    const auto stride = stride_of(records.piece, records.granule);
    return round_up((messages * records.per_message + stride + records.granule) / 7 * 8 + 8, records.granule);
}

// Slots for messages of one size that may be under way at once, if they make a tight ring; 0 otherwise. A message that
// is read in place is given back after its answer was sent.
std::uint64_t slots_for(const kit::EndpointRequest& request, std::uint64_t fixed) {
    if (fixed == 0 || fixed > largest_tight_ring || request.in_flight == 0) {
        return 0;
    }
    const auto slots = std::uint64_t{request.in_flight} + (request.loaned() ? 1 : 0);
    return slots * slot_for(fixed) + largest_granule <= largest_tight_ring ? slots : 0;
}

// The size of a ring of records that nobody asked for.
std::uint64_t chosen_size(const Records& records, std::uint64_t in_flight, std::uint32_t endpoints,
                          const Shares& shares) {
    const auto least = least_capacity(records, in_flight != 0 ? in_flight : messages_if_unknown) + largest_granule;
    const bool tight = in_flight != 0 && least <= largest_tight_ring;
    const auto share = shares.all / std::max(endpoints, 1U) / largest_granule * largest_granule;
    const auto enough = std::max(shares.least, shares.least_records * stride_of(records.piece, records.granule));
    return tight ? least : std::max(std::min(std::max(share, enough), largest_stream_ring), least);
}

bool is_sound(const Layout::Ring& ring, std::uint64_t total) {
    return (ring.granule == 16 || ring.granule == largest_granule) && ring.offset % largest_granule == 0 &&
           ring.capacity % ring.granule == 0 && ring.capacity < total && ring.offset < total &&
           ring.offset + largest_granule + ring.capacity <= total;
}

bool holds_records(const Layout::Ring& ring, std::uint64_t piece) {
    return piece != 0 && piece < ring.capacity && 2 * stride_of(piece, ring.granule) + ring.granule <= ring.capacity;
}

bool holds_slots(const Layout::Ring& ring, std::uint64_t piece, std::uint64_t fixed) {
    return piece != 0 && piece == fixed && piece <= largest_tight_ring && ring.slot == slot_for(piece) &&
           ring.capacity != 0 && ring.capacity % ring.slot == 0;
}

} // namespace

Greeting plan(const kit::EndpointRequest& request, const Settings& settings, std::uint32_t endpoints) {
    if (request.max_message_size > largest_message ||
        request.in_flight > (std::uint64_t{1} << 56) / request.max_message_size) {
        throw kit::Error(IPCMARK_NO_MEMORY, "messages of " + std::to_string(request.max_message_size) + " bytes, " +
                                                std::to_string(request.in_flight) +
                                                " under way, are more than any memory holds");
    }
    Greeting greeting;
    greeting.flags = request.flags;
    greeting.max_message_size = request.max_message_size;
    greeting.fixed_size[0] = request.tx_fixed_size;
    greeting.fixed_size[1] = request.rx_fixed_size;
    auto& layout = greeting.layout;
    layout.page = page_size(settings.pages);
    layout.total = control_size;
    for (int i = 0; i < 2; ++i) {
        const auto records = records_of(greeting.fixed_size[i], greeting.max_message_size, request.loaned());
        auto& ring = layout.rings[i];
        greeting.piece[i] = records.piece;
        ring.granule = records.granule;
        ring.offset = layout.total;
        auto bytes = settings.buffer_size;
        if (const auto slots = slots_for(request, greeting.fixed_size[i]); bytes == 0 && slots != 0) {
            ring.slot = slot_for(greeting.fixed_size[i]);
            ring.granule = largest_granule;
            bytes = slots * ring.slot + largest_granule;
        } else if (bytes == 0) {
            bytes = chosen_size(records, request.in_flight, endpoints,
                                request.polled() ? shares_of_polled : shares_of_threads);
        } else {
            // More than one message must be in the ring at once only if the host says so; a copied one never as a
            // whole.
            const auto least = request.in_flight > 1 ? least_capacity(records, request.in_flight)
                                                     : 2 * stride_of(records.piece, records.granule) + records.granule;
            if (bytes < least + largest_granule) {
                if (request.loaned() || request.in_flight > 1) {
                    throw kit::Error(IPCMARK_BAD_ARGUMENT, "buffer-size " + std::to_string(bytes) +
                                                               " does not hold the messages under way; give "
                                                               "at least " +
                                                               std::to_string(least + largest_granule) +
                                                               ", or 0 to have it chosen");
                }
                // A small ring takes smaller pieces.
                greeting.piece[i] = bytes / 4;
            }
        }
        ring.capacity = (bytes - largest_granule) / ring.granule * ring.granule;
        layout.total += round_up(bytes, page_size(Pages::base));
    }
    layout.total = round_up(layout.total, layout.page);
    return greeting;
}

Greeting read_greeting(std::span<const std::byte> payload, const kit::EndpointRequest& request) {
    Greeting greeting;
    if (payload.size() != sizeof greeting) {
        throw kit::Error(IPCMARK_SYSTEM, "the peer's greeting is not that of this module's version");
    }
    std::memcpy(&greeting, payload.data(), sizeof greeting);
    if (greeting.version != Greeting{}.version) {
        throw kit::Error(IPCMARK_SYSTEM, "the peer's greeting is not that of this module's version");
    }
    if (greeting.max_message_size != request.max_message_size || greeting.fixed_size[0] != request.rx_fixed_size ||
        greeting.fixed_size[1] != request.tx_fixed_size || greeting.flags != request.flags) {
        throw kit::Error(IPCMARK_BAD_ARGUMENT,
                         "the two sides were given different parameters: the peer messages of up to " +
                             std::to_string(greeting.max_message_size) + " bytes and flags " +
                             std::to_string(greeting.flags) + ", this side " +
                             std::to_string(request.max_message_size) + " and " + std::to_string(request.flags));
    }
    auto least_offset = control_size;
    for (int i = 0; i < 2; ++i) {
        const auto& ring = greeting.layout.rings[i];
        if (ring.offset < least_offset || !is_sound(ring, greeting.layout.total) ||
            !(ring.slot == 0 ? holds_records(ring, greeting.piece[i])
                             : holds_slots(ring, greeting.piece[i], greeting.fixed_size[i]))) {
            throw kit::Error(IPCMARK_SYSTEM, "the peer's plan of the shared memory is not sound");
        }
        least_offset = ring.offset + largest_granule + ring.capacity;
    }
    return greeting;
}

std::uint64_t memory_for(std::uint64_t message_size, std::uint32_t endpoints) {
    if (message_size > largest_message) {
        return UINT64_MAX;
    }
    const auto records = records_of(0, message_size, true);
    return control_size + 2 * std::max(chosen_size(records, 0, endpoints, shares_of_threads),
                                       chosen_size(records, 0, endpoints, shares_of_polled));
}

std::uint64_t memory_of_rings(std::uint64_t buffer_size) {
    constexpr auto most = std::uint64_t{1} << 62; // with two of them and all that is rounded it is still a number
    if (buffer_size > most) {
        return UINT64_MAX;
    }
    return control_size + 2 * round_up(buffer_size, page_size(Pages::base));
}

std::uint64_t messages_in_ring(std::uint64_t buffer_size, std::uint64_t message_size) {
    const auto records = records_of(message_size, message_size, false);
    std::uint64_t fit = 1; // a larger message crosses in pieces
    for (auto step = buffer_size / records.per_message; step != 0; step /= 2) {
        while (least_capacity(records, fit + step) + largest_granule <= buffer_size) {
            fit += step;
        }
    }
    return fit;
}

} // namespace ipcmark::shm

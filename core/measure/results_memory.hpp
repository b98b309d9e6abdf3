// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/clock.hpp"

#include <ipcmark/histogram.hpp>
#include <ipcmark/module.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ipcmark {

// The memory in which workers leave their results: a memfd of the coordinator, mapped by both workers, so that progress
// is read live and what was measured survives a worker that crashes. Everything in it is plain data of fixed size.

inline constexpr std::size_t line_bytes = 128; // two cache lines: adjacent-line prefetchers pull both

enum class Phase : std::uint32_t { starting = 0, warming, measuring, finished };
enum class Role : std::uint32_t { server = 0, client = 1 };

[[nodiscard]] constexpr const char* role_name(Role role) noexcept {
    return role == Role::server ? "server" : "client";
}

// One received sample for the streaming outputs.
struct RingSample {
    std::uint64_t tick;
    std::uint64_t sequence;
    std::uint64_t latency_ns;
};

// What a stamp of a message shorter than the envelope is passed in, and the samples for the streaming outputs.
inline constexpr std::size_t stamp_ring_entries = std::size_t{1} << 16;
inline constexpr std::size_t sample_ring_entries = std::size_t{1} << 18;

// Of a figure that the kernel does not show, or that nobody has written.
inline constexpr std::uint64_t not_known = UINT64_MAX;

// Resources that one thread used between two moments.
struct UsageRecord {
    std::uint64_t cpu_time_ns;  // exact
    std::uint64_t user_time_ns; // these two as the kernel samples them, some milliseconds apart
    std::uint64_t system_time_ns;
    std::uint64_t run_delay_ns; // ready to run, and without a CPU; or not_known
    std::uint64_t voluntary_switches;
    std::uint64_t involuntary_switches;
    std::uint64_t migrations; // or not_known
};

// Messages that a thread moved while it was on a CPU; none: the entry is free.
struct CpuMessages {
    std::uint64_t cpu;
    std::uint64_t messages; // sent and received
};

// Sums of one histogram, kept beside its counts.
struct HistogramSums {
    std::uint64_t min_ns;
    std::uint64_t max_ns;
    std::uint64_t sum_ns; // modulo 2^64: whole_sum_ns()
};

// One side of one endpoint. Written by the thread that drives it, read by the coordinator at any time.
struct alignas(line_bytes) Slot {
    // Hot: one store a message, no read-modify-write shared with anybody.
    std::atomic<std::uint64_t> sent;     // measured messages
    std::atomic<std::uint64_t> received; // measured messages
    std::atomic<std::uint64_t> consumed; // messages taken by this side, warm-up included
    std::atomic<std::uint64_t> first_send_tick;
    std::atomic<std::uint64_t> last_receive_tick;
    std::atomic<std::uint64_t> last_send_tick; // open loop: when the last message was begun
    HistogramSums latency;
    HistogramSums uncorrected;
    std::atomic<std::uint64_t> samples_head; // written by the driving thread
    std::atomic<std::uint64_t> samples_dropped;

    alignas(line_bytes) std::atomic<std::uint64_t> samples_tail; // written by the coordinator

    alignas(line_bytes) std::atomic<Phase> phase;
    std::uint64_t lost;
    std::uint64_t duplicated;
    std::uint64_t reordered;
    std::uint64_t corrupted;
    std::uint64_t backwards;          // receive stamps before their send stamps
    std::uint64_t empty_window_ticks; // round trip: time in send delays, with nothing of this endpoint under way
    std::uint64_t warmup_left;        // one-way: messages of the warm-up that had not arrived when measuring began
    UsageRecord usage;
    std::array<std::uint64_t, 16> cpus_used;     // bit set of CPU numbers 0..1023
    std::array<CpuMessages, 32> messages_by_cpu; // of the first CPUs that it was on
    std::uint64_t max_resident_bytes;            // of the whole worker
    std::atomic<std::uint32_t> broken;           // not 0: the loop has ended by a fault, and the others need not go on

    // Open loop: the planned send tick of the first measured message; set by the client before it sends that message.
    alignas(line_bytes) std::atomic<std::uint64_t> plan_base_tick;

    // How the loop has ended, as soon as it has. Whatever comes of an end elsewhere is no fault here.
    void note_end(ipcmark_status status) noexcept {
        if (status != IPCMARK_OK && status != IPCMARK_CANCELLED && status != IPCMARK_PEER_GONE)
            broken.store(1, std::memory_order_relaxed);
    }
};

// What all places in the memory are computed from. Never changed once it is made.
struct ResultsShape {
    std::uint64_t total_bytes;
    std::uint32_t endpoints;
    std::uint32_t clock_kind;
    std::uint64_t ns_per_tick_q32;
    std::uint32_t has_uncorrected;
    std::uint32_t has_stamp_rings;
    std::uint32_t has_sample_rings;
    std::uint32_t shared_with_peer; // 1: both workers map this very memory

    bool operator==(const ResultsShape&) const = default;
};

struct alignas(line_bytes) ResultsHeader : ResultsShape {
    // Set by the coordinator to end the measurement early.
    alignas(line_bytes) std::atomic<std::uint32_t> stop;
};

struct ResultsLayout {
    std::uint32_t endpoints = 1;
    bool uncorrected = false;
    bool stamp_rings = false;
    bool sample_rings = false;
    bool shared_with_peer = true;
};

// A mapping of the memory; owns the descriptor (if it made it) and the mapping. Not copyable. Pages are only backed
// where touched: a histogram that saw values in ten buckets takes a few pages.
//
// A worker runs a module, which may write anything anywhere: the memory cannot be made smaller, and where something is
// in it is computed from a copy of the shape that no other process can reach.
class ResultsMemory {
public:
    // A new memfd, zeroed, with the minima set to their neutral value and migrations not known. Throws RunError.
    static ResultsMemory create(const ResultsLayout& layout, const RunClock& clock);
    // Maps one made by create(), checking its header against its size. Takes the descriptor over.
    static ResultsMemory open(int descriptor);

    ResultsMemory(ResultsMemory&& other) noexcept;
    ResultsMemory& operator=(ResultsMemory&& other) noexcept;
    ResultsMemory(const ResultsMemory&) = delete;
    ResultsMemory& operator=(const ResultsMemory&) = delete;
    ~ResultsMemory();

    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    [[nodiscard]] ResultsHeader& header() const noexcept { return *header_; }
    [[nodiscard]] const ResultsShape& shape() const noexcept { return shape_; }
    // Whether the shape in the memory is still what it was made with; if not, somebody wrote over it.
    [[nodiscard]] bool intact() const noexcept { return *header_ == shape_; }
    [[nodiscard]] TickScale scale() const noexcept { return TickScale{shape_.ns_per_tick_q32}; }
    [[nodiscard]] Slot& slot(Role role, unsigned endpoint) const noexcept;
    [[nodiscard]] std::span<std::uint64_t> counts(Role role, unsigned endpoint) const noexcept;
    // Empty if the run is not open loop.
    [[nodiscard]] std::span<std::uint64_t> uncorrected_counts(Role role, unsigned endpoint) const noexcept;
    // A copy of either. To look at a mapped page that nobody has touched makes one, 261 KB for an endpoint: this does
    // not. Throws RunError where the kernel does not read.
    [[nodiscard]] std::vector<std::uint64_t> copy_of(std::span<const std::uint64_t> counts) const;
    // Empty unless messages are shorter than the envelope.
    [[nodiscard]] std::span<std::atomic<std::uint64_t>> stamps(unsigned endpoint) const noexcept;
    // Empty unless there are streaming outputs. Filled by whoever records the latency of that endpoint.
    [[nodiscard]] std::span<RingSample> samples(unsigned endpoint) const noexcept;

private:
    ResultsMemory(int descriptor, void* address, std::size_t bytes) noexcept;
    template <class T> [[nodiscard]] T* at(std::size_t offset) const noexcept;
    [[nodiscard]] std::size_t slot_number(Role role, unsigned endpoint) const noexcept;

    int descriptor_ = -1;
    ResultsHeader* header_ = nullptr;
    std::size_t bytes_ = 0;
    ResultsShape shape_{};
};

} // namespace ipcmark

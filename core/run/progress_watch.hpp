// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/results_memory.hpp"
#include "run/worker_job.hpp"

#include <ipcmark/run.hpp>

#include <chrono>
#include <cstdint>

namespace ipcmark {

// How long nothing at all may move in a run of this job before it is taken to be stuck: half a minute, what may pass
// between two messages by the plan itself, and what the workers do with their memory before the first message and with
// every one, on a slow machine.
[[nodiscard]] std::chrono::nanoseconds stall_limit(const WorkerJob& job);

// Reads the live counters of a run: how far it is, whether it moves at all, and its best slice.
class ProgressWatch {
public:
    ProgressWatch(const ResultsMemory& memory, const WorkerJob& job);

    // Looks at the counters now. True if anything at all has moved since the last look, warm-up included.
    bool look();
    // Measured messages that have arrived (sent ones, where the arrivals are counted on another machine).
    [[nodiscard]] std::uint64_t messages() const noexcept { return messages_; }
    // Whether an endpoint has ended by a fault.
    [[nodiscard]] bool broken() const noexcept { return broken_; }
    [[nodiscard]] double peak_messages_per_second() const noexcept { return peak_; }
    // Since the first look that saw a measured message.
    [[nodiscard]] Progress progress() const;

private:
    using Clock = std::chrono::steady_clock;
    void follow_rate(Clock::time_point before, Clock::time_point now);

    const ResultsMemory& memory_;
    const WorkerJob& job_;
    std::uint64_t messages_ = 0;
    bool broken_ = false;
    std::uint64_t moved_ = 0; // sum of all counters, to see that something moves
    Clock::time_point begin_{};
    Clock::time_point slice_begin_{};
    std::uint64_t slice_messages_ = 0;
    double slice_rate_ = 0;
    double peak_ = 0;
};

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <barrier>
#include <cstddef>
#include <cstdint>

namespace ipcmark {

// Where the client's endpoints, each in a thread of its own, meet before they measure, and the moment from which all of
// them count: with one of their own each, an open loop's messages would be due at random distances from each other.
class StartLine {
public:
    explicit StartLine(unsigned endpoints) : barrier_(static_cast<std::ptrdiff_t>(endpoints)) {}

    // Waits for the others. `lead_ticks` after the tick at which the first one went on, the same for all.
    template <class Clock> std::uint64_t cross(std::uint64_t lead_ticks) {
        barrier_.arrive_and_wait();
        std::uint64_t begin = 0;
        const std::uint64_t own = Clock::now() + lead_ticks;
        return begin_tick_.compare_exchange_strong(begin, own, std::memory_order_relaxed) ? own : begin;
    }
    // For one that will not measure.
    void leave() { barrier_.arrive_and_drop(); }

private:
    std::barrier<> barrier_;
    std::atomic<std::uint64_t> begin_tick_ = 0;
};

} // namespace ipcmark

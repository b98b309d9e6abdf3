// SPDX-License-Identifier: Apache-2.0
#include "measure/harness_cost.hpp"

#include "measure/clock.hpp"
#include "measure/envelope.hpp"
#include "measure/recorder.hpp"
#include "measure/sequence_tracker.hpp"

#include <algorithm>
#include <array>

namespace ipcmark {
namespace {

double measure() {
    constexpr std::size_t rounds = 31;
    constexpr std::uint64_t messages = 64;
    WarmupRecorder warm(TickScale{}, false);
    Recorder& recorder = warm.recorder();
    SequenceTracker tracker(0);
    alignas(64) std::array<std::uint8_t, 64> message{};
    std::array<std::uint64_t, rounds> costs{};
    std::uint64_t sequence = 0;
    for (auto& cost : costs) {
        const std::uint64_t begin = MonotonicClock::now();
        for (std::uint64_t count = 0; count < messages; ++count, ++sequence) {
            write_envelope(message.data(), message.size(), sequence, sequence);
            asm volatile("" ::"r"(message.data()) : "memory");
            if (tail_matches(message.data(), message.size(), read_sequence(message.data())) &&
                tracker.arrived(read_sequence(message.data())))
                recorder.record(read_stamp(message.data()), sequence + 100 + sequence % 7, sequence);
        }
        cost = MonotonicClock::now() - begin;
    }
    std::nth_element(costs.begin(), costs.begin() + rounds / 2, costs.end());
    return static_cast<double>(costs[rounds / 2]) / static_cast<double>(messages);
}

} // namespace

double harness_cost_ns() {
    static const double cost = measure();
    return cost;
}

} // namespace ipcmark

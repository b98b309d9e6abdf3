// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/clock.hpp"
#include "measure/results_memory.hpp"
#include "result/streaming.hpp"

#include <cstdint>
#include <vector>

namespace ipcmark {

// Carries single samples from results memory to the streaming outputs while the run goes on.
class SampleDrain {
public:
    // `recording` is the role that records the latency. Keeps references.
    SampleDrain(ResultsMemory& memory, Role recording, const RunClock& clock, StreamingWriter& writer);
    // Takes what is there.
    void drain();
    [[nodiscard]] std::uint64_t dropped() const noexcept;

private:
    ResultsMemory& memory_;
    Role recording_;
    StreamingWriter& writer_;
    TickScale scale_;
    std::uint64_t origin_tick_; // one moment on the clock of the run
    std::uint64_t origin_ns_;   // and since the Unix epoch
    std::vector<Sample> batch_;
};

} // namespace ipcmark

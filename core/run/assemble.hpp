// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/clock.hpp"
#include "measure/results_memory.hpp"
#include "run/worker_job.hpp"

#include <ipcmark/document.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace ipcmark {

struct AssembleInput {
    const TestPlan* plan = nullptr;
    const WorkerJob* job = nullptr; // of the client
    Direction direction = Direction::one_way;
    const ResultsMemory* memory = nullptr;
    const RunClock* clock = nullptr;
    const ModuleIdentity* module = nullptr; // may be null
    double peak_messages_per_second = 0;
    std::vector<int> server_cpus;
    bool ended_early = false;
    std::uint64_t streaming_dropped = 0;
};

// Makes the result of one direction of what the workers left in results memory: all endpoints merged, the throughput of
// the window, the delivery counts, what the processors did, and the audit of all that.
[[nodiscard]] DirectionResult assemble_result(const AssembleInput& input);

} // namespace ipcmark

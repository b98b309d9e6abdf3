// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/assemble.hpp"

namespace ipcmark {

// The result of workers that left this memory, of messages of 64 bytes and with a clock whose tick is a nanosecond.
inline DirectionResult assembled(const ResultsMemory& memory, Direction direction, const TestPlan& plan = {},
                                 WorkerJob job = {}) {
    const RunClock clock;
    job.endpoints = memory.shape().endpoints;
    job.message_size = 64;
    AssembleInput input;
    input.plan = &plan;
    input.job = &job;
    input.direction = direction;
    input.memory = &memory;
    input.clock = &clock;
    input.server_cpus = plan.server_cpus;
    return assemble_result(input);
}

} // namespace ipcmark

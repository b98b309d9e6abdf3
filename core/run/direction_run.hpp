// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/clock.hpp"
#include "measure/results_memory.hpp"
#include "result/streaming.hpp"
#include "run/failure_cause.hpp"
#include "run/module_log.hpp"
#include "run/worker_job.hpp"
#include "run/worker_link.hpp"

#include <ipcmark/document.hpp>
#include <ipcmark/run.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace ipcmark {

// What came of one direction of a test.
struct DirectionOutcome {
    std::optional<DirectionResult> result; // also of a run that failed, if it had measured anything
    std::optional<std::string> failure;
    bool usage_error = false; // the failure is bad input, found by the module
    bool interrupted = false;
    std::optional<ModuleIdentity> module;
    std::vector<OptionValue> options;
    std::vector<Warning> warnings; // of what happened while it ran, where there is a result
};

struct DirectionRequest {
    const TestPlan* plan = nullptr;
    Direction direction = Direction::one_way;
    std::size_t test_index = 0;
    std::size_t test_count = 1;
    WorkerJob server_job;
    WorkerJob client_job;
    const RunClock* clock = nullptr;
    Observer* observer = nullptr;
    ModuleLog* module_log = nullptr;      // null: the modules' lines go to the observer as they are
    StreamingWriter* streaming = nullptr; // may be null
    std::stop_token stop;
    // Makes the server's worker; not set: a child of this process.
    std::function<std::unique_ptr<WorkerLink>(ResultsMemory&)> make_server;
};

// Runs one direction of one test on fresh workers and reads what they leave. Every way it can end is an outcome; throws
// only when nothing could be started (RunError).
[[nodiscard]] DirectionOutcome run_direction(const DirectionRequest& request);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/message_memory.hpp"
#include "run/worker_job.hpp"

#include <string>
#include <vector>

namespace ipcmark {

// Asks a worker process whether modules can do these jobs of clients (probe.hpp), and whether there is memory for their
// messages, so that no module's code ever runs in this process. Returns the objection to each job, empty where there is
// none. Throws RunError naming the module if it crashes or hangs over the question.
[[nodiscard]] std::vector<std::string> probe_modules(const std::vector<WorkerJob>& jobs, Sides sides);

} // namespace ipcmark

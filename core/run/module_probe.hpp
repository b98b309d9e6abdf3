// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/message_memory.hpp"
#include "run/worker_job.hpp"

#include <vector>

namespace ipcmark {

// Asks a worker process whether modules can do these jobs of clients (probe.hpp), and whether there is memory for their
// messages, so that no module's code ever runs in this process. Throws UsageError with the first objection; RunError
// naming the module if it crashes or hangs over the question.
void probe_modules(const std::vector<WorkerJob>& jobs, Sides sides);

} // namespace ipcmark

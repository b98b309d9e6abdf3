// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/worker_job.hpp"

#include <vector>

namespace ipcmark {

// Asks a worker process whether modules can do these jobs (probe.hpp), so that no module's code ever runs in this
// process. Throws UsageError with the first objection; RunError naming the module if it crashes or hangs over the
// question.
void probe_modules(const std::vector<WorkerJob>& jobs);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/message_memory.hpp"
#include "run/probe.hpp"
#include "run/worker_job.hpp"

#include <ipcmark/plan.hpp>

#include <stop_token>
#include <string>
#include <vector>

namespace ipcmark {

// Why a job cannot be done; no text: it can.
struct Objection {
    std::string text;
    Refusal refusal = Refusal::job;
};

// Asks worker processes whether modules can do these jobs of clients (probe.hpp), and whether there is memory for their
// messages, so that no module's code ever runs in this process. Returns the objection to each job. A module that
// crashes over one is asked for its others in a new worker, unless it does so over and over; one that hangs is not
// asked again. With OnError::stop throws RunError naming the module that crashes or hangs instead. After `stop` nobody
// is asked any more, and what was not answered has no objection.
[[nodiscard]] std::vector<Objection> probe_modules(const std::vector<WorkerJob>& jobs, Sides sides, OnError on_error,
                                                   const std::stop_token& stop);

} // namespace ipcmark

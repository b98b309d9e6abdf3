// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/results_memory.hpp"
#include "run/validate.hpp"
#include "run/worker_link.hpp"

#include <ipcmark/run.hpp>

#include <functional>
#include <memory>

namespace ipcmark {

// Makes the server worker of one direction; not set: a child of this process.
using ServerMaker = std::function<std::unique_ptr<WorkerLink>(ResultsMemory&, const WorkerJob&)>;

// Runs validated tests one after the other: what run() and connect() have in common.
[[nodiscard]] ResultDocument run_tests(const Plan& plan, std::vector<TestJobs> jobs, const ServerMaker& make_server,
                                       Observer& observer, std::stop_token stop);

} // namespace ipcmark

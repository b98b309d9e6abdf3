// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/module_probe.hpp"
#include "run/worker_job.hpp"

#include <ipcmark/plan.hpp>

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace ipcmark {

// Where the server side of a plan runs.
enum class ServerPlace { here, other_program };

// What is wrong with a test by itself, without a look at modules or machine. Throws UsageError.
void check_test(const TestPlan& test);

// The jobs of one test, both roles of each direction, with the files of their modules.
struct TestJobs {
    std::vector<Direction> directions;
    std::vector<WorkerJob> server; // one for each direction
    std::vector<WorkerJob> client;
    std::optional<Objection> refused; // its module cannot do it, and the plan goes on after a failed test
};

// Checks a whole plan (run.hpp's validate) and returns the jobs of each test. With ServerPlace::other_program the
// server's CPUs and modules are not this machine's to check. With OnError::go_on a test that its module cannot do, or
// crashes over when asked, is a failed test of the run; module options that are wrong for all tests are an error even
// then. Throws UsageError; RunError for a module that crashes with OnError::stop. After `stop` no more modules are
// asked: the tests are not to be run.
[[nodiscard]] std::vector<TestJobs> validated_jobs(const Plan& plan, ServerPlace place, const std::stop_token& stop);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "fixture_path.hpp"
#include "run/plan_run.hpp"
#include "temp_dir.hpp"

#include <new>
#include <stop_token>
#include <utility>

using namespace ipcmark;

namespace {

TestPlan test_of(std::vector<Direction> directions) {
    TestPlan test;
    test.mechanism = "fixture";
    test.directions = std::move(directions);
    return test;
}

TestJobs jobs_of(const TestPlan& test, const std::string& module_path) {
    TestJobs jobs;
    jobs.directions = test.directions;
    for (const Direction direction : test.directions) {
        for (const Role role : {Role::server, Role::client}) {
            WorkerJob job = make_job(test, role, direction);
            job.module_path = module_path;
            job.module_id = test.mechanism;
            (role == Role::server ? jobs.server : jobs.client).push_back(std::move(job));
        }
    }
    return jobs;
}

Plan plan_of(std::vector<TestPlan> tests) {
    Plan plan;
    plan.tests = std::move(tests);
    plan.on_error = OnError::go_on;
    return plan;
}

ResultDocument run_all(const Plan& plan, const std::string& module_path, const ServerMaker& make_server,
                       std::stop_token stop = {}) {
    std::vector<TestJobs> jobs;
    for (const TestPlan& test : plan.tests)
        jobs.push_back(jobs_of(test, module_path));
    Observer observer;
    return run_tests(plan, std::move(jobs), make_server, observer, std::move(stop));
}

} // namespace

TEST_CASE("workers that cannot be started are a failure of their test alone", "[plan-run]") {
    const Plan plan = plan_of({test_of({Direction::round_trip}), test_of({Direction::one_way})});
    int made = 0;
    const auto document = run_all(plan, fixture_path("none").string(),
                                  [&](ResultsMemory&, const WorkerJob&) -> std::unique_ptr<WorkerLink> {
                                      if (++made == 1)
                                          throw RunError("cannot start a worker: no more of them");
                                      throw std::bad_alloc();
                                  });
    REQUIRE(document.results.size() == 2);
    CHECK(document.results[0].failure == "round trip: cannot start a worker: no more of them");
    REQUIRE(document.results[1].failure);
    CHECK(document.results[1].failure->starts_with("one-way: out of memory"));
    CHECK(document.results[1].error_count == 1);
}

TEST_CASE("a module that cannot be asked for the names of its samples is a failure of its test alone", "[plan-run]") {
    const TempDir folder;
    Plan plan = plan_of({test_of({Direction::one_way}), test_of({Direction::one_way})});
    plan.streaming.csv = folder.path() / "samples.csv";
    const auto document = run_all(plan, fixture_path("crash-when-loaded").string(), {});
    REQUIRE(document.results.size() == 2);
    CHECK(document.results[0].failure);
    CHECK(document.results[1].failure);
}

TEST_CASE("a direction that a stop has left out is told of", "[plan-run]") {
    const Plan plan = plan_of({test_of({Direction::one_way, Direction::round_trip})});
    std::stop_source stop;
    const auto document = run_all(
        plan, fixture_path("none").string(),
        [&](ResultsMemory&, const WorkerJob&) -> std::unique_ptr<WorkerLink> {
            stop.request_stop();
            throw RunError("gone");
        },
        stop.get_token());
    CHECK(document.interrupted);
    REQUIRE(document.results.size() == 1);
    CHECK(document.results[0].failure == "one-way: gone; round trip: interrupted before it began");
    CHECK(document.results[0].error_count == 2);
}

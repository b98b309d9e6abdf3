// SPDX-License-Identifier: Apache-2.0
#include "run/validate.hpp"

#include "measure/envelope.hpp"
#include "run/placement.hpp"
#include "run/plan_limits.hpp"

#include <ipcmark/modules.hpp>
#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;

void check_range(const char* what, std::uint64_t value, std::uint64_t lowest, std::uint64_t highest) {
    if (value < lowest || value > highest)
        throw UsageError(fmt::format("invalid {} {}: it must be {} to {}", what, value, lowest, highest));
}

void check_time(const char* what, std::chrono::nanoseconds value) {
    if (value.count() < 0)
        throw UsageError(fmt::format("invalid {} {} ns: it must not be negative", what, value.count()));
    if (value > longest_time)
        throw UsageError(fmt::format("invalid {} {}: it must be at most {}, a year", what, format_duration(value),
                                     format_duration(longest_time)));
}

void check_rate(double rate, unsigned endpoints) {
    if (!(rate > 0 && rate <= fastest_rate))
        throw UsageError(fmt::format("invalid rate {}: it must be more than 0 and at most {:.0f} messages per second",
                                     rate, fastest_rate));
    const double pace_s = endpoints / rate;
    if (pace_s > static_cast<double>(slowest_pace.count()))
        throw UsageError(fmt::format("invalid rate {}: each of the {} endpoints must send at least one message in {}",
                                     rate, endpoints, format_duration(slowest_pace)));
}

} // namespace

void check_test(const TestPlan& test) {
    if (test.directions.empty())
        throw UsageError("a test has no direction: ask for one-way, round trip or both");
    check_range("message size", test.message_size_bytes, 1, largest_message_bytes);
    check_range("concurrency", test.concurrency, 1, most_endpoints);
    check_range("window", test.window, 1, most_outstanding);
    check_range("batch", test.batch, 1, most_outstanding);
    check_range("number of warm-up messages", test.warmup_messages, 0, most_messages);
    check_time("send delay", test.send_delay);
    check_time("time-out", test.timeout);
    check_time("spin time", test.spin);
    check_time("duration", test.duration.value_or(0ns));
    if (test.duration && test.duration->count() <= 0)
        throw UsageError(fmt::format("invalid duration {}: it must be more than 0", format_duration(*test.duration)));
    if (!test.duration) {
        if (!test.message_count || *test.message_count == 0)
            throw UsageError("invalid message count 0: it must be at least 1 (or give a duration)");
        if (*test.message_count < test.concurrency)
            throw UsageError(fmt::format("message count {} is less than one for each of {} endpoints: it is the total "
                                         "of all endpoints",
                                         *test.message_count, test.concurrency));
        check_range("message count", *test.message_count, 1, most_messages);
    }
    if (test.rate_per_second)
        check_rate(*test.rate_per_second, test.concurrency);
    if (test.rate_per_second && test.send_delay.count() > 0)
        throw UsageError("a rate and a send delay contradict each other: give one of them");
    // The pause would fall into the round trips that are under way.
    if (test.window > 1 && test.send_delay.count() > 0)
        throw UsageError(fmt::format("a window of {} has no pause between messages: give a send delay with a window of "
                                     "1, or a rate instead of it",
                                     test.window));
    // All messages of a batch have one stamp, and most would be sent before they are due.
    if (test.batch > 1 && (test.rate_per_second || test.send_delay.count() > 0))
        throw UsageError(
            fmt::format("batches of {} cannot be paced: give a rate or a send delay without --batch", test.batch));
    if (test.percentiles.size() > most_percentiles)
        throw UsageError(fmt::format("{} percentiles are asked for: at most {} are possible", test.percentiles.size(),
                                     most_percentiles));
    for (const double percentile : test.percentiles) {
        if (!(percentile > 0 && percentile <= 100))
            throw UsageError(fmt::format("invalid percentile {}: it must be above 0 and at most 100", percentile));
    }
    if (test.access == Access::direct && test.mode == Mode::asynchronous)
        throw UsageError("direct access goes with the blocking mode only: use --blocking");
    if (test.batch > 1 && test.mode == Mode::asynchronous)
        throw UsageError("batches go with the blocking mode only: use --blocking");
    if (test.batch > 1 && test.access == Access::direct)
        throw UsageError("batches and direct access contradict each other: give one of them");
}

namespace {

TestJobs jobs_of(const TestPlan& test, const Plan& plan, ServerPlace place) {
    check_test(test);
    check_cpus(test.client_cpus, "the client");
    if (place == ServerPlace::here)
        check_cpus(test.server_cpus, "the server");
    const ModuleFile file = find_module(plan.modules, test.mechanism);
    TestJobs jobs;
    jobs.directions = test.directions;
    for (const Direction direction : test.directions) {
        for (const Role role : {Role::server, Role::client}) {
            WorkerJob job = make_job(test, role, direction);
            job.module_path = file.path.string();
            job.module_id = file.id;
            job.module_version = file.version;
            job.debug_wrapper = plan.modules.debug_wrapper;
            (role == Role::server ? jobs.server : jobs.client).push_back(std::move(job));
        }
    }
    if (place == ServerPlace::other_program && test.message_size_bytes < envelope_bytes &&
        test.directions != std::vector{Direction::round_trip})
        throw UsageError(fmt::format("message size {} is below {}: one-way messages between two programs carry "
                                     "their stamps in themselves",
                                     test.message_size_bytes, envelope_bytes));
    return jobs;
}

TestUsageError::Cause cause_of(const Objection& objection) {
    return objection.refusal == Refusal::options ? TestUsageError::Cause::options : TestUsageError::Cause::module;
}

} // namespace

std::vector<TestJobs> validated_jobs(const Plan& plan, ServerPlace place, const std::stop_token& stop) {
    if (plan.tests.empty())
        throw UsageError("the plan has no test");
    std::vector<TestJobs> tests;
    std::vector<WorkerJob> questions;
    std::vector<std::size_t> asked_for; // the test that each question is about
    for (const TestPlan& test : plan.tests) {
        try {
            tests.push_back(jobs_of(test, plan, place));
        } catch (const UsageError& error) {
            throw TestUsageError(tests.size(), error.what());
        }
        const auto& client = tests.back().client;
        questions.insert(questions.end(), client.begin(), client.end());
        asked_for.insert(asked_for.end(), client.size(), tests.size() - 1);
    }
    const auto objections =
        probe_modules(questions, place == ServerPlace::here ? Sides::both : Sides::own, plan.on_error, stop);
    for (std::size_t at = 0; at < objections.size(); ++at) {
        if (objections[at].text.empty())
            continue;
        if (plan.on_error == OnError::stop && objections[at].refusal == Refusal::failure)
            throw RunError(objections[at].text);
        if (plan.on_error == OnError::stop)
            throw TestUsageError(asked_for[at], objections[at].text, cause_of(objections[at]));
        if (auto& refused = tests[asked_for[at]].refused; !refused)
            refused = objections[at];
    }
    // What a module cannot do, or fails at, is a failed test. An option that none of them takes is a slip of the pen.
    const auto mistyped = [](const TestJobs& jobs) {
        return jobs.refused && jobs.refused->refusal == Refusal::options;
    };
    if (std::all_of(tests.begin(), tests.end(), mistyped))
        throw TestUsageError(0, tests.front().refused->text, TestUsageError::Cause::options);
    return tests;
}

void validate(const Plan& plan) {
    static_cast<void>(validated_jobs(plan, ServerPlace::here, {}));
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "run/plan_run.hpp"

#include "config.h"
#include "measure/clock.hpp"
#include "module/identity.hpp"
#include "result/option_size.hpp"
#include "result/streaming.hpp"
#include "run/audit.hpp"
#include "run/direction_run.hpp"
#include "run/environment.hpp"
#include "run/rfc3339.hpp"
#include "run/scratch_dir.hpp"

#include <ipcmark/module.h>
#include <ipcmark/modules.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>
#include <new>
#include <optional>

#include <fmt/format.h>

namespace ipcmark {
namespace {

// Adds the options that the second direction of a test ran with to those of the first. What a module has chosen for
// each of them is told of each.
void add_options(std::vector<OptionValue>& options, Direction first, const std::vector<OptionValue>& more,
                 Direction second) {
    for (OptionValue& option : options) {
        const auto same =
            std::find_if(more.begin(), more.end(), [&](const OptionValue& other) { return other.name == option.name; });
        if (same != more.end() && same->value != option.value)
            option.value =
                fmt::format("{} {}, {} {}", option.value, direction_name(first), same->value, direction_name(second));
    }
}

using SteadyClock = std::chrono::steady_clock;

// A calibration over 4 ms is good to some parts per million; more than this means that the counter does not run at one
// rate.
constexpr double worst_drift_ppm = 200;

class PlanRun {
public:
    PlanRun(const Plan& plan, const ServerMaker& make_server, Observer& observer, std::stop_token stop)
        : plan_(plan), make_server_(make_server), observer_(observer), module_log_(observer), stop_(std::move(stop)) {
        if (plan.streaming.any())
            streaming_.emplace(plan.streaming, [this](const std::filesystem::path& path, const std::string& reason) {
                note_streaming_failure(path, reason);
            });
        clock_ = set_up_clock(plan.clock);
        sweep_scratch_dirs();
    }

    ResultDocument run(std::vector<TestJobs> tests) {
        ResultDocument document;
        document.version = IPCMARK_VERSION;
        document.timestamp = rfc3339_now();
        document.command_line = plan_.command_line;
        document.system = capture_environment();
        document.system.benchmark_version = IPCMARK_VERSION;
        document.system.compiler = IPCMARK_COMPILER;
        document.system.clock = clock_.info;
        tell_of(document.system);
        for (std::size_t index = 0; index < tests.size() && !stop_.stop_requested(); ++index) {
            observer_.test_started(plan_.tests[index], index, tests.size());
            document.results.push_back(run_test(index, tests[index], document.interrupted));
            const TestResult& result = document.results.back();
            observer_.test_finished(result);
            if (result.failure && plan_.on_error == OnError::stop)
                break;
        }
        document.interrupted = document.interrupted || stop_.stop_requested();
        if (const double drift = clock_.drift_ppm(); drift > worst_drift_ppm && long_enough())
            document.warnings.push_back(
                {"clock-drift",
                 fmt::format("the processor's counter and the kernel's clock drifted apart by {:.0f} parts per million "
                             "during the run",
                             drift),
                 "use --clock monotonic"});
        if (streaming_)
            streaming_->finish();
        document.streaming_failures = streaming_failures_;
        return document;
    }

private:
    [[nodiscard]] bool long_enough() const { return SteadyClock::now() - begin_ > std::chrono::seconds(1); }

    void tell_of(const SystemInfo& system) {
        const ClockInfo& clock = system.clock;
        observer_.log(IPCMARK_LOG_DEBUG,
                      fmt::format("clock: {} ({}), {:.6f} MHz, {:.1f} ns a reading, steps of {:.1f} ns", clock.source,
                                  clock.reason, clock.frequency_hz / 1e6, clock.overhead_ns, clock.resolution_ns));
        observer_.log(IPCMARK_LOG_DEBUG, fmt::format("CPUs: {} of {} may be used ({})", system.cpus_allowed.size(),
                                                     system.cpu_cores, format_cpu_list(system.cpus_allowed)));
    }

    // The measurement is worth more than its single samples: it goes on.
    void note_streaming_failure(const std::filesystem::path& path, const std::string& reason) {
        streaming_failures_.push_back({path, reason});
        observer_.log(IPCMARK_LOG_ERROR,
                      reason + " (the samples written so far are kept, no more follow; the measurement goes on)");
    }

    TestResult run_test(std::size_t index, const TestJobs& jobs, bool& interrupted) {
        const TestPlan& test = plan_.tests[index];
        TestResult result;
        result.plan = test;
        result.timestamp = rfc3339_now();
        result.module.id = jobs.client.front().module_id;
        result.module.path = jobs.client.front().module_path;
        result.module.checked = jobs.client.front().debug_wrapper;
        if (jobs.refused) {
            result.failure = jobs.refused->text;
            result.error_count = 1;
            name_module(result.module, jobs.client.front(),
                        jobs.refused->refusal == Refusal::failure ? Ask::file : Ask::module);
            return result;
        }
        const auto begin = SteadyClock::now();
        for (std::size_t number = 0; number < jobs.directions.size(); ++number) {
            DirectionOutcome outcome;
            // A test of which a direction is missing is no success, however well the other went.
            if (stop_.stop_requested())
                outcome.failure = "interrupted before it began";
            else
                outcome = run_one(index, test, jobs, number);
            interrupted = interrupted || outcome.interrupted;
            if (outcome.module)
                result.module = *outcome.module;
            if (result.options.empty())
                result.options = outcome.options;
            else
                add_options(result.options, jobs.directions.front(), outcome.options, jobs.directions[number]);
            if (outcome.failure) {
                ++result.error_count;
                const std::string text =
                    fmt::format("{}: {}", direction_name(jobs.directions[number]), *outcome.failure);
                result.failure = result.failure ? *result.failure + "; " + text : text;
            }
            if (outcome.result) {
                const auto warnings = warnings_of(*outcome.result, test, clock_.info);
                result.warnings.insert(result.warnings.end(), warnings.begin(), warnings.end());
                result.warnings.insert(result.warnings.end(), outcome.warnings.begin(), outcome.warnings.end());
                const Delivery& delivery = outcome.result->delivery;
                result.error_count += delivery.lost + delivery.duplicated + delivery.corrupted;
                (jobs.directions[number] == Direction::one_way ? result.one_way : result.round_trip) =
                    std::move(outcome.result);
            }
            if (outcome.failure && plan_.on_error == OnError::stop)
                break;
        }
        const auto said = module_log_.take_warnings();
        result.warnings.insert(result.warnings.end(), said.begin(), said.end());
        if (result::buffer_size_ignored(result))
            result.warnings.push_back(
                {"buffer-size-ignored",
                 fmt::format("module '{}' has no option buffer-size: the {} asked for had no effect", result.module.id,
                             format_size_bytes(*test.buffer_size_bytes)),
                 fmt::format("leave --buffer-size out, or look for the module's own options with 'ipcmark inspect {}'",
                             result.module.id)});
        if (result.module.result_name.empty())
            name_module(result.module, jobs.client.front(), Ask::module);
        result.test_duration = SteadyClock::now() - begin;
        return result;
    }

    DirectionOutcome run_one(std::size_t index, const TestPlan& test, const TestJobs& jobs, std::size_t number) {
        DirectionRequest request;
        request.plan = &test;
        request.direction = jobs.directions[number];
        request.test_index = index;
        request.test_count = plan_.tests.size();
        request.server_job = jobs.server[number];
        request.client_job = jobs.client[number];
        const std::string scratch = choose_scratch_dir();
        request.server_job.scratch_dir = scratch;
        request.client_job.scratch_dir = scratch;
        request.clock = &clock_;
        request.observer = &observer_;
        request.module_log = &module_log_;
        request.stop = stop_;
        if (make_server_)
            request.make_server = [this, &request](ResultsMemory& memory) {
                return make_server_(memory, request.server_job);
            };
        try {
            DirectionOutcome outcome = start(request);
            remove_scratch_dir(scratch);
            return outcome;
        } catch (...) {
            remove_scratch_dir(scratch);
            throw;
        }
    }

    // What keeps a direction from being started is a failure of its test alone: what was measured before is kept.
    DirectionOutcome start(DirectionRequest& request) {
        DirectionOutcome outcome;
        try {
            if (streaming_) {
                streaming_->begin_test(request.test_index, names_of(request.client_job),
                                       request.plan->message_size_bytes, request.direction);
                request.streaming = &*streaming_;
            }
            return run_direction(request);
        } catch (const RunError& error) {
            outcome.failure = error.what();
        } catch (const std::bad_alloc&) {
            outcome.failure = "out of memory in the process that starts the workers: ask for fewer endpoints";
        }
        return outcome;
    }

    enum class Ask { module, file };

    // Of a test that failed before its workers could say who they are. A module that crashes or hangs when it is asked
    // is not asked again: its file has the most of it.
    static void name_module(ModuleIdentity& module, const WorkerJob& job, Ask ask) {
        try {
            const auto in_file = read_identity(job.module_path);
            module.version = in_file.version;
            module.abi_major = in_file.entry.abi_major;
            module.abi_minor = in_file.entry.abi_minor;
            if (ask == Ask::file)
                return;
            const auto description = describe(job.module_file());
            module.display_name = description.display_name;
            module.result_name = description.result_name;
            module.capabilities = description.capabilities;
        } catch (const RunError&) {
            // Its description is what fails: the reason is in the result already.
        }
    }

    // The names that the streaming outputs have for the mechanism: those of the result document.
    const ModuleIdentity& names_of(const WorkerJob& job) {
        ModuleIdentity& module = named_[job.module_path];
        if (module.result_name.empty()) {
            const auto description = describe(job.module_file());
            module.display_name = description.display_name;
            module.result_name = description.result_name;
        }
        return module;
    }

    const Plan& plan_;
    const ServerMaker& make_server_;
    Observer& observer_;
    ModuleLog module_log_;
    std::stop_token stop_;
    SteadyClock::time_point begin_ = SteadyClock::now();
    RunClock clock_;
    std::optional<StreamingWriter> streaming_;
    std::vector<OutputFailure> streaming_failures_;
    std::map<std::string, ModuleIdentity> named_; // by path
};

} // namespace

ResultDocument run_tests(const Plan& plan, std::vector<TestJobs> jobs, const ServerMaker& make_server,
                         Observer& observer, std::stop_token stop) {
    return PlanRun(plan, make_server, observer, std::move(stop)).run(std::move(jobs));
}

ResultDocument run(const Plan& plan, Observer& observer, std::stop_token stop) {
    std::vector<TestJobs> jobs = validated_jobs(plan, ServerPlace::here, stop);
    return run_tests(plan, std::move(jobs), {}, observer, std::move(stop));
}

ResultDocument run(const Plan& plan) {
    Observer silent;
    return run(plan, silent);
}

} // namespace ipcmark

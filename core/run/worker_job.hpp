// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/loop_context.hpp"
#include "module/loaded_module.hpp"

#include <ipcmark/plan.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

namespace ipcmark {

// What a worker is told to do, as it goes over the control channel.
struct WorkerJob {
    Role role = Role::server;
    Direction direction = Direction::one_way;
    std::string module_path; // found by whoever spawns the worker, on its own machine
    std::string module_id;
    std::string module_version;
    std::map<std::string, std::string> options;
    std::map<std::string, std::string> soft_options; // given to the module where it has an option of that name
    // Likewise, but not the user's: the document says that they were not given.
    std::map<std::string, std::string> chosen_options;
    std::uint64_t message_size = 0;
    std::uint64_t warmup = 0;
    std::uint64_t count = 0;       // all endpoints together; 0: by duration
    std::uint64_t duration_ns = 0; // 0: by count
    std::uint64_t send_delay_ns = 0;
    double rate_per_second = 0; // all endpoints together; 0: closed loop
    std::uint64_t spin_ns = 0;
    std::uint64_t set_up_timeout_ns = 0; // accept, connect
    unsigned endpoints = 1;
    unsigned window = 1;
    unsigned batch = 1;
    Mode mode = Mode::blocking;
    Access access = Access::copy;
    WaitPolicy wait = WaitPolicy::block;
    bool debug_wrapper = false;
    std::vector<int> cpus;
    std::string scratch_dir;

    [[nodiscard]] boost::json::object to_json() const;
    // Throws RunError naming the field that is wrong.
    [[nodiscard]] static WorkerJob from_json(const boost::json::object& object);

    [[nodiscard]] ModuleFile module_file() const;
    // One for each endpoint, or one event loop for all.
    [[nodiscard]] unsigned threads() const noexcept { return mode == Mode::blocking ? endpoints : 1; }
    // The messages to measure on one endpoint: an equal share, the first endpoints one more where it does not divide.
    [[nodiscard]] std::uint64_t count_of(unsigned endpoint) const noexcept;
};

// The values of a job's options for its module. Throws UsageError.
[[nodiscard]] OptionValues job_options(const Module& module, const WorkerJob& job);

// Of one direction of a test, for one role. Where the first message is dropped it joins the warm-up.
[[nodiscard]] WorkerJob make_job(const TestPlan& plan, Role role, Direction direction);

} // namespace ipcmark

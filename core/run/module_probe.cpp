// SPDX-License-Identifier: Apache-2.0
#include "run/module_probe.hpp"

#include "run/worker_process.hpp"

#include <ipcmark/run.hpp>

#include <map>

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;
constexpr auto answer_limit = 10s;
constexpr int no_results = -1;

std::vector<std::string> probe_module(const std::string& id, const std::vector<const WorkerJob*>& jobs, Sides sides) {
    WorkerProcess worker = WorkerProcess::spawn(no_results);
    boost::json::array list;
    for (const WorkerJob* job : jobs)
        list.push_back(job->to_json());
    worker.channel().send({{"type", "probe"}, {"jobs", list}, {"both_sides", sides == Sides::both}});
    const auto answer_end = std::chrono::steady_clock::now() + answer_limit;
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(answer_end - std::chrono::steady_clock::now());
        const auto answer = worker.channel().receive(std::max(left, 0ms));
        if (!answer && worker.channel().closed()) {
            for (int turn = 0; turn < 100 && !worker.ended(); ++turn)
                std::this_thread::sleep_for(10ms);
            throw RunError(fmt::format("module '{}' crashed its worker while it was asked for its limits: {}", id,
                                       worker.ended().value_or("it closed its control connection")));
        }
        if (!answer)
            throw RunError(
                fmt::format("module '{}' hangs: no answer about its limits within {} s", id, answer_limit.count()));
        if (text_field(*answer, "type") != "probed")
            continue;
        std::vector<std::string> objections;
        for (const auto& error : answer->at("errors").as_array())
            objections.emplace_back(error.as_string());
        worker.channel().send({{"type", "exit"}});
        return objections;
    }
}

} // namespace

std::vector<std::string> probe_modules(const std::vector<WorkerJob>& jobs, Sides sides) {
    std::map<std::string, std::vector<const WorkerJob*>> by_module;
    for (const WorkerJob& job : jobs)
        by_module[job.module_path].push_back(&job);
    std::vector<std::string> objections(jobs.size());
    for (const auto& [path, of_module] : by_module) {
        const auto answers = probe_module(of_module.front()->module_id, of_module, sides);
        for (std::size_t at = 0; at < of_module.size() && at < answers.size(); ++at)
            objections[static_cast<std::size_t>(of_module[at] - jobs.data())] = answers[at];
    }
    return objections;
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "run/module_probe.hpp"

#include "measure/patient_clock.hpp"
#include "run/stop_event.hpp"
#include "run/worker_process.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <poll.h>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;
constexpr auto answer_limit = 10s; // for each job
constexpr auto tick = 100ms;
static_assert(tick < PatientClock::longest_step);
constexpr int most_crashes = 32; // of one module, before it is not asked again
constexpr int no_results = -1;
constexpr std::size_t piece_bytes = std::size_t{1} << 20;

using Jobs = std::span<const WorkerJob* const>;

// Of a worker whose module may have written over anything.
Refusal refusal_of(std::uint64_t value) {
    return value > static_cast<unsigned>(Refusal::failure) ? Refusal::failure : static_cast<Refusal>(value);
}

enum class End { answered, crashed, hung, stopped };

struct Question {
    Sides sides;
    OnError on_error;
    const std::stop_token& stop;
    const StopEvent& stop_event;
};

// One worker and the jobs that it is asked about, until it has answered for all of them or for none any more.
class Probe {
public:
    Probe(Jobs jobs, const Question& question)
        : worker_(WorkerProcess::spawn(no_results)), left_(jobs), question_(question) {}

    // The answer about the next job; none if the worker has ended, or does not answer before the time is over or a
    // stop is asked for.
    std::optional<Objection> answer() {
        if (expected_ == 0)
            send_piece();
        for (PatientClock clock;; clock.look()) {
            // The state of the process is read first: what it said before it ended is then in the channel. A child of
            // it may hold the channel open.
            ended_ = worker_.ended();
            while (const auto message = worker_.channel().receive(0ms)) {
                if (text_field(*message, "type") == "probed") {
                    expected_ -= std::min<std::size_t>(expected_, 1);
                    return Objection{text_field(*message, "error"), refusal_of(number_field(*message, "refusal"))};
                }
            }
            if (ended_ || clock.elapsed() >= answer_limit || question_.stop.stop_requested())
                return std::nullopt;
            std::array<pollfd, 3> entries{{{worker_.channel().descriptor(), POLLIN, 0},
                                           {worker_.pidfd(), POLLIN, 0},
                                           {question_.stop_event.descriptor(), POLLIN, 0}}};
            if (worker_.channel().closed())
                entries[0].fd = -1;
            poll(entries.data(), entries.size(), static_cast<int>(tick.count()));
        }
    }

    // How the worker ended; nothing while it runs.
    [[nodiscard]] const std::optional<std::string>& ended() const noexcept { return ended_; }
    void dismiss() { worker_.channel().send({{"type", "exit"}}); }

private:
    // Once all of the piece before it has been answered. All jobs of a large plan are too long for one message.
    void send_piece() {
        boost::json::array list;
        for (std::size_t bytes = 0; !left_.empty() && bytes < piece_bytes; left_ = left_.subspan(1)) {
            list.push_back(left_.front()->to_json());
            bytes += boost::json::serialize(list.back()).size();
        }
        expected_ = list.size();
        worker_.channel().send(
            {{"type", "probe"}, {"jobs", std::move(list)}, {"both_sides", question_.sides == Sides::both}});
    }

    WorkerProcess worker_;
    Jobs left_;                // not sent yet
    std::size_t expected_ = 0; // answers to what was sent
    const Question& question_;
    std::optional<std::string> ended_;
};

// Asks about the jobs in order, adds the objections to `objections`, and says how it ended. After a crash or a hang the
// last objection is about the job that it was over.
End ask(Jobs jobs, const Question& question, std::vector<Objection>& objections) {
    const std::string& id = jobs.front()->module_id;
    Probe probe(jobs, question);
    for (std::size_t at = 0; at < jobs.size(); ++at) {
        try {
            if (auto objection = probe.answer()) {
                objections.push_back(std::move(*objection));
                continue;
            }
        } catch (const std::exception& error) { // of the JSON library, too
            objections.push_back({fmt::format("the worker of module '{}' sent nonsense while it was asked for its "
                                              "limits: {}",
                                              id, error.what()),
                                  Refusal::failure});
            return End::crashed;
        }
        if (question.stop.stop_requested())
            return End::stopped;
        if (const auto& how = probe.ended()) {
            objections.push_back({fmt::format("module '{}' crashed its worker while it was asked for its limits: {}",
                                              id, how->empty() ? "it ended its process" : *how),
                                  Refusal::failure});
            return End::crashed;
        }
        objections.push_back(
            {fmt::format("module '{}' hangs: no answer about its limits within {} s", id, answer_limit.count()),
             Refusal::failure});
        return End::hung;
    }
    probe.dismiss();
    return End::answered;
}

std::vector<Objection> probe_module(Jobs jobs, const Question& question) {
    std::vector<Objection> objections;
    for (int crashes = 0; objections.size() < jobs.size() && !question.stop.stop_requested();) {
        const End end = ask(jobs.subspan(objections.size()), question, objections);
        if (end == End::stopped)
            break;
        if (end != End::answered && question.on_error == OnError::stop)
            throw RunError(objections.back().text);
        if (end == End::hung || (end == End::crashed && ++crashes == most_crashes))
            objections.resize(
                jobs.size(),
                {fmt::format("module '{}' was not asked for its limits again after it {}", jobs.front()->module_id,
                             end == End::hung ? "hung" : fmt::format("crashed {} times", crashes)),
                 Refusal::failure});
    }
    objections.resize(jobs.size());
    return objections;
}

} // namespace

std::vector<Objection> probe_modules(const std::vector<WorkerJob>& jobs, Sides sides, OnError on_error,
                                     const std::stop_token& stop) {
    const StopEvent stop_event(stop);
    const Question question{sides, on_error, stop, stop_event};
    std::map<std::string, std::vector<const WorkerJob*>> by_module;
    for (const WorkerJob& job : jobs)
        by_module[job.module_path].push_back(&job);
    std::vector<Objection> objections(jobs.size());
    for (const auto& [path, of_module] : by_module) {
        const auto answers = probe_module(of_module, question);
        for (std::size_t at = 0; at < of_module.size(); ++at)
            objections[static_cast<std::size_t>(of_module[at] - jobs.data())] = answers[at];
    }
    return objections;
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
// The client's end of a stand-alone run: as run(), with the server workers in another program.
#include "measure/clock.hpp"
#include "run/clock_agreement.hpp"
#include "run/control_address.hpp"
#include "run/environment.hpp"
#include "run/meeting_host.hpp"
#include "run/plan_limits.hpp"
#include "run/plan_run.hpp"
#include "run/slot_json.hpp"
#include "run/stand_alone_protocol.hpp"
#include "run/validate.hpp"
#include "run/warm_up_report.hpp"

#include <ipcmark/modules.hpp>
#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>
#include <map>

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace ipcmark {
namespace {

// A server worker that a serve() runs for us.
class RemoteServer : public WorkerLink {
public:
    RemoteServer(ControlChannel& channel, std::string address, ResultsMemory& memory)
        : channel_(channel), address_(std::move(address)), memory_(memory) {
        const ResultsShape& shape = memory.shape();
        channel.send({{"type", "spawn"},
                      {"clock_kind", shape.clock_kind},
                      {"ns_per_tick_q32", shape.ns_per_tick_q32},
                      {"endpoints", shape.endpoints}});
    }
    [[nodiscard]] ControlChannel& channel() noexcept override { return channel_; }
    [[nodiscard]] int end_descriptor() const noexcept override { return -1; }
    [[nodiscard]] std::optional<std::string> ended() override {
        if (!end_ && channel_.closed())
            end_ = "lost with the control connection";
        return end_;
    }
    void kill() noexcept override { channel_.send({{"type", "kill"}}); }
    [[nodiscard]] std::string address() const override { return address_; }
    bool handle(const boost::json::object& message) override {
        const std::string type = text_field(message, "type");
        if (type == "warming") {
            note_warm_up(message, memory_);
            return true;
        }
        if (type != "exited")
            return false;
        server_slots_from_json(message.at("slots").as_array(), memory_);
        end_ = text_field(message, "text");
        return true;
    }

private:
    ControlChannel& channel_;
    std::string address_;
    ResultsMemory& memory_;
    std::optional<std::string> end_;
};

// For a server to say hello, however little is left of the time to reach it.
constexpr std::chrono::seconds shortest_hello{1};

// Whether the two sides of a module may be on two machines. One that cannot tell is not to be kept from trying.
bool joins_machines(const ModuleFile& file) {
    try {
        const auto capabilities = describe(file).capabilities;
        return std::find(capabilities.begin(), capabilities.end(), "cross-host") != capabilities.end();
    } catch (const RunError&) {
        return true;
    }
}

constexpr const char* two_clocks_in_one_boot =
    " (two time namespaces, or two machines that were restored from one snapshot)";

// Throws TestUsageError for the first test that is measured one way.
void refuse_one_way(const Plan& plan, const std::string& reason) {
    for (std::size_t index = 0; index < plan.tests.size(); ++index) {
        const auto& directions = plan.tests[index].directions;
        if (std::find(directions.begin(), directions.end(), Direction::one_way) != directions.end())
            throw TestUsageError(index, reason);
    }
}

// "tcp, mine": those of the search path whose two sides may be on two machines.
std::string modules_between_machines(const ModuleSearch& search) {
    std::string names;
    for (const ModuleFolder& folder : discover(search)) {
        for (const ModuleFile& file : folder.files) {
            if (!file.rejected && !file.shadowed_by && joins_machines(file))
                names += (names.empty() ? "" : ", ") + file.id;
        }
    }
    return names.empty() ? "none" : names;
}

// Of tests whose module joins processes of one machine only: throws TestUsageError for the first one, or, with
// OnError::go_on, notes that they cannot be done.
void refuse_local_modules(const Plan& plan, std::vector<TestJobs>& tests) {
    std::map<std::string, bool> known; // by path
    std::string others;
    for (std::size_t index = 0; index < tests.size(); ++index) {
        TestJobs& test = tests[index];
        const WorkerJob& job = test.client.front();
        const auto [module, fresh] = known.try_emplace(job.module_path, true);
        if (fresh)
            module->second = joins_machines(job.module_file());
        if (test.refused || module->second)
            continue;
        if (others.empty())
            others = modules_between_machines(plan.modules);
        test.refused = Objection{fmt::format("{} joins processes of one machine, and the server is on another one "
                                             "(their boot ids differ); modules that can: {}",
                                             job.module_id, others),
                                 Refusal::job};
        if (plan.on_error == OnError::stop)
            throw TestUsageError(index, test.refused->text);
    }
}

// Throws TestUsageError for the first test whose option `host` cannot be had.
void choose_hosts(std::vector<TestJobs>& tests, const std::string& peer) {
    if (peer.empty())
        return;
    for (std::size_t test = 0; test < tests.size(); ++test) {
        try {
            for (std::size_t number = 0; number < tests[test].directions.size(); ++number)
                choose_host(tests[test].server[number], tests[test].client[number], peer);
        } catch (const UsageError& error) {
            throw TestUsageError(test, error.what());
        }
    }
}

} // namespace

ResultDocument connect(const Plan& plan, const ControlAddress& address, std::chrono::nanoseconds retry,
                       Observer& observer, std::stop_token stop) {
    if (retry > longest_time)
        throw UsageError(fmt::format("invalid time to retry {}: it must be at most {}, a year", format_duration(retry),
                                     format_duration(longest_time)));
    if (plan.streaming.any())
        refuse_one_way(plan, "the samples of one-way messages are on the server's side, which is another program: ask "
                             "for --round-trip alone, or for no streaming output");
    std::vector<TestJobs> jobs = validated_jobs(plan, ServerPlace::other_program, stop);
    const ClockKind clock = choose_clock(plan.clock).kind;
    const auto end = std::chrono::steady_clock::now() + retry;
    ControlChannel channel(connect_to(address, end, stop));
    // A server that is busy with another client answers when that one has gone.
    const PeerHello peer = shake_hands(channel, std::max(end, std::chrono::steady_clock::now() + shortest_hello), stop);
    const std::string boot_id = capture_environment().boot_id;
    const bool one_boot = peer.boot_id == boot_id && !boot_id.empty();
    if (!one_boot && !boot_id.empty() && !peer.boot_id.empty())
        refuse_local_modules(plan, jobs);
    const std::string difference =
        one_boot ? clock_difference(channel, clock, stop) : "these are two machines (their boot ids differ)";
    if (!difference.empty())
        refuse_one_way(plan, fmt::format("one-way latency needs one clock on both ends, and {}{}: ask for --round-trip "
                                         "alone",
                                         difference, one_boot ? two_clocks_in_one_boot : ""));
    choose_hosts(jobs, peer_host(channel.descriptor()));
    const ServerMaker make_server = [&channel, &address](ResultsMemory& memory, const WorkerJob&) {
        return std::make_unique<RemoteServer>(channel, to_text(address), memory);
    };
    ResultDocument document = run_tests(plan, std::move(jobs), make_server, observer, std::move(stop));
    document.control_address = to_text(address);
    if (!difference.empty() && peer.system) {
        document.server_system = peer.system;
        document.server_system->clock = {.source = "none", .reason = "round trips are stamped by the client alone"};
    }
    return document;
}

} // namespace ipcmark

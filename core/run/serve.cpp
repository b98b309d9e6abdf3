// SPDX-License-Identifier: Apache-2.0
// The server's end of a stand-alone run: workers for the tests of clients, one client at a time.
#include "run/clock_agreement.hpp"
#include "run/control_address.hpp"
#include "run/meeting_host.hpp"
#include "run/placement.hpp"
#include "run/progress_watch.hpp"
#include "run/scratch_dir.hpp"
#include "run/slot_json.hpp"
#include "run/stop_event.hpp"
#include "run/waiting_room.hpp"
#include "run/warm_up_report.hpp"
#include "run/worker_job.hpp"
#include "run/worker_process.hpp"

#include <ipcmark/module_kit/socket_file.hpp>
#include <ipcmark/modules.hpp>
#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;

using SteadyClock = std::chrono::steady_clock;

// A client asks for its first worker as soon as both have said hello, and says at once what it is to do.
constexpr auto word_limit = 10s;
// Between two workers it ends its own, which may hang for some seconds, and keeps what was measured.
constexpr auto pause_limit = 60s;
// A client ends a run in which nothing moves; after this much longer there is none that would.
constexpr auto end_limit = 15s;

// The client is there and does not do its part.
class SilentClient : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// The client's connection ended before it was told how its worker did.
class LostClient : public std::runtime_error {
public:
    LostClient() : std::runtime_error("the client was lost in the middle of a measurement") {}
};

// Removed when the worker that may have made it is gone.
struct ScratchDir {
    const std::string& path;
    ~ScratchDir() { remove_scratch_dir(path); }
};

// One client, from its hello to its end.
class ClientSession {
public:
    ClientSession(const ServeOptions& options, ControlChannel& client, const std::stop_token& stop,
                  const StopEvent& event)
        : options_(options), client_(client), stop_(stop), event_(event) {}

    // Throws SilentClient, LostClient.
    void run() {
        auto end = SteadyClock::now() + word_limit;
        while (!stop_.stop_requested()) {
            // What was read along with the message before wakes no poll: look first, then wait.
            if (const auto message = client_.receive(0ms)) {
                if (handle_idle(*message))
                    end = SteadyClock::now() + pause_limit;
                continue;
            }
            if (client_.closed())
                return;
            if (SteadyClock::now() >= end)
                throw SilentClient("the client asked for nothing for too long: its connection is closed");
            wait({{client_.descriptor(), POLLIN, 0}}, end - SteadyClock::now());
        }
    }

private:
    void wait(std::vector<pollfd> entries, std::chrono::nanoseconds time) const {
        entries.push_back({event_.descriptor(), POLLIN, 0});
        constexpr std::chrono::nanoseconds longest = 1h;
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::clamp(time, 0ns, longest));
        poll(entries.data(), entries.size(), static_cast<int>(ms.count()));
    }

    // Whether a worker was asked for.
    bool handle_idle(const boost::json::object& message) {
        const std::string type = text_field(message, "type");
        // What belongs to a worker that is gone already.
        if (type == "exit" || type == "interrupt" || type == "kill" || type == "start" || type == "connect")
            return false;
        if (type == "clock") {
            client_.send(clock_reading(message));
            return false;
        }
        if (type != "spawn")
            throw RunError(fmt::format("the client sent an unknown message '{}'", type));
        const auto job_message = client_.receive(word_limit);
        if (!job_message && !client_.closed())
            throw SilentClient("the client asked for a worker and does not say what for: its connection is closed");
        if (!job_message || text_field(*job_message, "type") != "job")
            throw RunError("the client asked for a worker without a job");
        try {
            serve_direction(message, *job_message);
        } catch (const UsageError& error) {
            refuse("usage", error.what());
        } catch (const RunError& error) {
            refuse("run", error.what());
        }
        return true;
    }

    void refuse(const char* kind, const char* text) {
        client_.send({{"type", "error"}, {"kind", kind}, {"status", IPCMARK_BAD_ARGUMENT}, {"text", text}});
        client_.send({{"type", "exited"}, {"text", ""}, {"slots", boost::json::array()}});
    }

    [[nodiscard]] WorkerJob local_job(const boost::json::object& message) const {
        WorkerJob job = WorkerJob::from_json(object_field(message, "job"));
        const ModuleFile file = find_module(options_.modules, job.module_id);
        job.module_path = file.path.string();
        job.module_version = file.version;
        job.debug_wrapper = options_.modules.debug_wrapper;
        if (job.cpus.empty())
            job.cpus = options_.server_cpus;
        check_cpus(job.cpus, "the server (on the machine that serves)");
        job.scratch_dir = choose_scratch_dir();
        adopt_scope(job, own_host(client_.descriptor()));
        return job;
    }

    void serve_direction(const boost::json::object& spawn, const boost::json::object& job_message) {
        const WorkerJob job = local_job(job_message);
        RunClock clock;
        clock.kind = number_field(spawn, "clock_kind") == static_cast<std::uint64_t>(ClockKind::cycle_counter)
                         ? ClockKind::cycle_counter
                         : ClockKind::monotonic;
        clock.scale.ns_per_tick_q32 = number_field(spawn, "ns_per_tick_q32");
        ResultsLayout layout;
        layout.endpoints = job.endpoints;
        layout.shared_with_peer = false;
        ResultsMemory memory = ResultsMemory::create(layout, clock);
        std::string end;
        {
            const ScratchDir scratch{job.scratch_dir};
            WorkerProcess worker = WorkerProcess::spawn(memory.descriptor());
            worker.channel().send({{"type", "job"}, {"job", job.to_json()}});
            end = forward(worker, job, memory);
        }
        if (!memory.intact()) {
            end = "dismissed: it wrote over the memory in which the measurement is kept";
            client_.send({{"type", "exited"}, {"text", end}, {"slots", boost::json::array()}});
            return;
        }
        client_.send({{"type", "exited"}, {"text", end}, {"slots", server_slots_to_json(memory)}});
    }

    void pass_on(WorkerProcess& worker, const WorkerJob& job) {
        for (;;) {
            std::optional<boost::json::object> message;
            try {
                message = worker.channel().receive(0ms);
            } catch (const RunError& error) {
                throw RunError(
                    fmt::format("the server worker of module '{}' sent nonsense: {}", job.module_id, error.what()));
            }
            if (!message)
                return;
            client_.send(*message);
        }
    }

    // Passes messages on until the worker has ended; the worker does not outlive its client. Throws SilentClient where
    // nothing moves and the client, which would have to end that, says nothing; LostClient.
    std::string forward(WorkerProcess& worker, const WorkerJob& job, const ResultsMemory& memory) {
        ProgressWatch watch(memory, job);
        WarmUpReport warm_up(memory, job);
        const std::chrono::nanoseconds limit = stall_limit(job) + end_limit;
        auto last_word = SteadyClock::now();
        auto last_move = last_word;
        bool broken = false;
        for (;;) {
            if (stop_.stop_requested())
                worker.channel().send({{"type", "interrupt"}});
            const auto end = worker.ended();
            pass_on(worker, job);
            while (auto message = client_.receive(0ms)) {
                last_word = SteadyClock::now();
                if (end)
                    continue; // it is for nobody
                if (text_field(*message, "type") == "kill")
                    worker.kill();
                else
                    worker.channel().send(*message);
            }
            // The worker of a lost client may have ended for want of its peer: that is no end of its own.
            if (client_.closed()) {
                worker.end();
                throw LostClient();
            }
            if (end)
                return *end;
            if (stop_.stop_requested()) {
                worker.end(); // what it leaves is sent next
                return "killed: the run was ended";
            }
            if (watch.look())
                last_move = SteadyClock::now();
            if (watch.broken() && !std::exchange(broken, true))
                worker.channel().send({{"type", "interrupt"}});
            const std::chrono::nanoseconds silence = SteadyClock::now() - std::max(last_move, last_word);
            if (silence > limit)
                throw SilentClient(
                    fmt::format("nothing has moved for {}, and the client does not end it: its connection "
                                "is closed",
                                format_duration(std::chrono::floor<std::chrono::seconds>(silence))));
            if (const auto message = warm_up.look())
                client_.send(*message);
            // Seldom once something is measured, for it may disturb that.
            wait({{client_.descriptor(), POLLIN, 0},
                  {worker.channel().descriptor(), POLLIN, 0},
                  {worker.pidfd(), POLLIN, 0}},
                 warm_up.over() ? limit / 8 : WarmUpReport::tick);
        }
    }

    const ServeOptions& options_;
    ControlChannel& client_;
    const std::stop_token& stop_;
    const StopEvent& event_;
};

} // namespace

void serve(const ServeOptions& options, Observer& observer, std::stop_token stop) {
    check_cpus(options.server_cpus, "the server");
    const UniqueFd listener = listen_at(options.address);
    std::optional<kit::SocketFile> file;
    if (options.address.kind == ControlAddress::Kind::unix_path)
        file.emplace(options.address.path);
    sweep_scratch_dirs();
    const StopEvent event(stop);
    observer.log(IPCMARK_LOG_INFO, fmt::format("serving at {}", to_text(options.address)));
    WaitingRoom room(listener.get(), event.descriptor(), stop, observer);
    while (const auto client = room.next_client()) {
        try {
            observer.log(IPCMARK_LOG_INFO, "a client has connected");
            ClientSession(options, *client, stop, event).run();
            observer.log(IPCMARK_LOG_INFO, "the client has gone");
        } catch (const LostClient& lost) {
            if (options.once)
                throw RunError(lost.what());
            observer.log(IPCMARK_LOG_WARNING, lost.what());
        } catch (const std::exception& error) {
            // A broken client, whatever it sent or did not send; the next one is served all the same.
            observer.log(IPCMARK_LOG_WARNING, error.what());
            continue;
        }
        if (options.once)
            return;
    }
}

} // namespace ipcmark

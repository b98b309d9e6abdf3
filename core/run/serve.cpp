// SPDX-License-Identifier: Apache-2.0
// The server's end of a stand-alone run: workers for the tests of clients, one client at a time.
#include "run/control_address.hpp"
#include "run/placement.hpp"
#include "run/scratch_dir.hpp"
#include "run/slot_json.hpp"
#include "run/stand_alone_protocol.hpp"
#include "run/worker_job.hpp"
#include "run/worker_process.hpp"

#include <ipcmark/modules.hpp>
#include <ipcmark/run.hpp>

#include <array>
#include <cerrno>
#include <cstring>

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;

constexpr auto word_limit = 10s; // for what a client says unasked: a silent stranger keeps others waiting no longer

// Wakes a poll when a stop is asked for.
class StopEvent {
public:
    explicit StopEvent(const std::stop_token& stop)
        : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), callback_(stop, [this] {
              const std::uint64_t one = 1;
              [[maybe_unused]] const auto written = write(event_.get(), &one, sizeof one);
          }) {}
    [[nodiscard]] int descriptor() const noexcept { return event_.get(); }

private:
    UniqueFd event_;
    std::stop_callback<std::function<void()>> callback_;
};

// One client, from its hello to its end.
class ClientSession {
public:
    ClientSession(const ServeOptions& options, ControlChannel& client, const std::stop_token& stop,
                  const StopEvent& event)
        : options_(options), client_(client), stop_(stop), event_(event) {}

    void run() {
        const PeerHello peer = shake_hands(client_, std::chrono::steady_clock::now() + word_limit, stop_);
        // What was read along with the handshake wakes no poll: look first, then wait.
        for (;;) {
            while (auto message = client_.receive(0ms))
                handle_idle(*message);
            if (stop_.stop_requested() || client_.closed())
                return;
            wait({{client_.descriptor(), POLLIN, 0}});
        }
    }

private:
    void wait(std::vector<pollfd> entries) const {
        entries.push_back({event_.descriptor(), POLLIN, 0});
        poll(entries.data(), entries.size(), -1);
    }

    void handle_idle(const boost::json::object& message) {
        const std::string type = text_field(message, "type");
        // What belongs to a worker that is gone already.
        if (type == "exit" || type == "interrupt" || type == "kill" || type == "start" || type == "connect")
            return;
        if (type != "spawn")
            throw RunError(fmt::format("the client sent an unknown message '{}'", type));
        const auto job_message = client_.receive(word_limit);
        if (!job_message || text_field(*job_message, "type") != "job")
            throw RunError("the client asked for a worker without a job");
        try {
            serve_direction(message, *job_message);
        } catch (const UsageError& error) {
            refuse("usage", error.what());
        } catch (const RunError& error) {
            refuse("run", error.what());
        }
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
        layout.uncorrected = job.rate_per_second > 0;
        ResultsMemory memory = ResultsMemory::create(layout, clock);
        WorkerProcess worker = WorkerProcess::spawn(memory.descriptor());
        worker.channel().send({{"type", "job"}, {"job", job.to_json()}});
        const std::string end = forward(worker);
        remove_scratch_dir(job.scratch_dir);
        client_.send({{"type", "exited"}, {"text", end}, {"slots", server_slots_to_json(memory)}});
    }

    // Passes messages on until the worker has ended; the worker does not outlive its client.
    std::string forward(WorkerProcess& worker) {
        for (;;) {
            if (stop_.stop_requested())
                worker.channel().send({{"type", "interrupt"}});
            const auto end = worker.ended();
            while (auto message = worker.channel().receive(0ms))
                client_.send(*message);
            if (end)
                return *end;
            while (auto message = client_.receive(0ms)) {
                if (text_field(*message, "type") == "kill")
                    worker.kill();
                else
                    worker.channel().send(*message);
            }
            if (client_.closed() || stop_.stop_requested()) {
                worker.end(); // what it leaves is sent next
                return "killed: the run was ended";
            }
            wait({{client_.descriptor(), POLLIN, 0},
                  {worker.channel().descriptor(), POLLIN, 0},
                  {worker.pidfd(), POLLIN, 0}});
        }
    }

    const ServeOptions& options_;
    ControlChannel& client_;
    const std::stop_token& stop_;
    const StopEvent& event_;
};

// Removes the socket file of a path when serving ends.
struct SocketFile {
    const ControlAddress& address;
    ~SocketFile() {
        if (address.kind == ControlAddress::Kind::unix_path)
            unlink(address.path.c_str());
    }
};

} // namespace

void serve(const ServeOptions& options, Observer& observer, std::stop_token stop) {
    check_cpus(options.server_cpus, "the server");
    const UniqueFd listener = listen_at(options.address);
    const SocketFile file{options.address};
    sweep_scratch_dirs();
    const StopEvent event(stop);
    observer.log(IPCMARK_LOG_INFO, fmt::format("serving at {}", to_text(options.address)));
    while (!stop.stop_requested()) {
        std::array<pollfd, 2> entries{{{listener.get(), POLLIN, 0}, {event.descriptor(), POLLIN, 0}}};
        // A signal ends the poll before the stop that it asks for is there; accept would then wait for ever.
        if (poll(entries.data(), entries.size(), -1) <= 0 || (entries[0].revents & POLLIN) == 0)
            continue;
        UniqueFd socket(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!socket)
            continue;
        ControlChannel client(std::move(socket));
        try {
            observer.log(IPCMARK_LOG_INFO, "a client has connected");
            ClientSession(options, client, stop, event).run();
            observer.log(IPCMARK_LOG_INFO, "the client has gone");
        } catch (const std::exception& error) {
            // A stranger or a broken client, whatever it sent; the next one is served all the same.
            observer.log(IPCMARK_LOG_WARNING, error.what());
            continue;
        }
        if (options.once)
            return;
    }
}

} // namespace ipcmark

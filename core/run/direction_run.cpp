// SPDX-License-Identifier: Apache-2.0
#include "run/direction_run.hpp"

#include "measure/patient_clock.hpp"
#include "result/wait_policy_names.hpp"
#include "run/assemble.hpp"
#include "run/cpu_throttling.hpp"
#include "run/probe.hpp"
#include "run/progress_watch.hpp"
#include "run/rfc3339.hpp"
#include "run/sample_drain.hpp"

#include <ipcmark/units.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto set_up_limit = 15s;        // above the time-out of accept and connect, which names the cause
constexpr auto better_word_limit = 300ms; // for the other side to name the real cause
constexpr auto stop_flag_limit = 1s;      // for a loop to see the stop flag by itself
// A virtual machine may have a CPU taken away for seconds. A worker that was on it is not lossy, hung or healthy: it is
// late, and judged by these only after more than that. (Where all stand still no time passes: see PatientClock.)
constexpr auto drain_limit = 6s; // for the server to take what the client has sent, while nothing arrives
constexpr auto obey_limit = 6s;  // for a loop to end after an interrupt (100 ms by the ABI), or a process that dies
constexpr auto leave_limit = 8s; // for a worker to close everything and end
constexpr auto set_up_obey_limit = 1s;
constexpr auto tick = 50ms;
constexpr auto streaming_tick = 5ms;
static_assert(tick < PatientClock::longest_step);

struct Side {
    Role role;
    std::unique_ptr<WorkerLink> link;
    std::string call = "its loading"; // of the module: what was called last in its set-up, or what does not return
    bool listening = false;
    bool ready = false;
    bool finished = false; // its loops have ended, or it failed
    bool failed = false;   // it has said what is wrong
    bool said_bye = false; // it has closed everything
    bool gone = false;     // its process has ended
    bool interrupted = false;
    bool talked_nonsense = false;
};

class DirectionRun {
public:
    explicit DirectionRun(const DirectionRequest& request)
        : request_(request), plan_(*request.plan), memory_(ResultsMemory::create(layout(request), *request.clock)),
          watch_(memory_, request.client_job), stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          on_stop_(request.stop, [this] { signal_stop(); }) {
        if (request.streaming != nullptr) {
            const Role recording = request.direction == Direction::round_trip ? Role::client : Role::server;
            drain_.emplace(memory_, recording, *request.clock, *request.streaming);
        }
    }

    DirectionOutcome run() {
        const std::string timestamp = rfc3339_now();
        tell("begins: " + text_of(request_.client_job));
        tell(fmt::format("server on {}, client on {}", cpus_of(request_.server_job), cpus_of(request_.client_job)));
        start_workers();
        loop();
        warn_of_throttling();
        tell_window();
        close_workers();
        if (drain_)
            drain_->drain();
        assemble(timestamp);
        return std::move(outcome_);
    }

private:
    static ResultsLayout layout(const DirectionRequest& request) {
        ResultsLayout layout;
        layout.endpoints = request.client_job.endpoints;
        layout.uncorrected = request.client_job.rate_per_second > 0;
        layout.shared_with_peer = !request.make_server;
        layout.stamp_rings =
            layout.shared_with_peer && request.client_job.message_size < 16 && request.direction == Direction::one_way;
        layout.sample_rings = request.streaming != nullptr;
        return layout;
    }

    // A detail for the log, with the time since the beginning of this direction.
    void tell(const std::string& text) const { tell(SteadyClock::now() - began_, text); }
    void tell(std::chrono::nanoseconds time, const std::string& text) const {
        request_.observer->log(IPCMARK_LOG_DEBUG,
                               fmt::format("{}, {:.3f} ms: {}", direction_name(request_.direction),
                                           std::chrono::duration<double, std::milli>(time).count(), text));
    }

    static std::string cpus_of(const WorkerJob& job) {
        return job.cpus.empty() ? "any CPU" : "CPU " + format_cpu_list(job.cpus);
    }

    static std::string text_of(const WorkerJob& job) {
        const auto length = job.count != 0 ? fmt::format("{} messages", job.count)
                                           : format_duration(std::chrono::nanoseconds(job.duration_ns));
        return fmt::format(
            "{} of {} bytes on {} endpoints, after {} on each to warm up; {}, wait {}, window {}, batch {}", length,
            job.message_size, job.endpoints, job.warmup, job.mode == Mode::blocking ? "blocking" : "asynchronous",
            wait_policy_name(job.wait), job.window, job.batch);
    }

    void tell_module() const {
        const ModuleIdentity& module = *outcome_.module;
        tell(fmt::format("module {} {}, ABI {}.{}, {}", module.id, module.version, module.abi_major, module.abi_minor,
                         module.path));
        std::string options;
        for (const auto& option : outcome_.options)
            options += fmt::format("{}{}={}{}", options.empty() ? "" : ", ", option.name, option.value,
                                   option.given ? " (given)" : "");
        tell("options: " + (options.empty() ? "none" : options));
    }

    // The workers alone know when: their stamps are read once both have finished. Arrivals that are counted on another
    // machine come later.
    void tell_window() const {
        const Role recording = request_.direction == Direction::round_trip ? Role::client : Role::server;
        std::uint64_t begin = UINT64_MAX;
        std::uint64_t end = 0;
        for (unsigned endpoint = 0; endpoint < request_.client_job.endpoints; ++endpoint) {
            const Slot& client = memory_.slot(Role::client, endpoint);
            if (client.sent.load(std::memory_order_relaxed) != 0)
                begin = std::min(begin, client.first_send_tick.load(std::memory_order_relaxed));
            const Slot& recorder = memory_.slot(recording, endpoint);
            if (recorder.received.load(std::memory_order_relaxed) != 0)
                end = std::max(end, recorder.last_receive_tick.load(std::memory_order_relaxed));
        }
        const auto tell_at = [&](std::uint64_t ticks, const std::string& text) {
            const std::chrono::nanoseconds since_start(memory_.scale().to_ns(ticks - started_ticks_));
            tell(measuring_since_ - began_ + since_start, text);
        };
        if (begin == UINT64_MAX || begin < started_ticks_)
            return;
        tell_at(begin, "the warm-up is over, the window begins");
        if (end > begin)
            tell_at(end, fmt::format("the window ends, with {} messages", watch_.messages()));
    }

    void warn(const char* code, const std::string& cause, const char* remedy) {
        const Direction direction = request_.direction;
        outcome_.warnings.push_back({code, fmt::format("{}: {}", direction_name(direction), cause), remedy, direction});
    }

    void warn_of_throttling() {
        const CpuThrottling found = throttling_ ? throttling_->look() : CpuThrottling();
        if (found.throttled_periods == 0)
            return;
        warn(
            "cpu-throttled",
            fmt::format("the CPU quota of the control group was used up in {} of {} periods, and its threads were kept "
                        "off their CPUs for {:.3f} s in all: rates and high percentiles are those of the quota",
                        found.throttled_periods, found.periods, static_cast<double>(found.throttled_ns) / 1e9),
            "raise the limit of the container (--cpus, limits.cpu, CPUQuota) or take it away, and measure again");
    }

    void start_workers() {
        // Another program is asked last: what it has begun could not be taken back if the client cannot be started.
        if (!request_.make_server)
            server_.link = std::make_unique<LocalWorker>(memory_);
        client_.link = std::make_unique<LocalWorker>(memory_);
        if (request_.make_server)
            server_.link = request_.make_server(memory_);
        server_.link->channel().send({{"type", "job"}, {"job", request_.server_job.to_json()}});
        client_.link->channel().send({{"type", "job"}, {"job", request_.client_job.to_json()}});
    }

    // ------------------------------------------------------------------------------------------- the main loop

    void loop() {
        const auto set_up_end = clock_.elapsed() + set_up_limit;
        while (!over()) {
            wait_and_handle();
            if (watch_.look())
                last_move_ = clock_.elapsed();
            if (drain_)
                drain_->drain();
            if (!measuring_) {
                if (clock_.elapsed() > set_up_end) {
                    awaiting_other_side_ = false;
                    note_stuck(hang_of(pending_side()));
                }
                if (stop_asked_)
                    return;
                continue;
            }
            report_progress();
            check_time();
        }
        // The run was ended for it.
        if (watch_.broken() && !cause_.found())
            cause_.note(CauseKind::fault,
                        fmt::format("module '{}' wrote over the memory in which its measurement is kept: an endpoint "
                                    "that has failed stands there, and none has",
                                    plan_.mechanism));
    }

    [[nodiscard]] bool over() {
        if (server_.finished && client_.finished)
            return !cause_.found() || waited_for_better_word();
        return cause_.found() && waited_for_better_word();
    }

    bool waited_for_better_word() {
        const auto now = clock_.elapsed();
        if (!cause_seen_at_)
            cause_seen_at_ = now;
        if (awaiting_other_side_)
            return false;
        return !cause_.may_improve() || now > *cause_seen_at_ + better_word_limit;
    }

    // A client that cannot connect yet waits for the server, and a server in accept for the client.
    [[nodiscard]] const Side& pending_side() const {
        return server_.listening && !client_.ready && !client_.finished ? client_ : server_;
    }

    [[nodiscard]] std::string hang_of(const Side& side) const {
        return fmt::format("module '{}' hangs: {}, in the {} worker, does not return", plan_.mechanism, side.call,
                           role_name(side.role));
    }

    // How long nothing at all has moved, warm-up included.
    [[nodiscard]] std::chrono::nanoseconds idle() const { return clock_.elapsed() - last_move_; }

    void check_time() {
        if (watch_.broken())
            memory_.header().stop.store(1, std::memory_order_relaxed);
        if (stop_asked_ || out_of_time_ || watch_.broken()) {
            interrupt_after(stop_seen_at_, stop_flag_limit);
            return;
        }
        if (plan_.timeout.count() > 0 && SteadyClock::now() > measuring_since_ + plan_.timeout) {
            out_of_time_ = true;
            memory_.header().stop.store(1, std::memory_order_relaxed);
            cause_.note(CauseKind::fault, time_out_text());
            return;
        }
        if (const auto limit = stall_limit(request_.client_job); idle() > limit) {
            note_stuck(fmt::format("no message has moved for {}: module '{}' is stuck ({})",
                                   format_duration(std::chrono::floor<std::chrono::seconds>(limit)), plan_.mechanism,
                                   usual_cause()));
            return;
        }
        // A worker that was stopped moves nothing, which is no fault of the module's, and loses nothing: its messages
        // wait.
        if (idle() > drain_limit && tell_of_stopped_worker())
            return;
        if (client_.finished && !server_.finished && idle() > drain_limit) {
            // The end message did not arrive; what else did not is counted as lost.
            interrupt(server_);
            if (idle() > drain_limit + obey_limit)
                cause_.note(CauseKind::fault,
                            fmt::format("module '{}' does not come back from an interrupted receive", plan_.mechanism));
        }
    }

    [[nodiscard]] std::string time_out_text() const {
        return fmt::format("the run took longer than its time-out of {}", format_duration(plan_.timeout));
    }

    // Of a run that is stuck. A blocking client fills the window before it receives; where the window is more than the
    // buffers hold, both sides then wait in send.
    [[nodiscard]] std::string usual_cause() const {
        if (request_.direction == Direction::one_way || plan_.window == 1 || plan_.mode != Mode::blocking)
            return "a lost message, or a message that does not fit its buffers, does that";
        return fmt::format(
            "buffers that hold fewer than the {} messages of the window do that, as both sides then wait "
            "for room: give a smaller --window, a larger buffer ('ipcmark inspect {}' has its options), "
            "or --async; or a message was lost",
            plan_.window, plan_.mechanism);
    }

    // The module is not to blame for a worker that somebody has stopped.
    void note_stuck(const std::string& otherwise) {
        const Side* side = stopped_side();
        cause_.note(CauseKind::fault,
                    side == nullptr ? otherwise
                                    : fmt::format("nothing moves: the {} worker of module '{}' is stopped, by SIGSTOP "
                                                  "or a debugger",
                                                  role_name(side->role), plan_.mechanism));
    }

    // The side whose worker somebody has stopped; null if there is none.
    [[nodiscard]] const Side* stopped_side() const {
        for (const Side* side : {&server_, &client_}) {
            if (!side->gone && side->link->stopped())
                return side;
        }
        return nullptr;
    }

    bool tell_of_stopped_worker() {
        const Side* side = stopped_side();
        if (side != nullptr && !std::exchange(stop_told_, true))
            request_.observer->log(IPCMARK_LOG_WARNING,
                                   fmt::format("the {} worker of module '{}' was stopped by a signal; the run goes on "
                                               "when it is continued",
                                               role_name(side->role), plan_.mechanism));
        return side != nullptr;
    }

    void interrupt_after(std::optional<std::chrono::nanoseconds>& since, std::chrono::nanoseconds grace) {
        const auto now = clock_.elapsed();
        if (!since)
            since = now;
        if (now < *since + grace)
            return;
        interrupt(server_);
        interrupt(client_);
        if (now > *since + grace + obey_limit)
            cause_.note(CauseKind::fault,
                        fmt::format("module '{}' does not come back from an interrupted call", plan_.mechanism));
    }

    void interrupt(Side& side) {
        if (side.interrupted || side.gone)
            return;
        side.interrupted = true;
        interrupted_at_ = clock_.elapsed();
        side.link->channel().send({{"type", "interrupt"}});
    }

    void report_progress() {
        const auto now = SteadyClock::now();
        if (!request_.observer->wants_progress() || now < next_report_)
            return;
        next_report_ = now + 100ms;
        Progress progress = watch_.progress();
        progress.test_index = request_.test_index;
        progress.test_count = request_.test_count;
        request_.observer->progress(progress);
    }

    // ---------------------------------------------------------------------------------------- what the workers say

    void wait_and_handle() {
        std::array<pollfd, 5> entries{};
        std::size_t count = 0;
        for (Side* side : {&server_, &client_}) {
            if (side->gone)
                continue;
            if (!side->link->channel().closed())
                entries[count++] = {side->link->channel().descriptor(), POLLIN, 0};
            if (side->link->end_descriptor() >= 0)
                entries[count++] = {side->link->end_descriptor(), POLLIN, 0};
        }
        if (!stop_asked_)
            entries[count++] = {stop_event_.get(), POLLIN, 0};
        const auto wait = drain_ && measuring_ ? streaming_tick : tick;
        poll(entries.data(), count, static_cast<int>(wait.count()));
        clock_.look();
        if (!stop_asked_ && request_.stop.stop_requested()) {
            stop_asked_ = true;
            outcome_.interrupted = true;
            memory_.header().stop.store(1, std::memory_order_relaxed);
        }
        handle_side(server_);
        handle_side(client_);
    }

    void handle_side(Side& side) {
        if (side.gone)
            return;
        // The state of the process is read first: what it said before it ended is then in the channel.
        const auto end = side.link->ended();
        hear(side);
        if (end)
            handle_death(side, *end);
        else if (const auto late = side.link->ended();
                 late && (side.link->end_descriptor() < 0 || side.link->channel().closed()))
            handle_death(side, *late);
    }

    // What follows nonsense cannot be told from it: the connection is ended, at which a worker of ours goes by itself.
    void hear(Side& side) {
        try {
            while (auto message = side.link->channel().receive(0ms)) {
                if (!side.link->handle(*message))
                    handle(side, *message);
            }
        } catch (const std::exception& error) { // of the JSON library, too
            side.talked_nonsense = true;
            side.finished = true;
            awaiting_other_side_ = false;
            side.link->channel().hang_up();
            cause_.note(CauseKind::fault, fmt::format("the {} worker of module '{}' sent nonsense: {}",
                                                      role_name(side.role), plan_.mechanism, error.what()));
        }
    }

    void handle_death(Side& side, const std::string& end) {
        side.gone = true;
        tell(fmt::format("the {} worker has ended{}", role_name(side.role), end.empty() ? " well" : ": " + end));
        awaiting_other_side_ = false;
        // A worker that ends well after it has said what is wrong has nothing to add.
        if (end.empty() && (side.said_bye || side.failed || (side.finished && cause_.found())))
            return;
        // One that was told to go because something had gone wrong has nothing to add, however it went.
        if (side.talked_nonsense || (leaving_ && cause_.found()))
            return;
        if (leaving_ && end.empty()) {
            cause_.note(CauseKind::death,
                        fmt::format("module '{}' ended its process, in the {} worker, while it closed, after the "
                                    "measurement",
                                    plan_.mechanism, role_name(side.role)));
            return;
        }
        const bool was_finished = side.finished;
        side.finished = true;
        const std::string how = end.empty() ? "ended too early" : "was " + end;
        cause_.note(CauseKind::death,
                    fmt::format("the {} worker of module '{}' {}{}", role_name(side.role), plan_.mechanism,
                                end.starts_with("exit code") ? "ended with " + end : how,
                                leaving_                 ? " while it closed, after the measurement"
                                : was_finished           ? " after its part of the measurement"
                                : !measuring_            ? " while it was being set up"
                                : watch_.messages() == 0 ? " during the warm-up"
                                                         : " in the middle of the measurement"));
    }

    void handle(Side& side, const boost::json::object& message) {
        const std::string type = text_field(message, "type");
        if (type == "log") {
            const auto level = static_cast<int>(number_field(message, "level"));
            if (request_.module_log != nullptr)
                request_.module_log->write(request_.client_job.module_id, level, text_field(message, "text"));
            else
                request_.observer->log(level, text_field(message, "text"));
        } else if (type == "calls") {
            side.call = text_field(message, "function");
        } else if (type == "listening") {
            side.listening = true;
            tell("the server listens");
            client_.link->channel().send({{"type", "connect"}, {"address", text_field(message, "address")}});
        } else if (type == "ready") {
            handle_ready(side, message);
        } else if (type == "finished") {
            side.finished = true;
            handle_ends(side, message);
        } else if (type == "hangs") {
            side.call = text_field(message, "function");
            // What did not come back from the measurement is told already.
            if (!cause_.found())
                cause_.note(CauseKind::fault, hang_of(side));
        } else if (type == "bye") {
            side.said_bye = true;
        } else if (type == "error") {
            side.finished = side.failed = true;
            const auto status = message.at("status").to_number<ipcmark_status>(); // of a module: it may be any
            const bool usage = text_field(message, "kind") == "usage";
            if (side.interrupted || leaving_)
                return;
            outcome_.usage_error = outcome_.usage_error || usage;
            const bool consequence =
                status == IPCMARK_PEER_GONE || status == IPCMARK_NOT_CONNECTED || status == IPCMARK_TIMED_OUT;
            // The other side's call is still under way: it may be what this side has waited for in vain. Without an
            // address nothing was called there.
            const Side& other = side.role == Role::server ? client_ : server_;
            awaiting_other_side_ = status == IPCMARK_TIMED_OUT && server_.listening && !measuring_ && !other.ready &&
                                   !other.finished && !cause_.found();
            cause_.note(consequence ? CauseKind::consequence : CauseKind::fault, text_field(message, "text"));
        } else {
            throw RunError(fmt::format("unknown message '{}'", type));
        }
    }

    void handle_ready(Side& side, const boost::json::object& message) {
        side.ready = true;
        tell(side.role == Role::server ? "the server has accepted" : "the client is connected");
        awaiting_other_side_ = false;
        ModuleIdentity module = identity_from_json(object_field(message, "module"));
        const bool checked = module.checked || (outcome_.module && outcome_.module->checked);
        if (!outcome_.module || side.role == Role::client) {
            outcome_.module = std::move(module);
            outcome_.options.clear();
            for (const auto& item : message.at("options").as_array()) {
                const auto& option = item.as_object();
                outcome_.options.push_back(
                    {text_field(option, "name"), text_field(option, "value"), option.at("given").as_bool()});
            }
        }
        outcome_.module->checked = checked;
        if (!server_.ready || !client_.ready)
            return;
        tell_module();
        throttling_.emplace();
        measuring_ = true;
        measuring_since_ = SteadyClock::now();
        started_ticks_ = request_.clock->now();
        client_.link->channel().send({{"type", "start"}});
        tell("the warm-up begins");
    }

    void handle_ends(Side& side, const boost::json::object& message) {
        for (const auto& item : message.at("ends").as_array()) {
            const auto& end = item.as_object();
            const auto status = end.at("status").to_number<ipcmark_status>();
            if (status == IPCMARK_OK || (status == IPCMARK_CANCELLED && (side.interrupted || leaving_)))
                continue;
            // A server that hears of its client's end before the end message has nothing to complain of.
            if (status == IPCMARK_PEER_GONE && side.role == Role::server && client_.finished && !cause_.found())
                continue;
            const bool consequence = status == IPCMARK_PEER_GONE || status == IPCMARK_CANCELLED;
            cause_.note(consequence ? CauseKind::consequence : CauseKind::fault, text_field(end, "text"));
        }
    }

    // ------------------------------------------------------------------------------------------------ the end

    void close_workers() {
        ended_early_ = cause_.found() || stop_asked_;
        if (ended_early_) {
            // For a loop that waits for its peer in no call that an interrupt could end.
            memory_.header().stop.store(1, std::memory_order_relaxed);
            interrupt(server_);
            interrupt(client_);
            // While they are set up there is nothing to keep.
            wait_until_finished(interrupted_at_ + (measuring_ ? obey_limit : set_up_obey_limit));
        }
        leaving_ = true;
        for (Side* side : {&server_, &client_})
            side->link->channel().send({{"type", "exit"}});
        wait_until_gone(clock_.elapsed() + leave_limit);
        for (Side* side : {&server_, &client_}) {
            if (side->gone)
                continue;
            side->link->kill();
            cause_.note(CauseKind::fault, fmt::format("module '{}' hangs: the {} worker did not end and was killed",
                                                      plan_.mechanism, role_name(side->role)));
        }
        // Until they are dead they may still write what is read next; those of another program are sent at their end.
        wait_until_gone(clock_.elapsed() + obey_limit);
        give_up_silent_server();
    }

    // A program that runs the server for us and says nothing at all is itself what hangs, not the module. What it may
    // say later is about none of the tests that follow.
    void give_up_silent_server() {
        const std::string address = server_.link->address();
        if (address.empty() || server_.gone)
            return;
        server_.link->channel().hang_up();
        if (!server_.finished)
            cause_.note(CauseKind::death, fmt::format("the server at {} does not answer any more", address));
    }

    void wait_until_gone(std::chrono::nanoseconds end) {
        while (!(server_.gone && client_.gone) && clock_.elapsed() < end)
            wait_and_handle();
    }

    void wait_until_finished(std::chrono::nanoseconds end) {
        while (!(server_.finished && client_.finished) && clock_.elapsed() < end)
            wait_and_handle();
    }

    void signal_stop() noexcept {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = write(stop_event_.get(), &one, sizeof one);
    }

    void assemble(const std::string& timestamp) {
        if (!memory_.intact()) {
            outcome_.failure =
                fmt::format("module '{}' wrote over the memory in which its measurement is kept: none of "
                            "it can be trusted",
                            plan_.mechanism);
            return;
        }
        AssembleInput input;
        input.plan = &plan_;
        input.job = &request_.client_job;
        input.direction = request_.direction;
        input.memory = &memory_;
        input.clock = request_.clock;
        input.module = outcome_.module ? &*outcome_.module : nullptr;
        input.peak_messages_per_second = watch_.peak_messages_per_second();
        input.server_cpus = request_.server_job.cpus;
        input.ended_early = ended_early_;
        input.streaming_dropped = drain_ ? drain_->dropped() : 0;
        outcome_.failure = cause_.text();
        auto result = assemble_result(input);
        if (out_of_time_ && outcome_.failure == time_out_text())
            *outcome_.failure += result.throughput.total_messages == 0 ? "; nothing was measured by then"
                                                                       : "; what was measured by then is kept";
        if (result.throughput.total_messages == 0 && outcome_.failure)
            return;
        result.timestamp = timestamp;
        if (result.throughput.total_messages == 0) {
            outcome_.failure = stop_asked_ ? "interrupted before the first measured message"
                               : plan_.duration && result.delivery.sent == 0
                                   ? fmt::format("no message was measured within the duration of {}; give a longer one",
                                                 format_duration(*plan_.duration))
                                   : fmt::format("module '{}' delivered no message", plan_.mechanism);
            return;
        }
        if (stop_asked_ && result.partial && !outcome_.failure)
            outcome_.failure = fmt::format("interrupted after {} messages; what was measured is kept",
                                           result.throughput.total_messages);
        outcome_.result = std::move(result);
    }

    const DirectionRequest& request_;
    const TestPlan& plan_;
    ResultsMemory memory_;
    ProgressWatch watch_;
    std::optional<SampleDrain> drain_;
    std::optional<ThrottlingWatch> throttling_; // from the warm-up on
    Side server_{Role::server, nullptr};
    Side client_{Role::client, nullptr};
    PatientClock clock_; // of all limits but the user's own
    std::chrono::nanoseconds last_move_{0};
    FailureCause cause_;
    std::optional<std::chrono::nanoseconds> cause_seen_at_;
    bool awaiting_other_side_ = false;
    bool measuring_ = false;
    SteadyClock::time_point began_ = SteadyClock::now();
    SteadyClock::time_point measuring_since_{};
    std::uint64_t started_ticks_ = 0; // the same moment
    SteadyClock::time_point next_report_{};
    bool stop_asked_ = false;
    bool out_of_time_ = false;
    std::optional<std::chrono::nanoseconds> stop_seen_at_;
    std::chrono::nanoseconds interrupted_at_{};
    bool ended_early_ = false; // the measurement, whatever comes after it
    bool leaving_ = false;
    bool stop_told_ = false; // that a worker is stopped was logged
    DirectionOutcome outcome_;
    UniqueFd stop_event_;
    std::stop_callback<std::function<void()>> on_stop_;
};

} // namespace

DirectionOutcome run_direction(const DirectionRequest& request) {
    request.observer->direction_started(request.direction);
    return DirectionRun(request).run();
}

} // namespace ipcmark

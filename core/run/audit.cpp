// SPDX-License-Identifier: Apache-2.0
#include "run/audit.hpp"

#include "measure/client_phases.hpp"
#include "measure/harness_cost.hpp"
#include "run/placement.hpp"
#include "run/plan_limits.hpp"

#include <ipcmark/units.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include <fmt/format.h>

namespace ipcmark {
namespace {

// Fewer samples than this say nothing about a mean.
constexpr std::uint64_t enough_samples = 100;

CheckVerdict verdict(bool good) {
    return good ? CheckVerdict::ok : CheckVerdict::suspicious;
}

// Little's law: the mean number of messages in a system is the rate at which they leave times the mean time that they
// stay. In a closed loop that number is known: endpoints times window.
// Each endpoint has a span of its own: with several, some end before others. In a send delay nothing is outstanding,
// and the one that would follow the last message is in the window only.
AuditCheck littles_law(const DirectionResult& result, const TestPlan& plan, const AuditInput& input) {
    AuditCheck check{"littles-law", 0, "0.95 to 1.05 (mean round trip x rate / outstanding)",
                     CheckVerdict::not_applicable};
    const bool closed = result.latency.direction == Direction::round_trip && !plan.rate_per_second &&
                        (plan.window == 1 || plan.send_delay.count() == 0);
    if (!closed || result.partial || result.throughput.total_messages < enough_samples * plan.concurrency * plan.window)
        return check;
    const double in_round_trips_ns =
        result.latency.histogram.mean_ns() * static_cast<double>(result.throughput.total_messages);
    const double span_ns =
        (plan.concurrency == 1 && plan.send_delay.count() == 0 ? static_cast<double>(result.throughput.duration_ns)
                                                               : input.endpoint_spans_ns) -
        input.endpoint_pauses_ns;
    check.value = span_ns > 0 ? in_round_trips_ns / span_ns / plan.window : 0;
    const double slack = plan.concurrency == 1 ? 0.05 : 0.2;
    if (plan.concurrency != 1)
        check.expectation = "0.8 to 1.2 (mean round trip x rate / outstanding, each endpoint over its own time)";
    if (plan.send_delay.count() > 0)
        check.expectation += ", without the send delays";
    check.verdict = verdict(check.value > 1 - slack && check.value < 1 + slack);
    return check;
}

// Endpoints that take turns, or of which most have ended early, are not a load of that many endpoints.
AuditCheck overlap(const DirectionResult& result, const TestPlan& plan, double endpoint_spans_ns) {
    AuditCheck check{"overlap", 0, "at least 0.8 of the window with all endpoints at work, on average",
                     CheckVerdict::not_applicable};
    const auto window_ns = static_cast<double>(result.throughput.duration_ns);
    if (plan.concurrency == 1 || result.partial || window_ns <= 0 ||
        result.throughput.total_messages < enough_samples * plan.concurrency)
        return check;
    check.value = endpoint_spans_ns / window_ns / plan.concurrency;
    check.verdict = verdict(check.value >= 0.8);
    return check;
}

AuditCheck share_of_median(const char* id, double cost_ns, const DirectionResult& result) {
    const auto median = static_cast<double>(result.latency.histogram.percentile_ns(50));
    AuditCheck check{id, 0, "below 0.05 of the median", CheckVerdict::not_applicable};
    if (median <= 0)
        return check;
    check.value = cost_ns / median;
    check.verdict = verdict(check.value < 0.05);
    return check;
}

std::size_t threads_of_a_side(const TestPlan& plan) {
    return plan.mode == Mode::blocking ? plan.concurrency : 1;
}

// The entries of its list that a side has threads for: thread i runs on entry i.
std::vector<int> cpus_placed_on(const SideUsage& side, const TestPlan& plan) {
    std::vector<int> cpus = side.cpus_asked;
    cpus.resize(std::min(cpus.size(), threads_of_a_side(plan)));
    return cpus;
}

AuditCheck placement(const DirectionResult& result, const AuditInput& input) {
    AuditCheck check{"cpu-placement", 0, "0 CPUs that a thread was on which was placed on another",
                     CheckVerdict::not_applicable};
    if (result.server.cpus_asked.empty() && result.client.cpus_asked.empty())
        return check;
    check.value = static_cast<double>(input.server_astray.size() + input.client_astray.size());
    check.verdict = verdict(check.value == 0);
    return check;
}

// How much of its work each side did on the CPUs that the other had as well, from 0 (apart) to 1 (together, however
// often both moved from one CPU to another); not set where one side did none.
std::optional<double> together(const DirectionResult& result) {
    const auto all_of = [](const SideUsage& side) {
        return std::accumulate(side.messages_by_cpu.begin(), side.messages_by_cpu.end(), 0.0,
                               [](double sum, const auto& entry) { return sum + static_cast<double>(entry.second); });
    };
    const double servers = all_of(result.server);
    const double clients = all_of(result.client);
    if (servers == 0 || clients == 0)
        return {};
    double share = 0;
    for (const auto& [cpu, messages] : result.server.messages_by_cpu) {
        const auto same = result.client.messages_by_cpu.find(cpu);
        if (same != result.client.messages_by_cpu.end())
            share += std::min(static_cast<double>(messages) / servers, static_cast<double>(same->second) / clients);
    }
    return share;
}

// One CPU and two are two different measurements: on one the sides take turns, on two each message wakes a CPU or is
// seen at once. Which of them an unplaced run is was the scheduler's choice, and need not be so in the next run. Where
// there are more threads than CPUs some share one in any run, and only whether all of them did is a matter of choice.
AuditCheck shared_cpu(const DirectionResult& result, const TestPlan& plan, std::size_t common_cpus) {
    AuditCheck check{"shared-cpu", 0, "below 0.5 of the messages on CPUs that both sides had, or both sides placed",
                     CheckVerdict::not_applicable};
    const SideUsage &server = result.server, &client = result.client;
    const auto share = together(result);
    if (common_cpus < 2 || (!server.cpus_asked.empty() && !client.cpus_asked.empty()) || !share)
        return check;
    check.value = *share;
    check.verdict = verdict(*share < 0.5);
    if (2 * threads_of_a_side(plan) > common_cpus) {
        check.expectation = "no CPU that all threads were on, or both sides placed";
        check.verdict = verdict(server.cpus_used.size() != 1 || server.cpus_used != client.cpus_used);
    }
    return check;
}

// The scheduler gives a thread some 3 ms at a time: in a window of a few of those, whether the sides ran at once, or
// one of them not at all for a while, is most of the figure.
AuditCheck short_window(const DirectionResult& result) {
    AuditCheck check{"short-window", 0, "a window of 10 ms or more", CheckVerdict::not_applicable};
    if (result.partial || result.throughput.total_messages < enough_samples || result.throughput.duration_ns == 0)
        return check;
    check.value = static_cast<double>(result.throughput.duration_ns) / 1e6;
    check.verdict = verdict(check.value >= 10);
    return check;
}

bool has(const ModuleIdentity& module, const char* capability) {
    return std::find(module.capabilities.begin(), module.capabilities.end(), capability) != module.capabilities.end();
}

AuditCheck sequence(const DirectionResult& result, const ModuleIdentity* module) {
    const Delivery& delivery = result.delivery;
    const auto claims = [module](const char* name) { return module == nullptr || has(*module, name); };
    AuditCheck check{"sequence", 0, "0 messages lost, doubled, reordered or changed", CheckVerdict::ok};
    check.value = static_cast<double>(delivery.lost + delivery.duplicated + delivery.reordered + delivery.corrupted);
    const bool broken_promise = delivery.corrupted != 0 || (delivery.reordered != 0 && claims("ordered")) ||
                                (delivery.lost + delivery.duplicated != 0 && claims("reliable"));
    check.verdict = verdict(!broken_promise && check.value == 0);
    return check;
}

// Messages that were due in the time of the run and never sent: a rate beyond reach leaves them.
std::uint64_t never_sent(const DirectionResult& result, const TestPlan& plan) {
    if (!plan.rate_per_second || !plan.duration || result.partial)
        return 0;
    const double due = *plan.rate_per_second * std::chrono::duration<double>(*plan.duration).count();
    const double left = due - static_cast<double>(result.delivery.sent);
    // Intervals are rounded up, to a part of a tick: in an hour that is more than a message.
    constexpr double rounding = 1e-5;
    return left >= plan.concurrency + 1.0 + rounding * due ? static_cast<std::uint64_t>(left) : 0;
}

// The least share of the rate asked for that so many messages must have had. One late message is so much of a few.
struct LeastShare {
    static constexpr double late_intervals = 10;
    static constexpr double few = 1000;
    double messages;

    // Of fewer, nothing can be said.
    [[nodiscard]] bool known() const { return messages >= 2 * late_intervals; }
    [[nodiscard]] double value() const { return messages < few ? 1 - late_intervals / messages : 0.99; }
    [[nodiscard]] std::string text() const {
        return messages < few
                   ? fmt::format("at least {:.2f} of the rate asked for, with {} messages", value(), messages)
                   : "at least 0.99 of the rate asked for";
    }
};

// The rate at which messages were sent, to the moment at which the next one would be due: the way of the last message
// is no part of the schedule.
AuditCheck offered_rate(const DirectionResult& result, const TestPlan& plan, std::uint64_t sending_ns) {
    const auto sent = static_cast<double>(result.delivery.sent);
    const LeastShare least{sent};
    AuditCheck check{"offered-rate", 0, least.text(), CheckVerdict::not_applicable};
    // However many were sent in time: those that were not are in no percentile.
    if (const auto missing = static_cast<double>(never_sent(result, plan)); missing != 0) {
        check.value = sent / (sent + missing);
        check.expectation = "1: every message that was due was sent";
        check.verdict = CheckVerdict::suspicious;
        return check;
    }
    if (!plan.rate_per_second || !least.known())
        return check;
    const double intervals = static_cast<double>(sending_ns) / 1e9 * *plan.rate_per_second + 1;
    check.value = sent / intervals;
    check.verdict = verdict(check.value >= least.value());
    return check;
}

// The rate at which messages were received. While there is room on the way, one that is too fast for the receiver is
// sent in time and waits there, each message longer than the one before. So the last was late, and the median half as
// late; a stall at the end makes only the last ones late, and is no sign of a queue that grows.
AuditCheck delivered_rate(const DirectionResult& result, const TestPlan& plan, const AuditInput& input,
                          const AuditCheck& offered) {
    const Delivery& delivery = result.delivery;
    const auto came = static_cast<double>(delivery.received + delivery.lost + delivery.corrupted);
    const LeastShare least{came};
    AuditCheck check{"delivered-rate", 0, least.text(), CheckVerdict::not_applicable};
    // A sender that is late itself, for whichever reason, has been told of.
    if (!plan.rate_per_second || !least.known() || offered.verdict == CheckVerdict::suspicious)
        return check;
    const Histogram& latency = result.latency.histogram;
    const auto usual_ns = static_cast<double>(latency.min_ns());
    const double interval_ns = 1e9 / *plan.rate_per_second;
    const double last_late_ns = static_cast<double>(input.receiving_ns) - usual_ns - (came - 1) * interval_ns;
    const double median_late_ns = static_cast<double>(latency.percentile_ns(50)) - usual_ns;
    const double grown_ns = std::clamp(last_late_ns, 0.0, 2 * median_late_ns);
    check.value = came / (came + grown_ns / interval_ns);
    check.verdict = verdict(check.value >= least.value());
    return check;
}

struct SpinningThreads {
    std::size_t threads = 0;
    std::set<int> cpus; // that they have between them
};

SpinningThreads spinning_threads(const DirectionResult& result, const TestPlan& plan) {
    SpinningThreads spinning;
    for (const SideUsage* side : {&result.server, &result.client}) {
        if (side->cpus_used.empty())
            continue; // the server of a loopback, or one on another machine
        const std::size_t threads = threads_of_a_side(plan);
        spinning.threads += threads;
        spinning.cpus.insert(side->cpus_used.begin(), side->cpus_used.end());
        const std::vector<int> may_use = side->cpus_asked.empty() ? allowed_cpus() : cpus_placed_on(*side, plan);
        spinning.cpus.insert(may_use.begin(), may_use.end());
    }
    return spinning;
}

// Of the time that a side wanted its CPUs, the share that it had them; not set where that cannot be told. One that
// spins wants them all the time. One that sleeps is ready to run for a moment before each of its turns, so that its own
// time says little: its delay is set against the window.
std::optional<double> share_of_cpus(const SideUsage& side, const DirectionResult& result, const TestPlan& plan) {
    // In less than this a single time slice of another program is the figure.
    constexpr std::uint64_t too_short_spinning_ns = 1'000'000;
    constexpr std::uint64_t too_short_window_ns = 10'000'000;
    if (!side.run_delay_ns)
        return {};
    const auto delay_ns = static_cast<double>(*side.run_delay_ns);
    if (plan.wait == WaitPolicy::spin) {
        const std::uint64_t wanted_ns = side.cpu_time_ns + *side.run_delay_ns;
        if (wanted_ns < too_short_spinning_ns)
            return {};
        return 1 - delay_ns / static_cast<double>(wanted_ns);
    }
    const std::uint64_t window_ns = result.throughput.duration_ns;
    const std::size_t threads = threads_of_a_side(plan);
    // Its own threads wait for each other where they share a CPU.
    if (window_ns < too_short_window_ns || threads > side.cpus_used.size())
        return {};
    return std::max(0.0, 1 - delay_ns / static_cast<double>(window_ns * threads));
}

// A side is on its CPU when it wants to be, or another program has it: then messages wait, whatever the transport.
AuditCheck cpu_share(const DirectionResult& result, const TestPlan& plan) {
    const bool spins = plan.wait == WaitPolicy::spin;
    AuditCheck check{"cpu-share", 0,
                     spins ? "at least 0.9 of the time that a spinning side wants its CPUs"
                           : "at least 0.85 of the window without a side that is ready and waits for a CPU",
                     CheckVerdict::not_applicable};
    if (spins) {
        // More threads than CPUs take them from each other, and a warning of its own says so.
        if (const auto [threads, cpus] = spinning_threads(result, plan); threads > cpus.size())
            return check;
    } else if (together(result).value_or(1) > 0.05) {
        return check; // they wait for each other
    }
    for (const SideUsage* side : {&result.server, &result.client}) {
        const auto share = share_of_cpus(*side, result, plan);
        if (!share)
            continue;
        if (check.verdict == CheckVerdict::not_applicable || *share < check.value)
            check.value = *share;
        check.verdict = verdict(check.value >= (spins ? 0.9 : 0.85));
    }
    return check;
}

// "44.6 %"; never with an exponent.
std::string percent(double share) {
    const double value = share * 100;
    const int decimals = value >= 99.95 ? 0 : value >= 0.1 ? 1 : 6;
    return fmt::format("{:.{}f} %", value, decimals);
}

// Where a worker had a thread and should have had none.
std::set<int> cpus_not_asked_for(const DirectionResult& result, const TestPlan& plan) {
    std::set<int> cpus;
    for (const SideUsage* side : {&result.server, &result.client}) {
        const std::vector<int> placed_on = cpus_placed_on(*side, plan);
        if (!placed_on.empty())
            std::copy_if(side->cpus_used.begin(), side->cpus_used.end(), std::inserter(cpus, cpus.end()), [&](int cpu) {
                return std::find(placed_on.begin(), placed_on.end(), cpu) == placed_on.end();
            });
    }
    return cpus;
}

// What a suspicious check found, as a sentence with its figure in it.
std::string finding(const AuditCheck& check, const DirectionResult& result, const TestPlan& plan) {
    if (check.id == "littles-law")
        return fmt::format("mean round trip x rate is {:.3g} times the messages outstanding instead of once: the two "
                           "figures contradict each other",
                           check.value);
    if (check.id == "overlap")
        return fmt::format("the endpoints were at work for {} of the window on average, so the rate is that of fewer "
                           "endpoints",
                           percent(check.value));
    if (check.id == "short-window")
        return fmt::format(
            "the window was {:.3g} ms, no more than a few time slices of the scheduler: the next run may have another "
            "rate by factors",
            check.value);
    if (check.id == "clock-overhead")
        return fmt::format("reading the clock takes {} of the median latency", percent(check.value));
    if (check.id == "clock-resolution")
        return fmt::format("the clock moves in steps of {} of the median latency, so percentiles are known to a step "
                           "only",
                           percent(check.value));
    if (check.id == "harness-overhead")
        return fmt::format("noting a message takes {} of the median latency", percent(check.value));
    if (check.id == "cpu-placement") {
        const std::set<int> cpus = cpus_not_asked_for(result, plan);
        return cpus.empty()
                   ? std::string("a thread ran on a CPU of its side's list that another thread was placed on")
                   : fmt::format("a worker ran on CPU {}, where no thread of it was placed", fmt::join(cpus, ","));
    }
    if (check.id == "shared-cpu")
        return result.server.cpus_used.size() == 1 && result.server.cpus_used == result.client.cpus_used
                   ? fmt::format(
                         "both sides ran on CPU {}, as the scheduler chose, which may choose two in the next run",
                         fmt::join(result.client.cpus_used, ","))
                   : fmt::format("the two sides had the same CPU for {} of the messages, as the scheduler chose, which "
                                 "may choose two in the next run",
                                 percent(check.value));
    if (check.id == "cpu-share" && plan.wait != WaitPolicy::spin)
        return fmt::format("a side was ready to run and had no CPU for {} of the window: its messages waited for other "
                           "programs to leave",
                           percent(1 - check.value));
    if (check.id == "cpu-share")
        return fmt::format("of the time that a spinning side wanted its CPU it had {}: its messages waited for other "
                           "programs to leave",
                           percent(check.value));
    if (check.id == "sample-count")
        return fmt::format("the histogram has {:.0f} samples {} than messages were received", std::abs(check.value),
                           check.value > 0 ? "more" : "fewer");
    if (check.id == "sequence")
        return fmt::format("of {} messages {} lost, {} duplicated, {} reordered, {} corrupted", result.delivery.sent,
                           result.delivery.lost, result.delivery.duplicated, result.delivery.reordered,
                           result.delivery.corrupted);
    if (check.id == "warm-up")
        return fmt::format(
            "{:.0f} message{} of the warm-up had not arrived when the server had taken nothing for {} s, "
            "and measuring began: the first measured messages may have waited behind them",
            check.value, check.value == 1 ? "" : "s", ClientPhases::drain_patience.count());
    if (check.id == "clock-order")
        return fmt::format("by the clock {:.0f} of the messages were received before they were sent", check.value);
    if (check.id == "delivered-rate")
        return fmt::format("messages were sent in time but received at {} of their rate: the latencies are those of a "
                           "growing queue",
                           percent(check.value));
    if (const std::uint64_t missing = never_sent(result, plan); missing != 0)
        return fmt::format("{} of the messages that were due were sent: the latencies are those of a growing queue; {} "
                           "messages that were due had not been sent {} s after the end, and are in no percentile",
                           percent(check.value), missing, longest_overtime.count());
    return fmt::format("messages were sent at {} of the rate asked for: the latencies are those of a growing queue",
                       percent(check.value));
}

const char* remedy_of(const std::string& check, const ClockInfo& clock) {
    // Where the kernel's own clock has stamped, or a counter that it trusts, the advice to take it leads nowhere.
    const bool by_kernel = clock.source == "monotonic";
    const std::map<std::string, const char*> table{
        {"littles-law", "look at lost or changed messages; otherwise report this result as a fault of ipcmark"},
        {"overlap", "measure for a time instead of a count (-d 5s), so that all end together"},
        {"short-window", "measure for a time: -d 2s"},
        {"clock-overhead", by_kernel ? "use a machine whose kernel trusts the TSC, and --clock auto"
                                     : "read differences between transports, not absolute figures, or larger messages"},
        {"clock-resolution", "compare the mean and the rate, which steps do not bend"},
        {"harness-overhead", "read differences between transports, not absolute figures, or larger messages"},
        {"cpu-placement", "look who changes CPU masks on this machine"},
        {"shared-cpu", "choose yourself before you compare: --server-affinity and --client-affinity, two CPUs or one"},
        {"cpu-share", "keep other work off these CPUs, or repeat and compare medians: the mean, the rate and high "
                      "percentiles are those of the other programs' time slices"},
        {"sample-count", "the worker died in the middle of a message, or memory was overwritten by the module"},
        {"sequence", "run 'ipcmark check' on the module; its numbers are not comparable"},
        {"warm-up",
         "run 'ipcmark check' on the module, which may lose messages; or repeat, if something held the server up"},
        {"clock-order", by_kernel
                            ? "the two sides do not share a clock: run both in one time namespace, or use --round-trip"
                            : "the CPUs' counters are not in step: use --clock monotonic"},
        {"offered-rate", "ask for a lower --rate"},
        {"delivered-rate", "ask for a lower --rate, one that the receiver keeps up with"},
    };
    return table.at(check);
}

} // namespace

std::vector<AuditCheck> audit(const DirectionResult& result, const AuditInput& input) {
    const double clock_ns = input.clock->info.overhead_ns;
    AuditCheck samples{"sample-count", 0, "0 messages received but not in the histogram, or the other way round",
                       CheckVerdict::ok};
    samples.value =
        static_cast<double>(result.latency.histogram.total_count()) - static_cast<double>(input.received_by_counter);
    samples.verdict = verdict(samples.value == 0);
    AuditCheck order{"clock-order", static_cast<double>(input.backwards), "0 receive stamps before their send stamps",
                     verdict(input.backwards == 0)};
    AuditCheck warm_up{"warm-up", 0, "0 messages of the warm-up under way when measuring began",
                       CheckVerdict::not_applicable};
    if (result.latency.direction == Direction::one_way) {
        warm_up.value = static_cast<double>(input.warmup_left);
        warm_up.verdict = verdict(input.warmup_left == 0);
    }
    AuditCheck clock = share_of_median("clock-overhead", clock_ns, result);
    AuditCheck resolution = share_of_median("clock-resolution", input.clock->info.resolution_ns, result);
    AuditCheck harness = share_of_median("harness-overhead", harness_cost_ns(), result);
    AuditCheck sharing = shared_cpu(result, *input.plan, input.common_cpus);
    AuditCheck share = cpu_share(result, *input.plan);
    const AuditCheck offered = offered_rate(result, *input.plan, input.sending_ns);
    // Without a transport the tool's own cost is not beside the figure: it is the figure. Nor is there a second side.
    if (input.module != nullptr && has(*input.module, "loopback"))
        clock.verdict = resolution.verdict = harness.verdict = sharing.verdict = share.verdict =
            CheckVerdict::not_applicable;
    return {littles_law(result, *input.plan, input),
            overlap(result, *input.plan, input.endpoint_spans_ns),
            short_window(result),
            clock,
            resolution,
            harness,
            placement(result, input),
            sharing,
            share,
            samples,
            sequence(result, input.module),
            warm_up,
            order,
            offered,
            delivered_rate(result, *input.plan, input, offered)};
}

std::vector<Warning> warnings_of(const DirectionResult& result, const TestPlan& plan, const ClockInfo& clock) {
    std::vector<Warning> warnings;
    const Direction direction = result.latency.direction;
    const auto add = [&](const std::string& code, const std::string& cause, const char* remedy) {
        warnings.push_back({code, fmt::format("{}: {}", direction_name(direction), cause), remedy, direction});
    };
    for (const AuditCheck& check : result.audit) {
        if (check.verdict != CheckVerdict::suspicious)
            continue;
        add(check.id, finding(check, result, plan), remedy_of(check.id, clock));
    }
    if (result.streaming_dropped != 0)
        add("streaming-dropped",
            fmt::format("{} samples did not fit the streaming outputs; the histogram has all of them",
                        result.streaming_dropped),
            "use --rate or --send-delay, or a faster disk");
    if (plan.send_delay.count() > 0)
        add("send-delay", "the throughput is what the send delay allows, not what the transport can do",
            "leave --send-delay out to measure throughput");
    if (plan.wait != WaitPolicy::spin)
        return warnings;
    const auto [threads, cpus] = spinning_threads(result, plan);
    if (threads > cpus.size())
        add("spin-without-cpus",
            fmt::format("{} threads spin on {} CPU{} ({}): each waits for the scheduler to take another one off",
                        threads, cpus.size(), cpus.size() == 1 ? "" : "s", fmt::join(cpus, ",")),
            "give every thread a CPU of its own, or use --wait block");
    return warnings;
}

} // namespace ipcmark

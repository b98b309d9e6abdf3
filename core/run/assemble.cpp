// SPDX-License-Identifier: Apache-2.0
#include "run/assemble.hpp"

#include "measure/whole_sum.hpp"
#include "run/audit.hpp"
#include "run/placement.hpp"

#include <algorithm>
#include <set>

namespace ipcmark {
namespace {

using std::memory_order_relaxed;

Histogram histogram_of(std::span<const std::uint64_t> counts, const HistogramSums& sums) {
    return Histogram(counts, sums.min_ns, sums.max_ns, whole_sum_ns(counts, sums.sum_ns));
}

// The endpoints' windows as one: from the first send of any to the last receive of any.
struct Window {
    std::uint64_t begin = UINT64_MAX;
    std::uint64_t end = 0;

    [[nodiscard]] std::uint64_t ticks() const { return end > begin ? end - begin : 0; }
};

struct EndpointRange {
    unsigned begin;
    unsigned end;
};

Window window_of(const AssembleInput& input, Role recording, EndpointRange endpoints) {
    Window window;
    for (unsigned endpoint = endpoints.begin; endpoint < endpoints.end; ++endpoint) {
        const Slot& client = input.memory->slot(Role::client, endpoint);
        const Slot& recorder = input.memory->slot(recording, endpoint);
        if (recorder.received.load(memory_order_relaxed) == 0)
            continue;
        window.begin = std::min(window.begin, client.first_send_tick.load(memory_order_relaxed));
        window.end = std::max(window.end, recorder.last_receive_tick.load(memory_order_relaxed));
    }
    return window;
}

// Of an open loop, without the way of the last message.
std::uint64_t sending_ticks_of(const AssembleInput& input) {
    Window window;
    for (unsigned endpoint = 0; endpoint < input.job->endpoints; ++endpoint) {
        const Slot& client = input.memory->slot(Role::client, endpoint);
        if (client.sent.load(memory_order_relaxed) == 0)
            continue;
        window.begin = std::min(window.begin, client.first_send_tick.load(memory_order_relaxed));
        window.end = std::max(window.end, client.last_send_tick.load(memory_order_relaxed));
    }
    return window.ticks();
}

// What so many messages take by the plan, to the moment at which another one would be due: with one interval or one
// send delay less, few messages would have a rate above the one that was asked for.
std::uint64_t planned_ns(const AssembleInput& input, std::uint64_t messages) {
    const WorkerJob& job = *input.job;
    if (input.ended_early)
        return 0;
    if (job.rate_per_second > 0)
        return static_cast<std::uint64_t>(static_cast<double>(messages) / job.rate_per_second * 1e9);
    return static_cast<std::uint64_t>(static_cast<double>(messages) * static_cast<double>(job.send_delay_ns) /
                                      job.endpoints);
}

Throughput throughput_of(const AssembleInput& input, Role recording, std::uint64_t messages) {
    Throughput throughput;
    throughput.total_messages = messages;
    throughput.total_bytes = messages * input.job->message_size;
    throughput.duration_ns =
        std::max(input.memory->scale().to_ns(window_of(input, recording, {0, input.job->endpoints}).ticks()),
                 planned_ns(input, messages));
    if (throughput.duration_ns == 0)
        return throughput;
    const double seconds = static_cast<double>(throughput.duration_ns) / 1e9;
    throughput.messages_per_second = static_cast<double>(messages) / seconds;
    throughput.bytes_per_second = static_cast<double>(throughput.total_bytes) / seconds;
    throughput.peak_bytes_per_second = std::max(
        throughput.bytes_per_second, input.peak_messages_per_second * static_cast<double>(input.job->message_size));
    return throughput;
}

Delivery delivery_of(const AssembleInput& input, std::uint64_t received) {
    Delivery delivery;
    delivery.received = received;
    std::uint64_t seen_lost = 0;
    for (unsigned endpoint = 0; endpoint < input.job->endpoints; ++endpoint) {
        const Slot& server = input.memory->slot(Role::server, endpoint);
        const Slot& client = input.memory->slot(Role::client, endpoint);
        delivery.sent += client.sent.load(memory_order_relaxed);
        delivery.duplicated += server.duplicated;
        delivery.reordered += server.reordered;
        // A round trip's message that is damaged on its way there is seen by both sides.
        delivery.corrupted += std::max(server.corrupted, client.corrupted);
        seen_lost += server.lost;
    }
    // What was under way when a run broke off is not lost by the transport; only gaps are. What came damaged is no
    // sample, but came.
    const std::uint64_t came = received + delivery.corrupted;
    if (input.ended_early || delivery.sent < came)
        delivery.lost = seen_lost;
    else
        delivery.lost = delivery.sent - came;
    return delivery;
}

// The kernel looks at a thread once a tick to see whether it is in user mode: the shares of a few ticks say nothing.
void split_cpu_time(SideUsage& usage, std::uint64_t sampled_user_ns, std::uint64_t sampled_system_ns) {
    constexpr std::uint64_t many_ticks_ns = 100'000'000;
    const std::uint64_t sampled_ns = sampled_user_ns + sampled_system_ns;
    if (usage.cpu_time_ns < many_ticks_ns || sampled_ns == 0)
        return;
    const double user_share = static_cast<double>(sampled_user_ns) / static_cast<double>(sampled_ns);
    usage.user_time_ns = static_cast<std::uint64_t>(user_share * static_cast<double>(usage.cpu_time_ns));
    usage.system_time_ns = usage.cpu_time_ns - *usage.user_time_ns;
}

SideUsage usage_of(const AssembleInput& input, Role role, const std::vector<int>& asked, std::uint64_t messages) {
    SideUsage usage;
    usage.cpus_asked = asked;
    std::array<std::uint64_t, 16> used{};
    // In the asynchronous mode one thread drives all endpoints, and each slot has what that thread used.
    const bool one_thread = input.job->mode == Mode::asynchronous;
    const auto add = [one_thread](std::uint64_t& total, std::uint64_t part) {
        total = one_thread ? std::max(total, part) : total + part;
    };
    // A figure that not every kernel shows. That of some threads alone would be too little.
    const auto of_all = [&](std::uint64_t UsageRecord::*figure) -> std::optional<std::uint64_t> {
        std::uint64_t total = 0;
        unsigned known = 0;
        for (unsigned endpoint = 0; endpoint < input.job->endpoints; ++endpoint) {
            if (const auto part = input.memory->slot(role, endpoint).usage.*figure; part != not_known) {
                add(total, part);
                ++known;
            }
        }
        return known >= (one_thread ? 1 : input.job->endpoints) ? std::optional(total) : std::nullopt;
    };
    std::uint64_t user_ns = 0;
    std::uint64_t system_ns = 0;
    for (unsigned endpoint = 0; endpoint < input.job->endpoints; ++endpoint) {
        const Slot& slot = input.memory->slot(role, endpoint);
        add(usage.voluntary_context_switches, slot.usage.voluntary_switches);
        add(usage.involuntary_context_switches, slot.usage.involuntary_switches);
        add(usage.cpu_time_ns, slot.usage.cpu_time_ns);
        add(user_ns, slot.usage.user_time_ns);
        add(system_ns, slot.usage.system_time_ns);
        usage.max_resident_bytes = std::max(usage.max_resident_bytes, slot.max_resident_bytes);
        for (std::size_t word = 0; word < used.size(); ++word)
            used[word] |= slot.cpus_used[word];
        for (const CpuMessages& entry : slot.messages_by_cpu) {
            if (entry.messages != 0 && entry.cpu < used.size() * 64)
                usage.messages_by_cpu[static_cast<int>(entry.cpu)] += entry.messages;
        }
    }
    usage.migrations = of_all(&UsageRecord::migrations);
    usage.run_delay_ns = of_all(&UsageRecord::run_delay_ns);
    split_cpu_time(usage, user_ns, system_ns);
    for (int cpu = 0; cpu < static_cast<int>(used.size() * 64); ++cpu) {
        if ((used[static_cast<std::size_t>(cpu) / 64] >> (cpu % 64) & 1U) != 0)
            usage.cpus_used.push_back(cpu);
    }
    if (messages != 0)
        usage.cpu_time_per_message_ns = static_cast<double>(usage.cpu_time_ns) / static_cast<double>(messages);
    return usage;
}

// The CPUs that a thread was on which was placed on another one: thread i on entry i.
std::set<int> astray_of(const AssembleInput& input, Role role, const std::vector<int>& asked) {
    std::set<int> astray;
    for (unsigned endpoint = 0; !asked.empty() && endpoint < input.job->endpoints; ++endpoint) {
        const std::size_t thread = input.job->mode == Mode::asynchronous ? 0 : endpoint;
        const int own = asked[thread % asked.size()];
        const auto& used = input.memory->slot(role, endpoint).cpus_used;
        for (int cpu = 0; cpu < static_cast<int>(used.size() * 64); ++cpu) {
            if (cpu != own && (used[static_cast<std::size_t>(cpu) / 64] >> (cpu % 64) & 1U) != 0)
                astray.insert(cpu);
        }
    }
    return astray;
}

} // namespace

DirectionResult assemble_result(const AssembleInput& input) {
    const Role recording = input.direction == Direction::round_trip ? Role::client : Role::server;
    DirectionResult result;
    result.latency.direction = input.direction;
    AuditInput facts;
    for (unsigned endpoint = 0; endpoint < input.job->endpoints; ++endpoint) {
        const Slot& slot = input.memory->slot(recording, endpoint);
        result.latency.histogram.merge(
            histogram_of(input.memory->copy_of(input.memory->counts(recording, endpoint)), slot.latency));
        facts.received_by_counter += slot.received.load(memory_order_relaxed);
        facts.backwards += slot.backwards;
        facts.endpoint_spans_ns += static_cast<double>(
            input.memory->scale().to_ns(window_of(input, recording, {endpoint, endpoint + 1}).ticks()));
        facts.endpoint_pauses_ns += static_cast<double>(
            input.memory->scale().to_ns(input.memory->slot(Role::client, endpoint).empty_window_ticks));
        facts.warmup_left += input.memory->slot(Role::client, endpoint).warmup_left;
        const auto uncorrected = input.memory->uncorrected_counts(recording, endpoint);
        if (!uncorrected.empty() && slot.uncorrected.max_ns != 0) {
            if (!result.latency.uncorrected)
                result.latency.uncorrected.emplace();
            result.latency.uncorrected->merge(histogram_of(input.memory->copy_of(uncorrected), slot.uncorrected));
        }
    }
    const Histogram& histogram = result.latency.histogram;
    for (const double percentile : input.plan->percentiles)
        result.latency.percentiles.push_back({percentile, histogram.percentile_ns(percentile)});
    const std::uint64_t messages = histogram.total_count();
    result.throughput = throughput_of(input, recording, messages);
    result.delivery = delivery_of(input, messages);
    result.server = usage_of(input, Role::server, input.server_cpus, messages);
    result.client = usage_of(input, Role::client, input.job->cpus, messages);
    result.streaming_dropped = input.streaming_dropped;
    result.partial = input.ended_early && (input.job->count == 0 || messages < input.job->count);
    facts.sending_ns = input.memory->scale().to_ns(sending_ticks_of(input));
    facts.receiving_ns = input.memory->scale().to_ns(window_of(input, recording, {0, input.job->endpoints}).ticks());
    facts.server_astray = astray_of(input, Role::server, input.server_cpus);
    facts.client_astray = astray_of(input, Role::client, input.job->cpus);
    facts.plan = input.plan;
    facts.clock = input.clock;
    facts.module = input.module;
    if (input.memory->shape().shared_with_peer != 0)
        facts.common_cpus = allowed_cpus().size();
    result.audit = audit(result, facts);
    return result;
}

} // namespace ipcmark

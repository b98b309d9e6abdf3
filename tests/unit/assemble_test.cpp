// SPDX-License-Identifier: Apache-2.0
#include "assembled.hpp"
#include "catch.hpp"

#include <algorithm>
#include <vector>

using namespace ipcmark;

namespace {

// Of so many messages that each took a microsecond, sent at once: the delay after the last is in no endpoint's own
// time.
Throughput throughput_with(std::uint64_t send_delay_ns, std::uint64_t messages, unsigned endpoints = 1) {
    ResultsLayout layout;
    layout.endpoints = endpoints;
    const RunClock clock; // a tick is a nanosecond
    const ResultsMemory memory = ResultsMemory::create(layout, clock);
    for (unsigned endpoint = 0; endpoint < endpoints; ++endpoint) {
        const std::uint64_t own = messages / endpoints;
        Slot& slot = memory.slot(Role::client, endpoint);
        slot.sent = slot.received = own;
        slot.first_send_tick = 1000;
        slot.last_receive_tick = 1000 + own * 1000 + (own - 1) * send_delay_ns;
        slot.latency = {1000, 1000, own * 1000};
        memory.counts(Role::client, endpoint)[HistogramLayout::index_of(1000)] = own;
    }
    TestPlan plan;
    plan.send_delay = std::chrono::nanoseconds(send_delay_ns);
    plan.concurrency = endpoints;
    WorkerJob job;
    job.send_delay_ns = send_delay_ns;
    return assembled(memory, Direction::round_trip, plan, job).throughput;
}

// What `cpu-placement` says of a client whose endpoints were on these CPUs, with a list of where they should be.
AuditCheck placement_of(const std::vector<std::vector<int>>& used, const std::vector<int>& asked,
                        Mode mode = Mode::blocking) {
    ResultsLayout layout;
    layout.endpoints = static_cast<std::uint32_t>(used.size());
    const RunClock clock;
    const ResultsMemory memory = ResultsMemory::create(layout, clock);
    for (unsigned endpoint = 0; endpoint < layout.endpoints; ++endpoint)
        for (const int cpu : used[endpoint])
            memory.slot(Role::client, endpoint).cpus_used[0] |= std::uint64_t{1} << cpu;
    TestPlan plan;
    plan.mode = mode;
    plan.concurrency = layout.endpoints;
    plan.client_cpus = asked;
    WorkerJob job;
    job.mode = mode;
    job.cpus = asked;
    const auto audit = assembled(memory, Direction::round_trip, plan, job).audit;
    return *std::find_if(audit.begin(), audit.end(), [](const auto& check) { return check.id == "cpu-placement"; });
}

} // namespace

TEST_CASE("a thread on a CPU of the list that is not its own is astray", "[assemble]") {
    CHECK(placement_of({{0}}, {0, 1}).verdict == CheckVerdict::ok);
    CHECK(placement_of({{0, 1}}, {0, 1}).verdict == CheckVerdict::suspicious);
    CHECK(placement_of({{0, 1}}, {0, 1}).value == 1);
    CHECK(placement_of({{0}, {1}, {0}}, {0, 1}).verdict == CheckVerdict::ok);
    CHECK(placement_of({{1}, {0}}, {0, 1}).value == 2);
    CHECK(placement_of({{0}, {0}}, {0, 1}, Mode::asynchronous).verdict == CheckVerdict::ok);
    CHECK(placement_of({{0}, {1}}, {0, 1}, Mode::asynchronous).verdict == CheckVerdict::suspicious);
    CHECK(placement_of({{0, 1}}, {}).verdict == CheckVerdict::not_applicable);
}

TEST_CASE("a send delay allows no more messages than it does, however few there are", "[assemble]") {
    CHECK(throughput_with(1'000'000'000, 1).messages_per_second == Approx(1));
    CHECK(throughput_with(1'000'000'000, 4, 4).messages_per_second == Approx(4));
    CHECK(throughput_with(1'000'000, 3).duration_ns == 3'000'000);
}

TEST_CASE("without one, or where it is short, the window is from the first send to the last receive", "[assemble]") {
    CHECK(throughput_with(0, 1).duration_ns == 1000);
    CHECK(throughput_with(100, 20).duration_ns == 20 * 1000 + 19 * 100);
}

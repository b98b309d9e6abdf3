// SPDX-License-Identifier: Apache-2.0
#include "assembled.hpp"
#include "catch.hpp"

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

} // namespace

TEST_CASE("a send delay allows no more messages than it does, however few there are", "[assemble]") {
    CHECK(throughput_with(1'000'000'000, 1).messages_per_second == Approx(1));
    CHECK(throughput_with(1'000'000'000, 4, 4).messages_per_second == Approx(4));
    CHECK(throughput_with(1'000'000, 3).duration_ns == 3'000'000);
}

TEST_CASE("without one, or where it is short, the window is from the first send to the last receive", "[assemble]") {
    CHECK(throughput_with(0, 1).duration_ns == 1000);
    CHECK(throughput_with(100, 20).duration_ns == 20 * 1000 + 19 * 100);
}

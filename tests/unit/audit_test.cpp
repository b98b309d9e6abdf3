// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "run/audit.hpp"

#include <algorithm>

using namespace ipcmark;

namespace {

struct Sides {
    std::vector<int> server_asked, server_used, client_asked, client_used;
};

DirectionResult result_of(const Sides& sides) {
    DirectionResult result;
    result.server.cpus_asked = sides.server_asked;
    result.server.cpus_used = sides.server_used;
    result.client.cpus_asked = sides.client_asked;
    result.client.cpus_used = sides.client_used;
    return result;
}

CheckVerdict shared_cpu(const Sides& sides, std::size_t common_cpus, const ModuleIdentity* module = nullptr) {
    const TestPlan plan;
    const RunClock clock;
    AuditInput input;
    input.plan = &plan;
    input.clock = &clock;
    input.module = module;
    input.common_cpus = common_cpus;
    const auto checks = audit(result_of(sides), input);
    return std::find_if(checks.begin(), checks.end(), [](const auto& check) { return check.id == "shared-cpu"; })
        ->verdict;
}

} // namespace

TEST_CASE("two sides that the scheduler put on one CPU are told of") {
    CHECK(shared_cpu({{}, {1}, {}, {1}}, 2) == CheckVerdict::suspicious);
    CHECK(shared_cpu({{1}, {1}, {}, {1}}, 2) == CheckVerdict::suspicious);
    CHECK(shared_cpu({{}, {0}, {}, {1}}, 2) == CheckVerdict::ok);
    CHECK(shared_cpu({{}, {0, 1}, {}, {1}}, 2) == CheckVerdict::ok);
}

TEST_CASE("sharing a CPU is no news where it was asked for or cannot be otherwise") {
    CHECK(shared_cpu({{1}, {1}, {1}, {1}}, 2) == CheckVerdict::not_applicable);
    CHECK(shared_cpu({{}, {0}, {}, {0}}, 1) == CheckVerdict::not_applicable);
    CHECK(shared_cpu({{}, {0}, {}, {0}}, 0) == CheckVerdict::not_applicable);
    ModuleIdentity no_peer;
    no_peer.capabilities = {"loopback"};
    CHECK(shared_cpu({{}, {0}, {}, {0}}, 2, &no_peer) == CheckVerdict::not_applicable);
}

TEST_CASE("a round trip agrees with its rate, the pauses between messages left out") {
    TestPlan plan;
    plan.send_delay = std::chrono::milliseconds(1);
    const RunClock clock;
    DirectionResult result;
    result.latency.direction = Direction::round_trip;
    for (int message = 0; message < 1000; ++message)
        result.latency.histogram.record(10'000);
    result.throughput.total_messages = 1000;
    result.throughput.duration_ns = 1000 * 10'000 + 999 * 1'000'000;
    AuditInput input;
    input.plan = &plan;
    input.clock = &clock;
    input.endpoint_pauses_ns = 999e6;
    CHECK(audit(result, input).front().id == "littles-law");
    CHECK(audit(result, input).front().verdict == CheckVerdict::ok);
    // A pause that is in no window of the endpoint's, or a latency that holds the pause, is told of.
    input.endpoint_pauses_ns = 0;
    CHECK(audit(result, input).front().verdict == CheckVerdict::suspicious);
}

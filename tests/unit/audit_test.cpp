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

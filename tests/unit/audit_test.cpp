// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "run/audit.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

using namespace ipcmark;

namespace {

std::uint64_t ns_of(std::chrono::nanoseconds time) {
    return static_cast<std::uint64_t>(time.count());
}

struct Sides {
    std::vector<int> server_asked, server_used, client_asked, client_used;
};

// Each side moved as many messages on one of its CPUs as on another.
DirectionResult result_of(const Sides& sides) {
    DirectionResult result;
    for (const int cpu : sides.server_used)
        result.server.messages_by_cpu[cpu] = 100;
    for (const int cpu : sides.client_used)
        result.client.messages_by_cpu[cpu] = 200;
    result.server.cpus_asked = sides.server_asked;
    result.server.cpus_used = sides.server_used;
    result.client.cpus_asked = sides.client_asked;
    result.client.cpus_used = sides.client_used;
    return result;
}

AuditCheck check_of(const DirectionResult& result, const AuditInput& input, std::string_view id) {
    const auto checks = audit(result, input);
    const auto found = std::find_if(checks.begin(), checks.end(), [&](const auto& check) { return check.id == id; });
    REQUIRE(found != checks.end());
    return *found;
}

// Both must outlive it.
AuditInput input_of(const TestPlan& plan, const RunClock& clock) {
    AuditInput input;
    input.plan = &plan;
    input.clock = &clock;
    return input;
}

CheckVerdict shared_cpu(const Sides& sides, std::size_t common_cpus, const ModuleIdentity* module = nullptr) {
    const TestPlan plan;
    const RunClock clock;
    AuditInput input = input_of(plan, clock);
    input.module = module;
    input.common_cpus = common_cpus;
    return check_of(result_of(sides), input, "shared-cpu").verdict;
}

enum class Ended { by_itself, by_a_fault };

// 1,000 messages a second for a second; `sent` of them were sent, in `sending` from the first to the last.
AuditCheck offered_rate(std::uint64_t sent, std::chrono::milliseconds sending, Ended ended = Ended::by_itself,
                        std::chrono::seconds duration = std::chrono::seconds(1)) {
    TestPlan plan;
    plan.rate_per_second = 1000;
    plan.duration = duration;
    const RunClock clock;
    DirectionResult result;
    result.delivery.sent = sent;
    result.partial = ended == Ended::by_a_fault;
    AuditInput input = input_of(plan, clock);
    input.sending_ns = ns_of(sending);
    return check_of(result, input, "offered-rate");
}

// A second of 1,000 messages a second, all sent in time. Message n waits for `late(n)` more than its 10 us, and the
// last of them is received that much late.
template <class Late> std::vector<AuditCheck> checks_of_late(Late late, std::chrono::nanoseconds sending) {
    TestPlan plan;
    plan.rate_per_second = 1000;
    const RunClock clock;
    DirectionResult result;
    constexpr std::uint64_t usual_ns = 10'000;
    constexpr std::int64_t last = 999;
    for (std::int64_t message = 0; message <= last; ++message)
        result.latency.histogram.record(usual_ns + ns_of(late(message)));
    result.delivery.sent = result.delivery.received = last + 1;
    AuditInput input = input_of(plan, clock);
    input.sending_ns = ns_of(sending);
    input.receiving_ns = ns_of(last * std::chrono::milliseconds(1) + late(last)) + usual_ns;
    auto checks = audit(result, input);
    std::erase_if(checks, [](const AuditCheck& check) { return check.id.find("-rate") == std::string::npos; });
    return checks;
}

// `wait` for two sides, each on a CPU of its own, that had it for so long and wanted it for so much longer.
AuditCheck cpu_share(WaitPolicy wait, std::chrono::microseconds had, std::optional<std::chrono::microseconds> delay,
                     std::vector<int> client_cpus = {1}) {
    TestPlan plan;
    plan.wait = wait;
    const RunClock clock;
    DirectionResult result = result_of({{0}, {0}, client_cpus, client_cpus});
    result.throughput.duration_ns = ns_of(had) + ns_of(delay.value_or(std::chrono::microseconds(0)));
    result.server.cpu_time_ns = ns_of(had);
    result.server.run_delay_ns = 0;
    result.client.cpu_time_ns = ns_of(had);
    if (delay)
        result.client.run_delay_ns = ns_of(*delay);
    else
        result.server.run_delay_ns.reset();
    AuditInput input = input_of(plan, clock);
    return check_of(result, input, "cpu-share");
}

} // namespace

TEST_CASE("two sides that the scheduler put on one CPU are told of") {
    CHECK(shared_cpu({{}, {1}, {}, {1}}, 2) == CheckVerdict::suspicious);
    CHECK(shared_cpu({{1}, {1}, {}, {1}}, 2) == CheckVerdict::suspicious);
    CHECK(shared_cpu({{}, {0}, {}, {1}}, 2) == CheckVerdict::ok);
    CHECK(shared_cpu({{}, {0, 1, 2}, {}, {1}}, 2) == CheckVerdict::ok);
}

TEST_CASE("two sides that were moved from one CPU to another together shared one all the time") {
    const TestPlan plan;
    const RunClock clock;
    AuditInput input = input_of(plan, clock);
    input.common_cpus = 2;
    using Messages = std::map<int, std::uint64_t>;
    const auto check = [&](const Messages& server, const Messages& client) {
        DirectionResult result = result_of({{}, {0, 1}, {}, {0, 1}});
        result.server.messages_by_cpu = server;
        result.client.messages_by_cpu = client;
        return check_of(result, input, "shared-cpu");
    };
    CHECK(check({{0, 450}, {1, 550}}, {{0, 900}, {1, 1100}}).value == Approx(1));
    CHECK(check({{0, 450}, {1, 550}}, {{0, 900}, {1, 1100}}).verdict == CheckVerdict::suspicious);
    // One look at another CPU is no life there.
    CHECK(check({{0, 1000}}, {{0, 1999}, {1, 1}}).verdict == CheckVerdict::suspicious);
    CHECK(check({{0, 999}, {1, 1}}, {{1, 2000}}).value == Approx(0.001));
    CHECK(check({{0, 999}, {1, 1}}, {{1, 2000}}).verdict == CheckVerdict::ok);
    CHECK(check({}, {{0, 2000}}).verdict == CheckVerdict::not_applicable);
}

TEST_CASE("of more threads than CPUs some share one in any run") {
    TestPlan plan;
    plan.concurrency = 2;
    const RunClock clock;
    AuditInput input = input_of(plan, clock);
    input.common_cpus = 3;
    CHECK(check_of(result_of({{}, {0, 1}, {}, {0, 1}}), input, "shared-cpu").verdict == CheckVerdict::ok);
    CHECK(check_of(result_of({{}, {0}, {}, {0}}), input, "shared-cpu").verdict == CheckVerdict::suspicious);
    input.common_cpus = 4;
    CHECK(check_of(result_of({{}, {0, 1}, {}, {0, 1}}), input, "shared-cpu").verdict == CheckVerdict::suspicious);
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
    result.throughput.duration_ns = 1000 * 1'000'000; // to the moment at which another one would be due
    AuditInput input;
    input.endpoint_spans_ns = 1000 * 10'000 + 999 * 1'000'000;
    input.plan = &plan;
    input.clock = &clock;
    input.endpoint_pauses_ns = 999e6;
    CHECK(audit(result, input).front().id == "littles-law");
    CHECK(audit(result, input).front().verdict == CheckVerdict::ok);
    // A pause that is in no window of the endpoint's, or a latency that holds the pause, is told of.
    input.endpoint_pauses_ns = 0;
    CHECK(audit(result, input).front().verdict == CheckVerdict::suspicious);
}

TEST_CASE("messages that were due and never sent are told of, at whatever rate the others went") {
    using std::chrono::milliseconds;
    CHECK(offered_rate(1000, milliseconds(999)).verdict == CheckVerdict::ok);
    CHECK(offered_rate(1000, milliseconds(1999)).verdict == CheckVerdict::suspicious);
    // All in time until the last of them; and too few for a rate.
    for (const std::uint64_t sent : {995U, 10U}) {
        const AuditCheck check = offered_rate(sent, milliseconds(sent - 1));
        CHECK(check.verdict == CheckVerdict::suspicious);
        CHECK(check.value == Approx(static_cast<double>(sent) / 1000));
    }
    // In an hour the rounding of the intervals may take a few.
    constexpr auto hour = std::chrono::hours(1);
    CHECK(offered_rate(3'599'990, hour, Ended::by_itself, hour).verdict == CheckVerdict::ok);
    CHECK(offered_rate(3'599'900, hour, Ended::by_itself, hour).verdict == CheckVerdict::suspicious);
    CHECK(offered_rate(10, milliseconds(9), Ended::by_a_fault).verdict == CheckVerdict::not_applicable);
}

TEST_CASE("a receiver that does not keep up is told of where the sender does") {
    using namespace std::chrono_literals;
    const auto verdicts = [](auto late, std::chrono::nanoseconds sending = 999ms) {
        const auto checks = checks_of_late(late, sending);
        REQUIRE(checks.size() == 2);
        CHECK(checks[0].id == "offered-rate");
        CHECK(checks[1].id == "delivered-rate");
        return std::pair(checks[0].verdict, checks[1].verdict);
    };
    using enum CheckVerdict;
    CHECK(verdicts([](auto) { return 0us; }) == std::pair(ok, ok));
    // 2 ms for each, and 1.02 ms.
    CHECK(verdicts([](std::int64_t message) { return message * 1000us; }) == std::pair(ok, suspicious));
    CHECK(verdicts([](std::int64_t message) { return message * 20us; }) == std::pair(ok, suspicious));
    CHECK(checks_of_late([](std::int64_t message) { return message * 1000us; }, 999ms)[1].value ==
          Approx(0.5).epsilon(0.01));
    // However late all of them are: the way is long, or had to be waited for once.
    CHECK(verdicts([](auto) { return 400ms; }) == std::pair(ok, ok));
    CHECK(verdicts([](std::int64_t message) { return message < 200 ? 200ms - message * 1ms : 0ms; }) ==
          std::pair(ok, ok));
    // A stall at the end: what was due in it is late, and nothing before.
    CHECK(verdicts([](std::int64_t message) { return message < 950 ? 0ms : 1000ms - (message - 950) * 1ms; }) ==
          std::pair(ok, ok));
    // Where the buffers are full the sender is late, too: that is said once.
    CHECK(verdicts([](std::int64_t message) { return message * 1000us; }, 1998ms) ==
          std::pair(suspicious, not_applicable));
}

TEST_CASE("a spinning side that others pushed off its CPU is told") {
    using namespace std::chrono_literals;
    const AuditCheck robbed = cpu_share(WaitPolicy::spin, 60ms, 40ms);
    CHECK(robbed.value == Approx(0.6));
    CHECK(robbed.verdict == CheckVerdict::suspicious);
    CHECK(cpu_share(WaitPolicy::spin, 100ms, 5ms).verdict == CheckVerdict::ok);
    CHECK(cpu_share(WaitPolicy::spin, 600us, 100us).verdict == CheckVerdict::not_applicable);
    CHECK(cpu_share(WaitPolicy::spin, 60ms, {}).verdict == CheckVerdict::not_applicable);
    // Both on one CPU: they take it from each other.
    CHECK(cpu_share(WaitPolicy::spin, 60ms, 40ms, {0}).verdict == CheckVerdict::not_applicable);
}

TEST_CASE("so is one that sleeps") {
    using namespace std::chrono_literals;
    for (const auto wait : {WaitPolicy::block, WaitPolicy::adaptive}) {
        const AuditCheck robbed = cpu_share(wait, 60ms, 40ms);
        CHECK(robbed.value == Approx(0.6));
        CHECK(robbed.verdict == CheckVerdict::suspicious);
        // It is ready to run for a moment before each of its turns.
        CHECK(cpu_share(wait, 90ms, 10ms).verdict == CheckVerdict::ok);
        CHECK(cpu_share(wait, 5ms, 4ms).verdict == CheckVerdict::not_applicable);
        CHECK(cpu_share(wait, 60ms, {}).verdict == CheckVerdict::not_applicable);
        // Two sides on one CPU, or where that may be so, wait for each other.
        CHECK(cpu_share(wait, 60ms, 40ms, {0}).verdict == CheckVerdict::not_applicable);
        CHECK(cpu_share(wait, 60ms, 40ms, {0, 1}).verdict == CheckVerdict::not_applicable);
    }
}

TEST_CASE("threads of a side that sleep have a share of the window each, and a CPU each or wait for one another") {
    TestPlan plan;
    plan.concurrency = 2;
    const RunClock clock;
    AuditInput input = input_of(plan, clock);
    const auto verdict = [&](const std::vector<int>& client_cpus) {
        DirectionResult result = result_of({{0, 1}, {0, 1}, client_cpus, client_cpus});
        result.throughput.duration_ns = 100'000'000;
        result.server.run_delay_ns = result.client.run_delay_ns = 25'000'000;
        const AuditCheck both = check_of(result, input, "cpu-share");
        CHECK(both.value == Approx(0.875));
        CHECK(both.verdict == CheckVerdict::ok);
        result.client.run_delay_ns = 50'000'000;
        return check_of(result, input, "cpu-share").verdict;
    };
    CHECK(verdict({2, 3}) == CheckVerdict::suspicious);
    CHECK(verdict({2}) == CheckVerdict::ok); // by the server alone
}

TEST_CASE("a warning is a sentence with its figure in it, of its direction") {
    DirectionResult result = result_of({{}, {1}, {}, {1}});
    result.latency.direction = Direction::round_trip;
    const auto suspicious = [](const char* id, double value) {
        return AuditCheck{id, value, "", CheckVerdict::suspicious};
    };
    result.audit = {suspicious("shared-cpu", 1), suspicious("overlap", 0.446), suspicious("clock-overhead", 12.5)};
    const auto warnings = warnings_of(result, TestPlan(), ClockInfo());
    REQUIRE(warnings.size() == 3);
    CHECK(warnings[0].code == "shared-cpu");
    CHECK(warnings[0].direction == Direction::round_trip);
    CHECK(warnings[0].cause ==
          "round trip: both sides ran on CPU 1, as the scheduler chose, which may choose two in the next run");
    CHECK(warnings[1].cause.find("at work for 44.6 % of the window") != std::string::npos);
    CHECK(warnings[2].cause.find("takes 1250 % of") != std::string::npos);
}

TEST_CASE("a window of a few time slices is told of, with its length") {
    const TestPlan plan;
    const RunClock clock;
    AuditInput input = input_of(plan, clock);
    DirectionResult result;
    const auto verdict = [&](std::uint64_t messages, std::chrono::nanoseconds window) {
        result.throughput.total_messages = messages;
        result.throughput.duration_ns = ns_of(window);
        return check_of(result, input, "short-window").verdict;
    };
    using namespace std::chrono_literals;
    CHECK(verdict(10'000, 10ms) == CheckVerdict::ok);
    CHECK(verdict(20, 1ms) == CheckVerdict::not_applicable);
    CHECK(verdict(10'000, 580us) == CheckVerdict::suspicious);
    result.audit = audit(result, input);
    const auto warnings = warnings_of(result, plan, ClockInfo{});
    const auto told = std::find_if(warnings.begin(), warnings.end(),
                                   [](const Warning& warning) { return warning.code == "short-window"; });
    REQUIRE(told != warnings.end());
    CHECK(told->cause.find("was 0.58 ms,") != std::string::npos);
    CHECK(told->remedy.find("-d 2s") != std::string::npos);
    result.partial = true;
    CHECK(verdict(10'000, 580us) == CheckVerdict::not_applicable);
}

TEST_CASE("a thread that strayed is told of with its CPU, where no thread has that one") {
    TestPlan plan;
    const auto cause = [&plan](const Sides& sides) {
        DirectionResult result = result_of(sides);
        result.audit = {{"cpu-placement", 1, "", CheckVerdict::suspicious}};
        return warnings_of(result, plan, ClockInfo{}).at(0).cause;
    };
    CHECK(cause({{0, 1}, {0, 1}, {}, {0}}).find("on CPU 1, where no thread") != std::string::npos);
    plan.concurrency = 2;
    CHECK(cause({{0, 1}, {0, 1}, {}, {0}}).find("another thread was placed on") != std::string::npos);
}

TEST_CASE("every check that is suspicious has words of its own") {
    const TestPlan plan;
    const RunClock clock;
    AuditInput input = input_of(plan, clock);
    DirectionResult result = result_of({{0}, {0}, {1}, {0}});
    result.audit = audit(result, input);
    for (AuditCheck& check : result.audit)
        check.verdict = CheckVerdict::suspicious;
    const auto warnings = warnings_of(result, plan, clock.info);
    REQUIRE(warnings.size() == result.audit.size());
    for (std::size_t i = 0; i < warnings.size(); ++i) {
        CHECK_FALSE(warnings[i].remedy.empty());
        CHECK((warnings[i].code == "offered-rate") == (warnings[i].cause.find("rate asked for") != std::string::npos));
    }
}

TEST_CASE("no clock is advised that is in use already") {
    DirectionResult result = result_of({{0}, {0}, {1}, {0}});
    result.audit = {{"clock-order", 3, "", CheckVerdict::suspicious},
                    {"clock-overhead", 0.5, "", CheckVerdict::suspicious}};
    const auto advised = [&](const char* source, const char* option) {
        ClockInfo clock;
        clock.source = source;
        const auto warnings = warnings_of(result, TestPlan(), clock);
        return std::count_if(warnings.begin(), warnings.end(),
                             [&](const Warning& warning) { return warning.remedy.find(option) != std::string::npos; });
    };
    CHECK(advised("tsc", "--clock monotonic") == 1);
    CHECK(advised("tsc", "--clock auto") == 0);
    CHECK(advised("monotonic", "--clock monotonic") == 0);
    CHECK(advised("monotonic", "--clock auto") == 1);
}

// SPDX-License-Identifier: Apache-2.0
#include "../document/sample_document.hpp"
#include "catch.hpp"
#include "result/compare.hpp"

#include <ipcmark/result.hpp>
#include <ipcmark/run.hpp>

#include <string>
#include <vector>

#include <fmt/format.h>

using namespace ipcmark;
using namespace ipcmark::result;

namespace {

constexpr double five_percent = 0.05;

// A document of one direction in which every message took about `ns`.
ResultDocument uds_at(std::uint64_t ns) {
    ResultDocument document = sample::document();
    document.results.resize(1);
    TestResult& test = document.results.front();
    test.one_way.reset();
    test.round_trip->latency.histogram = Histogram();
    for (std::uint64_t i = 0; i < 10'000; ++i)
        test.round_trip->latency.histogram.record(ns + i % 100 * ns / 10'000);
    test.round_trip->latency.percentiles = {{50, test.round_trip->latency.histogram.percentile_ns(50)}};
    test.round_trip->throughput.messages_per_second = 1e9 / static_cast<double>(ns);
    return document;
}

// The same test of uds again and again, each run at its time.
ResultDocument uds_runs_at(const std::vector<std::uint64_t>& times_ns) {
    ResultDocument document = uds_at(1);
    document.results.clear();
    for (std::uint64_t ns : times_ns) {
        document.results.push_back(uds_at(ns).results.front());
        document.results.back().plan.repeat_index = static_cast<unsigned>(document.results.size() - 1);
    }
    return document;
}

ImportedDocument imported(const ResultDocument& document, Schema schema = Schema::ipcmark) {
    return import_document(to_json(document, schema), "document");
}

// As rusty-comms writes it, with one of its spellings of the throughput.
std::string rusty_comms(const std::string& spelling, double mb_per_second) {
    return fmt::format(R"({{"metadata": {{"version": "0.1.0", "system_info": {{"cpu_cores": 2}}}}, "results": [{{
        "mechanism": "UnixDomainSocket", "status": "Success",
        "test_config": {{"message_size": 1024, "concurrency": 1}},
        "one_way_results": null, "round_trip_results": null,
        "summary": {{"average_throughput_{}": {}, "p99_latency_ns": 5000}}}}]}})",
                       spelling, mb_per_second);
}

std::string error_of(const std::string& text) {
    try {
        (void)import_document(text, "a.json");
    } catch (const UsageError& error) {
        return error.what();
    }
    return "no error";
}

} // namespace

TEST_CASE("a document that was written is read back, strict or full") {
    for (Schema schema : {Schema::ipcmark, Schema::rusty_comms}) {
        const ImportedDocument document = imported(sample::document(), schema);
        REQUIRE(document.results.size() == 3); // uds in both directions, tcp
        CHECK(document.results[0].mechanism == "UnixDomainSocket");
        CHECK(document.results[0].direction == Direction::one_way);
        CHECK(document.results[0].message_size_bytes == 1024);
        CHECK(document.results[1].direction == Direction::round_trip);
        const Histogram histogram = sample::document().results[0].one_way->latency.histogram;
        CHECK(document.results[0].p50_ns->value == static_cast<double>(histogram.percentile_ns(50)));
        CHECK(document.results[0].p99_ns->value == static_cast<double>(histogram.percentile_ns(99)));
        REQUIRE(document.failures.size() == 2);
        CHECK(document.failures[0].mechanism == "SharedMemory");
    }
}

TEST_CASE("a percentile that was not asked comes from the histogram") {
    const ImportedDocument document = imported(sample::document());
    const Histogram histogram = sample::document().results[1].round_trip->latency.histogram;
    REQUIRE(document.results[2].p99_ns);
    CHECK(document.results[2].p99_ns->value == Approx(histogram.percentile_ns(99)).epsilon(0.001));
    CHECK(document.results[2].p99_ns->low <= document.results[2].p99_ns->value);
}

TEST_CASE("the three spellings of the throughput are the same figure") {
    for (const char* spelling : {"mbps", "mb_s", "megabytes_per_sec"}) {
        const ImportedDocument document = import_document(rusty_comms(spelling, 12.5), "r.json");
        REQUIRE(document.results.size() == 1);
        CHECK(document.results[0].bytes_per_second->value == 12.5e6);
        CHECK_FALSE(document.results[0].direction);
    }
    const Comparison comparison = compare(import_document(rusty_comms("mb_s", 10), "a"),
                                          import_document(rusty_comms("mbps", 20), "b"), five_percent);
    CHECK(comparison.tests.at(0).messages_per_second->ratio == 2);
    CHECK(comparison.tests.at(0).messages_per_second->change == Change::unclear); // of one run
}

TEST_CASE("what is no result document is named") {
    CHECK(error_of("{\"results\": ").find("a.json is not JSON") == 0);
    CHECK(error_of("[1, 2]").find("a.json is not a result document") == 0);
    CHECK(error_of("{\"results\": 5}").find("a.json is not a result document") == 0);
    CHECK(error_of("").find("a.json is not JSON") == 0);
    CHECK_THAT(error_of("{\n  \"results\": x}"), Catch::Matchers::Contains("syntax error at line 2, column 14"));
    CHECK_THAT(error_of("a,b\n1,2\n"), Catch::Matchers::Contains("at line 1, column 1;"));
    CHECK_THAT(error_of("{}\n{}"), Catch::Matchers::Contains("at line 2, column 1;"));
    CHECK_THAT(error_of("{\"results\": [\n"), Catch::Matchers::Contains("at line 2, column 1;"));
    CHECK(error_of("{\"results\": [5, {}, {\"mechanism\": 3, \"one_way_results\": {\"latency\": [], \"throughput\": "
                   "{\"messages_per_second\": \"x\"}}}]}") == "no error");
    CHECK_THROWS_AS(import_file("/no/such/file.json"), UsageError);
    CHECK_THROWS_AS(import_file("/"), UsageError);
}

TEST_CASE("the same document twice has not changed") {
    const ImportedDocument document = imported(sample::document());
    const Comparison comparison = compare(document, document, 0);
    CHECK(comparison.tests.size() == 3);
    CHECK_FALSE(comparison.any_regression());
    for (const ComparedTest& test : comparison.tests) {
        CHECK(test.p50_ns->ratio == 1);
        CHECK(test.differences.empty());
    }
}

TEST_CASE("a change beyond the threshold is better or worse, within it the same") {
    const auto change = [](std::uint64_t before, std::uint64_t after) {
        const std::vector<std::uint64_t> runs_before(fewest_runs, before);
        const std::vector<std::uint64_t> runs_after(fewest_runs, after);
        return compare(imported(uds_runs_at(runs_before)), imported(uds_runs_at(runs_after)), five_percent).tests.at(0);
    };
    CHECK(change(10'000, 12'000).p50_ns->change == Change::worse);
    CHECK(change(10'000, 12'000).messages_per_second->change == Change::worse);
    CHECK(change(12'000, 10'000).p99_ns->change == Change::better);
    CHECK(change(12'000, 10'000).messages_per_second->change == Change::better);
    CHECK(change(10'000, 10'300).p50_ns->change == Change::none);
    CHECK(change(10'300, 10'000).messages_per_second->change == Change::none);
}

TEST_CASE("repetitions whose ranges touch are unclear, whatever their medians say") {
    const auto runs = [](const std::vector<std::uint64_t>& times_ns) { return imported(uds_runs_at(times_ns)); };
    const Comparison noisy =
        compare(runs({10'000, 10'100, 10'100, 13'000}), runs({12'000, 12'500, 12'600, 12'600}), five_percent);
    REQUIRE(noisy.tests.size() == 1);
    CHECK(noisy.tests[0].runs_first == 4);
    CHECK(noisy.tests[0].p50_ns->ratio > 1.2);
    CHECK(noisy.tests[0].p50_ns->change == Change::unclear);
    CHECK(noisy.any_unclear());
    CHECK_FALSE(noisy.any_regression());
    // Ranges that touch say nothing of medians that are the same.
    const Comparison same =
        compare(runs({10'000, 10'100, 10'100, 13'000}), runs({10'000, 10'100, 10'200, 12'600}), five_percent);
    CHECK(same.tests[0].p50_ns->change == Change::none);
    CHECK_FALSE(same.any_unclear());
    CHECK(compare(runs({10'000, 10'100, 10'200, 10'300}), runs({12'000, 12'100, 12'500, 12'600}), five_percent)
              .any_regression());
}

TEST_CASE("of few runs nobody can say that something has changed") {
    for (std::size_t runs = 1; runs <= fewest_runs; ++runs) {
        const ImportedDocument few = imported(uds_runs_at(std::vector<std::uint64_t>(runs, 20'000)));
        const ImportedDocument many = imported(uds_runs_at(std::vector<std::uint64_t>(9, 10'000)));
        for (const Comparison& comparison : {compare(many, few, five_percent), compare(few, many, five_percent)}) {
            CHECK(comparison.any_unclear() == (runs < fewest_runs));
            const bool changed = comparison.tests.at(0).p50_ns->change != Change::unclear;
            CHECK(changed == (runs == fewest_runs));
        }
        CHECK(compare(many, few, five_percent).any_regression() == (runs == fewest_runs));
        CHECK_FALSE(compare(few, few, five_percent).any_unclear());
    }
}

TEST_CASE("what one side only failed a check with is unclear, and named") {
    const auto suspicious = [](ResultDocument document, std::size_t runs) {
        for (std::size_t i = 0; i < runs; ++i)
            document.results.at(i).round_trip->audit = {{"cpu-share", 0.2, "at least 0.9", CheckVerdict::suspicious}};
        return imported(document);
    };
    const ResultDocument before = uds_runs_at({10'000, 10'000, 10'000, 10'000});
    const ResultDocument after = uds_runs_at({20'000, 20'000, 20'000, 20'000});
    const Comparison one = compare(suspicious(before, 0), suspicious(after, 3), five_percent);
    CHECK(one.tests.at(0).suspicious == std::vector<std::string>{"cpu-share: in 0 of 4 runs, 3 of 4"});
    CHECK_FALSE(one.any_regression());
    CHECK(one.any_unclear());
    const Comparison both = compare(suspicious(before, 2), suspicious(after, 4), five_percent);
    CHECK(both.tests.at(0).suspicious == std::vector<std::string>{"cpu-share: in 2 of 4 runs, 4 of 4"});
    CHECK(both.any_regression());
}

TEST_CASE("runs of another length or warm-up are paired, and said to differ") {
    ResultDocument first = uds_at(10'000);
    ResultDocument second = first;
    second.results[0].plan.warmup_messages = 7;
    second.results[0].plan.message_count = 77;
    const std::vector<std::string> differences =
        compare(imported(first), imported(second), 0.05).tests.at(0).differences;
    REQUIRE(differences.size() == 2);
    CHECK(differences[0].find("msg_count: ") == 0);
    CHECK(differences[1].find("warmup_iterations: ") == 0);
}

TEST_CASE("tests are paired by configuration first, and by what they measure where only one is left") {
    ResultDocument first = uds_at(10'000);
    first.results.push_back(first.results[0]);
    first.results[1].plan.wait = WaitPolicy::spin;
    ResultDocument second = first;
    std::swap(second.results[0], second.results[1]);
    CHECK(compare(imported(first), imported(second), five_percent).tests.at(0).differences.empty());

    second.results.resize(1); // spin
    first.results.resize(1);  // block
    const Comparison other = compare(imported(first), imported(second), five_percent);
    CHECK(other.tests.at(0).differences == std::vector<std::string>{"wait_policy: block, spin"});
}

TEST_CASE("what tells the tests of a document apart is told with each of them") {
    ResultDocument first = uds_at(10'000);
    first.results.push_back(first.results[0]);
    first.results[0].plan.rate_per_second = 1000;
    first.results[1].plan.rate_per_second = 10'000;
    ResultDocument second = first;
    const Comparison both = compare(imported(first), imported(second), five_percent);
    CHECK(both.varying == std::vector<std::string>{"rate_per_second"});
    REQUIRE(both.tests.size() == 2);
    CHECK(both.tests[0].configuration.at("rate_per_second") != both.tests[1].configuration.at("rate_per_second"));
    CHECK(both.tests[0].configuration.at("wait_policy") == both.tests[1].configuration.at("wait_policy"));

    second.results.resize(1);
    const Comparison one = compare(imported(first), imported(second), five_percent);
    REQUIRE(one.only_first.size() == 1);
    CHECK(one.only_first[0].find("rate_per_second 10000") != std::string::npos);
    // An option that only some have tells them apart as well; what is the same within each document does not.
    first.results[0].plan.rate_per_second = first.results[1].plan.rate_per_second;
    first.results[1].options = {{"nodelay", "true", true}};
    second = first;
    second.results[0].plan.wait = second.results[1].plan.wait = WaitPolicy::spin;
    CHECK(compare(imported(first), imported(second), five_percent).varying ==
          std::vector<std::string>{"option buffer-size", "option nodelay"});
}

TEST_CASE("tests of one document only, and those that fail now, are named") {
    ResultDocument first = sample::document();
    ResultDocument second = first;
    second.results[0].failure = "it broke";
    const Comparison comparison = compare(imported(first), imported(second), five_percent);
    CHECK(comparison.tests.size() == 1);
    REQUIRE(comparison.newly_failed.size() == 2);
    CHECK(comparison.newly_failed[0].find("it broke") != std::string::npos);
    CHECK(comparison.any_regression());

    second = uds_at(5'000);
    const Comparison fewer = compare(imported(first), imported(second), five_percent);
    CHECK(fewer.only_first.size() == 2);
    CHECK(fewer.only_second.empty());

    second.results[0].plan.message_size_bytes = 7;
    CHECK_THROWS_AS(compare(imported(first), imported(second), five_percent), UsageError);
}

TEST_CASE("another machine is pointed out") {
    ResultDocument second = sample::document();
    second.system.kernel = "7.0";
    const Comparison comparison = compare(imported(sample::document()), imported(second), five_percent);
    CHECK(comparison.machine_differences == std::vector<std::string>{"kernel: 6.1.0, 7.0"});
}

TEST_CASE("an option that one side has by default is compared with what the other side had") {
    ResultDocument asked = uds_at(1000);
    ResultDocument left = uds_at(1000);
    asked.results[0].options = {{"type", "seqpacket", true}, {"node", "0", false}};
    left.results[0].options = {{"type", "stream", false}, {"node", "1", false}};
    const Comparison comparison = compare(imported(asked), imported(left), five_percent);
    CHECK(comparison.tests.at(0).differences == std::vector<std::string>{"option type: seqpacket, stream"});
    const Comparison back = compare(imported(left), imported(asked), five_percent);
    CHECK(back.tests.at(0).differences == std::vector<std::string>{"option type: stream, seqpacket"});
    left.results[0].options[0].value = "seqpacket";
    CHECK(compare(imported(asked), imported(left), five_percent).tests.at(0).differences.empty());
}

TEST_CASE("a test failed where it was run and not measured") {
    ResultDocument first = sample::document();
    first.results.resize(1);
    REQUIRE(first.results[0].one_way);
    REQUIRE(first.results[0].round_trip);

    // The round trip of the same test broke off: its one-way figures are compared.
    ResultDocument broken = first;
    broken.results[0].failure = "round trip: interrupted";
    broken.results[0].round_trip->partial = true;
    const Comparison half = compare(imported(first), imported(broken), five_percent);
    REQUIRE(half.tests.size() == 1);
    CHECK(half.tests[0].direction == Direction::one_way);
    REQUIRE(half.newly_failed.size() == 1);
    CHECK(half.newly_failed[0].find("round trip") != std::string::npos);

    // Another number of endpoints, or a direction that was not asked for, is another test.
    ResultDocument other = first;
    other.results.push_back(first.results[0]);
    other.results[1].plan.concurrency = 2;
    other.results[1].failure = "round trip: timed out";
    other.results[1].one_way.reset();
    other.results[1].round_trip.reset();
    other.results.erase(other.results.begin());
    other.results.push_back(first.results[0]);
    other.results[1].plan.directions = {Direction::one_way};
    other.results[1].round_trip.reset();
    const Comparison rest = compare(imported(first), imported(other), five_percent);
    CHECK(rest.newly_failed.empty());
    CHECK(rest.only_first.size() == 1);
    CHECK_FALSE(rest.any_regression());
}

TEST_CASE("numbers that cannot be are refused") {
    CHECK(error_of(rusty_comms("mbps", 1)) == "no error");
    const auto with = [](std::string text, const std::string& from, const std::string& to) {
        return text.replace(text.find(from), from.size(), to);
    };
    const std::string good = rusty_comms("mbps", 1);
    CHECK(error_of(with(good, "5000", "1e999")).find("a.json is not a result document: it has a number") == 0);
    for (const char* size : {"-5", "1e300", "1.5"})
        CHECK(error_of(with(good, "1024", size)).find("\"message_size\" is ") != std::string::npos);
    for (const char* endpoints : {"-1", "5000000000"})
        CHECK(error_of(with(good, "\"concurrency\": 1", fmt::format("\"concurrency\": {}", endpoints)))
                  .find("\"concurrency\" is ") != std::string::npos);
}

// SPDX-License-Identifier: Apache-2.0
#include "../document/sample_document.hpp"
#include "catch.hpp"
#include "result/json_text.hpp"
#include "result/valid_utf8.hpp"

#include <ipcmark/result.hpp>

#include <limits>
#include <string>
#include <vector>

#include <boost/json.hpp>

namespace json = boost::json;
using namespace ipcmark;

namespace {

json::value document(Schema schema = Schema::ipcmark) {
    return json::parse(to_json(sample::document(), schema));
}

const json::value& at(const json::value& value, const char* pointer) {
    return value.at_pointer(pointer);
}

} // namespace

TEST_CASE("a result document is the same text each time and ends in a line feed") {
    const std::string text = to_json(sample::document());
    CHECK(text == to_json(sample::document()));
    CHECK(text.back() == '\n');
    CHECK(text.find("{\n  \"metadata\": {\n    \"version\": \"0.1.0\"") == 0);
}

TEST_CASE("doubles are written as people write them and read back exactly") {
    ResultDocument plain = sample::document();
    plain.results[0].one_way->throughput.messages_per_second = 0.1;
    plain.results[0].one_way->throughput.bytes_per_second = 1e21;
    const std::string text = to_json(plain);
    CHECK(text.find("\"messages_per_second\": 0.1,") != std::string::npos);
    CHECK(text.find("\"percentile\": 50.0,") != std::string::npos);
    const json::value read = json::parse(text);
    CHECK(at(read, "/results/0/one_way_results/throughput/bytes_per_second").as_double() == 1e21);
}

TEST_CASE("a number that is not finite does not spoil the document") {
    ResultDocument broken = sample::document();
    broken.results[0].one_way->audit[0].value = std::numeric_limits<double>::quiet_NaN();
    broken.results[0].one_way->audit[1].verdict = CheckVerdict::not_applicable;
    const json::value read = json::parse(to_json(broken));
    CHECK(at(read, "/results/0/one_way_results/audit/0/value").is_null());
    CHECK(at(read, "/results/0/one_way_results/audit/1/value").is_null());
}

TEST_CASE("every number above 2^53 survives") {
    ResultDocument big = sample::document();
    big.results[0].one_way->throughput.total_bytes = UINT64_MAX;
    const json::value read = json::parse(to_json(big));
    CHECK(at(read, "/results/0/one_way_results/throughput/total_bytes").as_uint64() == UINT64_MAX);
}

TEST_CASE("status is Success, or Failure with its reason; what was measured before is kept and marked") {
    const json::value read = document();
    CHECK(at(read, "/results/0/status").as_string() == "Success");
    CHECK(at(read, "/results/2/status/Failure").as_string() == "the server worker was killed by signal 11 (SIGSEGV)");
    CHECK(at(read, "/results/2/partial").as_bool());
    CHECK(at(read, "/results/2/one_way_results/partial").as_bool());
    CHECK(at(read, "/results/2/one_way_results/latency/total_samples").as_int64() == 10'000);
    CHECK(at(read, "/results/3/one_way_results").is_null());
    CHECK(at(read, "/results/3/summary/average_throughput_mbps").as_double() == 0);
    CHECK(at(read, "/results/3/summary/p99_latency_ns").is_null());
}

TEST_CASE("a run by duration has no message count") {
    const json::value read = document();
    CHECK(at(read, "/results/0/test_config/msg_count").as_int64() == 10'000);
    CHECK(at(read, "/results/0/test_config/duration").is_null());
    CHECK(at(read, "/results/1/test_config/msg_count").is_null());
    CHECK(at(read, "/results/1/test_config/duration/secs").as_int64() == 1);
    CHECK(at(read, "/results/1/test_config/duration/nanos").as_int64() == 500'000'000);

    ResultDocument both = sample::document();
    both.results[0].plan.duration = std::chrono::seconds(1);
    CHECK(at(json::parse(to_json(both)), "/results/0/test_config/msg_count").is_null());
}

TEST_CASE("no figure of a summary mixes one-way with round trip") {
    const ResultDocument original = sample::document();
    const json::value read = document();
    const Histogram& one_way = original.results[0].one_way->latency.histogram;
    const Histogram& round_trip = original.results[0].round_trip->latency.histogram;
    REQUIRE(one_way.percentile_ns(99) != round_trip.percentile_ns(99));

    CHECK(at(read, "/results/0/summary/direction").as_string() == "OneWay");
    CHECK(at(read, "/results/0/summary/p95_latency_ns").to_number<std::uint64_t>() == one_way.percentile_ns(95));
    CHECK(at(read, "/results/0/summary/p99_latency_ns").to_number<std::uint64_t>() == one_way.percentile_ns(99));
    CHECK(at(read, "/results/0/summary/max_latency_ns").to_number<std::uint64_t>() == one_way.max_ns());
    CHECK(at(read, "/results/0/summary/round_trip/p99_latency_ns").to_number<std::uint64_t>() ==
          round_trip.percentile_ns(99));
    CHECK(at(read, "/results/1/summary/direction").as_string() == "RoundTrip");
    CHECK(at(read, "/results/1/summary/one_way").is_null());

    const json::value& mechanisms = at(read, "/summary/mechanisms");
    CHECK(mechanisms.at("Unix Domain Socket").at("direction").as_string() == "OneWay");
    CHECK(mechanisms.at("Unix Domain Socket").at("p99_latency_ns").to_number<std::uint64_t>() ==
          one_way.percentile_ns(99));
    CHECK(mechanisms.at("TCP Socket").at("direction").as_string() == "RoundTrip");
}

TEST_CASE("a mechanism's figures are all of one direction, whatever the order of its tests") {
    TestResult one_way = sample::document().results[0];
    TestResult round_trip = one_way;
    one_way.round_trip.reset();
    round_trip.one_way.reset();
    // Quicker than one-way and with more throughput: whatever is the best of both would be from here.
    round_trip.round_trip = sample::direction_result(Direction::round_trip, 100);
    round_trip.round_trip->throughput.bytes_per_second = 1e12;
    const Histogram& histogram = one_way.one_way->latency.histogram;
    for (const auto& tests : {std::vector{one_way, round_trip}, std::vector{round_trip, one_way}}) {
        ResultDocument both = sample::document();
        both.results = tests;
        const json::value read = json::parse(to_json(both));
        const json::value& mechanism = at(read, "/summary/mechanisms").at("Unix Domain Socket");
        CHECK(mechanism.at("direction").as_string() == "OneWay");
        CHECK(mechanism.at("p95_latency_ns").to_number<std::uint64_t>() == histogram.percentile_ns(95));
        CHECK(mechanism.at("p99_latency_ns").to_number<std::uint64_t>() == histogram.percentile_ns(99));
        CHECK(mechanism.at("average_throughput_mbps").to_number<double>() ==
              Approx(one_way.one_way->throughput.bytes_per_second / 1e6));
    }
}

TEST_CASE("a mechanism that failed wins nothing") {
    ResultDocument failed = sample::document();
    failed.results[2].one_way->throughput.bytes_per_second = 1e12;
    const json::value read = json::parse(to_json(failed));
    CHECK(at(read, "/summary/fastest_mechanism").as_string() == "Unix Domain Socket");
    CHECK(at(read, "/summary/total_messages").as_int64() == 40'000);
    CHECK(at(read, "/summary/total_errors").as_int64() == 2);
    CHECK(at(read, "/summary/mechanisms").at("Shared Memory").at("failures").as_int64() == 1);
}

TEST_CASE("the histogram's counts add up to the samples and its edges hold the extremes") {
    const json::value read = document();
    const json::value& latency = at(read, "/results/0/one_way_results/latency");
    std::int64_t sum = 0;
    for (const json::value& bucket : latency.at("histogram").as_array())
        sum += bucket.at(2).as_int64();
    CHECK(sum == latency.at("total_samples").as_int64());
    const json::array& buckets = latency.at("histogram").as_array();
    CHECK(buckets.front().at(0).as_int64() <= latency.at("min_ns").as_int64());
    CHECK(buckets.back().at(1).as_int64() >= latency.at("max_ns").as_int64());
    const json::array& steps = latency.at("histogram_data").as_array();
    CHECK(std::is_sorted(steps.begin(), steps.end(),
                         [](const auto& a, const auto& b) { return a.as_int64() < b.as_int64(); }));
    CHECK(steps.back().as_int64() == latency.at("max_ns").as_int64());
}

TEST_CASE("the percentiles are those that were asked") {
    const json::value read = document();
    CHECK(at(read, "/results/1/test_config/percentiles").as_array() == json::array{50.0, 99.999});
}

TEST_CASE("an open-loop result has the uncorrected latency beside the true one") {
    const json::value read = document();
    CHECK(at(read, "/results/1/round_trip_results/latency/uncorrected/total_samples").as_int64() == 10'000);
    CHECK(at(read, "/results/0/round_trip_results/latency/uncorrected").is_null());
}

TEST_CASE("the buffer size is what was asked, else the module's, else 0") {
    ResultDocument buffers = sample::document();
    buffers.results[0].plan.buffer_size_bytes = 4096;
    CHECK(at(json::parse(to_json(buffers)), "/results/0/test_config/buffer_size").as_int64() == 4096);
    CHECK(at(document(), "/results/0/test_config/buffer_size").as_int64() == 212'992);
    CHECK(at(document(), "/results/1/test_config/buffer_size").as_int64() == 0);
    ResultDocument chosen = sample::document();
    for (OptionValue& option : chosen.results[0].options)
        if (option.name == "buffer-size")
            option.value = "16320 one-way, 4MiB round trip";
    CHECK(at(json::parse(to_json(chosen)), "/results/0/test_config/buffer_size").as_int64() == 4 << 20);
    // What had no effect is not said to have been so.
    buffers.results[1].plan.buffer_size_bytes = 4096;
    CHECK(at(json::parse(to_json(buffers)), "/results/1/test_config/buffer_size").as_int64() == 0);
}

TEST_CASE("bytes that are no text do not spoil a document") {
    const std::string unknown = "\xEF\xBF\xBD";
    const std::string text = "plain, \xC3\xA9, \xE2\x82\xAC, \xF0\x9F\x98\x80";
    CHECK(result::valid_utf8(text) == text);
    // A byte by itself and a cut character; too long a form; a surrogate; beyond the last character.
    CHECK(result::valid_utf8("a\xFFz\xE2\x82") == "a" + unknown + "z" + unknown + unknown);
    CHECK(result::valid_utf8("\xC0\xAF") == unknown + unknown);
    CHECK(result::valid_utf8("\xED\xA0\x80") == unknown + unknown + unknown);
    CHECK(result::valid_utf8("\xF4\x90\x80\x80") == unknown + unknown + unknown + unknown);
    ResultDocument odd = sample::document();
    odd.command_line = {"ipcmark", "-o", "r\xFF.json"};
    odd.results[0].failure = "the module says \xFE";
    const json::value read = json::parse(to_json(odd)); // refuses what is no UTF-8
    CHECK(at(read, "/metadata/command_line/2").as_string() == "r" + unknown + ".json");
    CHECK(to_csv(odd).find("the module says " + unknown) != std::string::npos);
}

TEST_CASE("a document without results is a document") {
    const json::value read = json::parse(to_json(ResultDocument{}));
    CHECK(at(read, "/results").as_array().empty());
    CHECK(at(read, "/summary/mechanisms").as_object().empty());
    CHECK(at(read, "/summary/fastest_mechanism").is_null());
}

TEST_CASE("a number that JSON does not have is null") {
    constexpr double endless = std::numeric_limits<double>::infinity();
    const boost::json::array numbers{1.5, endless, -endless, std::numeric_limits<double>::quiet_NaN()};
    CHECK(result::to_text(numbers) == "[1.5, null, null, null]\n");
}

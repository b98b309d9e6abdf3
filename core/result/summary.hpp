// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Figures that are derived from a document. The rule for every summary: its latencies and rates come from one
// direction, never from a mix of one-way and round trip.
namespace ipcmark::result {

// The main figures of one direction.
struct DirectionSummary {
    Direction direction;
    std::uint64_t messages;
    std::uint64_t bytes;
    double average_bytes_per_second;
    double peak_bytes_per_second;
    double messages_per_second;
    double mean_ns;
    std::uint64_t min_ns;
    std::uint64_t p50_ns;
    std::uint64_t p95_ns;
    std::uint64_t p99_ns;
    std::uint64_t p999_ns;
    std::uint64_t max_ns;
};

// Of one test. `main` is the one-way direction where it was measured, else the round trip: the published plugin takes
// a test with both directions for a one-way test.
struct TestSummary {
    std::uint64_t total_messages = 0; // both directions
    std::uint64_t total_bytes = 0;    // both directions
    std::uint64_t error_count = 0;
    std::optional<DirectionSummary> one_way;
    std::optional<DirectionSummary> round_trip;
    [[nodiscard]] const std::optional<DirectionSummary>& main() const { return one_way ? one_way : round_trip; }
};

// Of all the tests of one mechanism that did not fail.
struct MechanismSummary {
    std::string display_name;
    std::string result_name;
    std::optional<Direction> direction; // that of `best_*`; not set: nothing was measured
    double best_average_bytes_per_second = 0;
    std::optional<double> best_mean_ns;  // the test with the lowest mean
    std::optional<std::uint64_t> p95_ns; // of that same test
    std::optional<std::uint64_t> p99_ns;
    std::uint64_t total_messages = 0; // failed tests included
    std::uint64_t tests = 0;
    std::uint64_t failures = 0;
};

struct DocumentSummary {
    std::uint64_t total_messages = 0;
    std::uint64_t total_bytes = 0;
    std::uint64_t total_errors = 0;
    std::optional<Direction> direction;           // that the two below were judged in: one-way where any test has it
    std::optional<std::string> fastest_mechanism; // display name
    std::optional<std::string> lowest_latency_mechanism;
    std::vector<MechanismSummary> mechanisms; // in the order of their first test
};

[[nodiscard]] DirectionSummary summarize(const DirectionResult& result, Direction direction);
[[nodiscard]] TestSummary summarize(const TestResult& result);
[[nodiscard]] DocumentSummary summarize(const ResultDocument& document);

} // namespace ipcmark::result

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "result/import.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ipcmark::result {

// Two tests of n runs each that are alike have ranges that do not touch in 2 of C(2n, n) cases: with three runs in one
// of 10, with four in one of 35, with five in one of 126.
inline constexpr std::size_t fewest_runs = 4;

// none: within the threshold. unclear: beyond it, but it may be noise: the ranges touch, there are fewer runs, or one
// side did not pass a check that the other did.
enum class Change { none, unclear, better, worse };

// A figure of the first document beside the same of the second.
struct ComparedFigure {
    Figure first;
    Figure second;
    double ratio; // second / first
    Change change;
};

struct ComparedTest {
    std::string mechanism;
    std::optional<Direction> direction;
    std::uint64_t message_size_bytes = 0;
    unsigned concurrency = 1;
    std::map<std::string, std::string> configuration; // of the first document's, by the field's name; see `differences`
    std::size_t runs_first = 0;                       // repetitions that the figures are the medians of
    std::size_t runs_second = 0;
    std::vector<std::string> differences; // in configuration: "wait_policy: block, spin"
    std::vector<std::string> suspicious;  // checks that were not passed: "cpu-share: in 0 of 5 runs, 3 of 5"
    bool suspicious_alike = true;         // none that one side passed in all of its runs, and the other did not
    std::optional<ComparedFigure> p50_ns;
    std::optional<ComparedFigure> p99_ns;
    std::optional<ComparedFigure> messages_per_second; // bytes a second where a document has no message rate
};

struct Comparison {
    std::vector<ComparedTest> tests;
    std::vector<std::string> only_first; // tests, described
    std::vector<std::string> only_second;
    std::vector<std::string> newly_failed; // measured in the first, failed in the second, with the reason
    std::vector<std::string> machine_differences;
    std::vector<std::string> varying; // fields of the configuration that are not the same in all tests of a document
    [[nodiscard]] bool any_regression() const; // none that is unclear
    [[nodiscard]] bool any_unclear() const;
};

// Pairs the tests of two documents: those with the same configuration first, then those that differ in it only.
// Repetitions of a test become one, with medians and the range that they span. A figure has changed where its ratio is
// beyond 1 + threshold (or below its inverse), each side has fewest_runs or more, and the ranges of the two do not
// touch; else it is unclear. Throws UsageError where no test is in both.
[[nodiscard]] Comparison compare(const ImportedDocument& first, const ImportedDocument& second, double threshold);

} // namespace ipcmark::result

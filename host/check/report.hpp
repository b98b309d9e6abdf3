// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/runner.hpp"
#include "host/console_table.hpp"

#include <string>
#include <vector>

namespace ipcmark::check {

struct Totals {
    std::size_t passed = 0;
    std::size_t failed = 0; // also those that crashed or hung
    std::size_t skipped = 0;
};
[[nodiscard]] Totals totals(const std::vector<CaseResult>& results);

// What came of a run: the results of the cases that were run, then those that no more were (stop_at_first).
struct Report {
    std::vector<CaseResult> results;
    std::vector<Case> not_run;
};

// For people: one line for each case, with the reason below it and, for one that failed, what the test proves and what
// it wrote. Of one that failed for the very reason of an earlier one, `same_as`, only which that is.
[[nodiscard]] std::string result_text(const CaseResult& result, const CaseResult* same_as, host::Colour colour);
// Each reason once, with the tests that failed for it, and how many did what.
[[nodiscard]] std::string summary_text(const Report& report, host::Colour colour);
[[nodiscard]] std::string list_text(const std::vector<Case>& cases, host::Colour colour);

[[nodiscard]] std::string json_text(const Request& request, const Report& report);
[[nodiscard]] std::string list_json_text(const std::vector<Case>& cases);
// JUnit's XML, as continuous integration reads it. What was not run is skipped there, which is JUnit's word for it: a
// test that is missing would be taken for one that is no more, and its failures before for mended.
[[nodiscard]] std::string junit_text(const Request& request, const Report& report);

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/context.hpp"
#include "host/check/test.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ipcmark::check {

enum class Outcome { pass, fail, skip, crash, timeout };
[[nodiscard]] const char* outcome_name(Outcome outcome);
[[nodiscard]] constexpr bool is_failure(Outcome outcome) {
    return outcome != Outcome::pass && outcome != Outcome::skip;
}

// What a conformance run was asked for.
struct Request {
    std::filesystem::path module; // absolute
    std::map<std::string, std::string> options;
    std::vector<WaitPolicy> waits{WaitPolicy::block, WaitPolicy::spin, WaitPolicy::adaptive};
    std::vector<std::string> only;                        // patterns with * and ? of ids; empty: all
    std::optional<std::chrono::nanoseconds> test_timeout; // instead of each test's own limit
    bool in_process = false;
    bool stop_at_first = false; // that does not pass
};

// A test with the wait policy that it is run with.
struct Case {
    const Test* test;
    WaitPolicy wait;
    std::string name; // "group.name", or "group.name@spin" for a test that is run with each policy
};

struct CaseResult {
    Case which;
    Outcome outcome = Outcome::pass;
    std::string reason; // one sentence; empty for a pass
    std::string output; // what the test's processes wrote, if it did not pass
    std::chrono::nanoseconds time{0};
};

// Throws UsageError for a pattern that no test matches.
[[nodiscard]] std::vector<Case> selected_cases(const Request& request);

// Runs the cases one after the other, calling `each` with each result; with stop_at_first up to the first failure.
// Throws UsageError for an option that the module does not have, RunError where no process can be started.
void run_cases(const Request& request, const std::vector<Case>& cases,
               const std::function<void(const CaseResult&)>& each);

} // namespace ipcmark::check

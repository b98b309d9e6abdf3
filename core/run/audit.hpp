// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/clock.hpp"

#include <ipcmark/document.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

namespace ipcmark {

struct AuditInput {
    const TestPlan* plan = nullptr;
    const RunClock* clock = nullptr;
    const ModuleIdentity* module = nullptr; // may be null
    std::uint64_t received_by_counter = 0;  // what the live counters say, against the histogram
    std::uint64_t backwards = 0;            // receive stamps that lay before their send stamps
    // The sum over all endpoints of the time from an endpoint's first send to its last receive.
    double endpoint_spans_ns = 0;
    // The part of it that was spent in send delays with nothing under way on that endpoint (round trip).
    double endpoint_pauses_ns = 0;
    // Open loop: from the planned moment of the first message to the one at which the last was begun to be sent.
    std::uint64_t sending_ns = 0;
    // Messages of the warm-up that had not arrived when measuring began (one-way).
    std::uint64_t warmup_left = 0;
    // Open loop: from the planned moment of the first message to the receipt of the last.
    std::uint64_t receiving_ns = 0;
    // The CPUs of each side that a thread was on which was placed on another one.
    std::set<int> server_astray;
    std::set<int> client_astray;
    // How many CPUs the two sides may use, where this program started both of them; 0 elsewhere.
    std::size_t common_cpus = 0;
};

// The checks of one direction against itself. Each has an id, a figure, what the figure should be, and a verdict.
[[nodiscard]] std::vector<AuditCheck> audit(const DirectionResult& result, const AuditInput& input);

// What a reader must know of a result: a warning for each suspicious check, and for circumstances that bend the
// numbers. `clock`: the one that stamped its messages.
[[nodiscard]] std::vector<Warning> warnings_of(const DirectionResult& result, const TestPlan& plan,
                                               const ClockInfo& clock);

} // namespace ipcmark

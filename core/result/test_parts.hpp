// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>

#include <optional>
#include <string>

namespace ipcmark::result {

// Of the module that was found; of a test that did not come so far, as it was asked for.
[[nodiscard]] inline const std::string& mechanism_of(const TestResult& test) {
    return test.module.id.empty() ? test.plan.mechanism : test.module.id;
}

[[nodiscard]] inline const std::optional<DirectionResult>& measured_in(const TestResult& test, Direction direction) {
    return direction == Direction::one_way ? test.one_way : test.round_trip;
}

} // namespace ipcmark::result

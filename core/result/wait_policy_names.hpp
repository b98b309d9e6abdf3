// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/plan.hpp>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

namespace ipcmark {

// As users write them, and as documents, tables and names of tests have them.
inline constexpr std::pair<WaitPolicy, std::string_view> wait_policy_names[] = {
    {WaitPolicy::block, "block"}, {WaitPolicy::spin, "spin"}, {WaitPolicy::adaptive, "adaptive"}};

[[nodiscard]] constexpr std::string_view wait_policy_name(WaitPolicy wait) {
    return std::find_if(std::begin(wait_policy_names), std::end(wait_policy_names),
                        [wait](const auto& entry) { return entry.first == wait; })
        ->second;
}

} // namespace ipcmark

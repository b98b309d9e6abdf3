// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ipcmark {

// The name that someone who wrote `asked` probably meant: the one fewest edits away (insertion, deletion, change, two
// neighbours swapped; case does not count), if that is at most a third of the letters; else one that begins with
// `asked`. Not set where nothing is near.
[[nodiscard]] std::optional<std::string> nearest_name(std::string_view asked, std::span<const std::string> names);

// "; did you mean 'uds'?", or "" where nothing is near: the end of an error message.
[[nodiscard]] std::string did_you_mean(std::string_view asked, std::span<const std::string> names);

} // namespace ipcmark

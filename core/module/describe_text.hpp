// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/modules.hpp>

#include <string>
#include <string_view>

namespace ipcmark {

// A description as one line of JSON on its way from the child of describe() to its parent; `file` does not travel.
[[nodiscard]] std::string description_to_text(const ModuleDescription& description);
// Throws std::exception for a text that description_to_text did not write.
[[nodiscard]] ModuleDescription description_from_text(std::string_view text);

} // namespace ipcmark

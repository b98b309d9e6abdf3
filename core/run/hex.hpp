// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ipcmark {

// A module's address is any bytes; a control message is text.
[[nodiscard]] std::string to_hex(const std::string& bytes);
// Throws RunError for what to_hex cannot have made.
[[nodiscard]] std::string from_hex(const std::string& text);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace ipcmark {

// "bytes", "duration", ...
[[nodiscard]] const char* option_type_name(std::uint32_t type);

// One value from its text by the rules of the option's type and bounds; is_set stays 0. A string value points into
// `storage`, which is set to the text. Throws UsageError whose text begins with the value in quotes.
[[nodiscard]] ipcmark_value parse_option_text(const ipcmark_option& option, std::string_view text,
                                              std::string& storage);

// The text of a value, which parse_option_text reads back to the same value.
[[nodiscard]] std::string format_option_value(const ipcmark_option& option, const ipcmark_value& value);

// One of the bounds in the spelling of the type; "" where the option has none.
[[nodiscard]] std::string format_minimum(const ipcmark_option& option);
[[nodiscard]] std::string format_maximum(const ipcmark_option& option);

} // namespace ipcmark

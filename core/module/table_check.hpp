// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ipcmark {

// What is wrong with a module's table, as the end of a sentence that begins with the module's name ("has no send
// function"); not set if all is right. `options` are in this host's layout.
[[nodiscard]] std::optional<std::string> fault_of_table(const ipcmark_descriptor& table);
[[nodiscard]] std::optional<std::string> fault_of_options(std::span<const ipcmark_option> options);
// Of what get_extension gave for an id that this host knows; nothing is wrong with null, nor with another id.
[[nodiscard]] std::optional<std::string> fault_of_extension(std::string_view id, const void* table);

} // namespace ipcmark

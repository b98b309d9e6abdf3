// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/context.hpp"
#include "module/identity.hpp"

#include <span>

namespace ipcmark::check {

// The identity as the bytes of the file have it, accepted or not. Ends the test if there is no entry to read.
[[nodiscard]] EntryIdentity identity_in_file(const std::filesystem::path& path);
// Opens the file with the dynamic loader, as the host does, and returns its entry, accepted or not. Ends the test if
// that fails.
[[nodiscard]] const ipcmark_module_entry_v1& open_raw(const std::filesystem::path& path);
// As open_raw, on to the table. Ends the test if that is too short to be looked at.
[[nodiscard]] const ipcmark_descriptor& raw_table(const std::filesystem::path& path);
[[nodiscard]] std::vector<ipcmark_option> raw_options(const std::filesystem::path& path);

} // namespace ipcmark::check

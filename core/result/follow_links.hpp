// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <system_error>

namespace ipcmark {

// The file that a path leads to by its links, whether that is there or not. An errno such as ELOOP or EACCES in
// `error`, which is cleared otherwise.
[[nodiscard]] std::filesystem::path follow_links(const std::filesystem::path& path, std::error_code& error);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace ipcmark {

// Where the parts of this ipcmark are, found from where this code itself was loaded from (the program or libipcmark),
// so that a build tree, an installation and a DESTDIR or moved installation all find their own parts.

// The worker program. Throws RunError naming the places looked at.
[[nodiscard]] std::filesystem::path worker_program();
// libdir/ipcmark/modules-1 of the installation; not set when run from the build tree.
[[nodiscard]] std::optional<std::filesystem::path> installed_module_dir();
// build/modules, whose subfolders each hold one module; not set when installed.
[[nodiscard]] std::optional<std::filesystem::path> build_tree_module_dir();
// Why the places above may be wrong, in brackets and with a space before it; empty where they are certain.
[[nodiscard]] std::string place_doubt();

} // namespace ipcmark

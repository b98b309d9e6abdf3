// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace ipcmark::host {

// A file of a module in examples/out-of-tree, from which `ipcmark new-module` makes the user's own.
struct TemplateFile {
    std::string_view language; // "c", "cpp", "rust"
    std::string_view name;     // in the new folder; "NAME" in it becomes the module's
    std::string_view text;
};

// Generated at build time by embed.py.
[[nodiscard]] std::span<const TemplateFile> module_templates();

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

namespace ipcmark {

// Of a path that names a descriptor of a process and no file: /dev/stdout, /dev/fd/N, /proc/PID/fd/N, or a link to one.
struct DescriptorPath {
    bool own = false; // of this process
    int number = -1;
};

// None for all other paths, also where they cannot be looked at.
[[nodiscard]] std::optional<DescriptorPath> descriptor_path(const std::filesystem::path& path);

} // namespace ipcmark

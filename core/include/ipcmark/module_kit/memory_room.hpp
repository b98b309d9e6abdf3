// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/control_groups.hpp>
#include <ipcmark/module_kit/system_value.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

namespace ipcmark::kit {

// A control group's limit of memory, in bytes. `used` is without what the kernel takes back before it kills: the pages
// of files.
struct MemoryGroup {
    std::uint64_t limit;
    std::uint64_t used;

    [[nodiscard]] std::uint64_t room() const noexcept { return limit - std::min(limit, used); }
};

namespace detail {

// What is in a file of lines "name value [unit]" under any of two names, as a sum.
inline std::uint64_t sum_in(const std::string& path, const std::string& name, const std::string& other) {
    std::uint64_t sum = 0;
    std::ifstream file(path);
    for (std::string key, rest; file >> key && std::getline(file, rest);) {
        if (key == name || key == other) {
            sum += std::strtoull(rest.c_str(), nullptr, 10);
        }
    }
    return sum;
}

// In version 1 the names with "total_" are those of the group with all below it, as the others are in version 2.
struct MemoryFiles {
    const char* limit;
    const char* usage;
    const char* inactive;
    const char* active;
};
inline constexpr MemoryFiles memory_files_v1{"/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file",
                                             "total_active_file"};
inline constexpr MemoryFiles memory_files_v2{"/memory.max", "/memory.current", "inactive_file", "active_file"};

} // namespace detail

// Those of this process's control groups (v1 and v2) that have a limit, its own and all above it. `root` goes before
// each path that is read.
inline std::vector<MemoryGroup> memory_groups(const std::string& root = "") {
    std::vector<MemoryGroup> groups;
    for (const auto& [version, folder] : control_groups("memory", root)) {
        const auto& files = version == GroupVersion::v2 ? detail::memory_files_v2 : detail::memory_files_v1;
        if (const auto limit = read_system_number(folder + files.limit)) { // "max" is none
            const auto usage = read_system_number(folder + files.usage).value_or(0);
            const auto of_files = detail::sum_in(folder + "/memory.stat", files.inactive, files.active);
            groups.push_back({*limit, usage - std::min(usage, of_files)});
        }
    }
    return groups;
}

// Bytes that this process may still get: what the machine has left by the kernel's estimate, or what its control groups
// have if that is less. The largest number where neither is told.
inline std::uint64_t memory_room(const std::string& root = "") {
    auto room = std::numeric_limits<std::uint64_t>::max();
    std::ifstream meminfo(root + "/proc/meminfo");
    for (std::string name, rest; meminfo >> name && std::getline(meminfo, rest);) {
        if (name == "MemAvailable:") {
            room = std::strtoull(rest.c_str(), nullptr, 10) * 1024;
        }
    }
    for (const auto& group : memory_groups(root)) {
        room = std::min(room, group.room());
    }
    return room;
}

} // namespace ipcmark::kit

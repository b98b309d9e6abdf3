// SPDX-License-Identifier: Apache-2.0
#include "result/descriptor_path.hpp"

#include <charconv>
#include <string>
#include <system_error>

namespace ipcmark {

namespace fs = std::filesystem;

namespace {

// Whether a folder with all links followed is /proc/PID/fd or /proc/PID/task/TID/fd.
bool holds_descriptors(const std::string& folder) {
    return folder.starts_with("/proc/") && folder.ends_with("/fd");
}

} // namespace

std::optional<DescriptorPath> descriptor_path(const fs::path& path) {
    constexpr int most_links = 40; // as the kernel
    std::error_code error;
    fs::path at = fs::absolute(path, error);
    for (int link = 0; !error && link < most_links; ++link) {
        const fs::path folder = fs::canonical(at.parent_path(), error);
        if (error)
            return {};
        if (holds_descriptors(folder.string())) {
            const std::string name = at.filename().string();
            DescriptorPath found;
            const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), found.number);
            if (bad != std::errc() || end != name.data() + name.size() || found.number < 0)
                return {};
            // Not by the number of the process: the /proc of another PID namespace has others.
            found.own = folder == fs::canonical("/proc/self/fd", error) && !error;
            return found;
        }
        if (!fs::is_symlink(folder / at.filename(), error))
            return {};
        const fs::path target = fs::read_symlink(folder / at.filename(), error);
        at = target.is_absolute() ? target : folder / target;
    }
    return {};
}

} // namespace ipcmark

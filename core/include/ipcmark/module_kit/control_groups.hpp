// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace ipcmark::kit {

enum class GroupVersion { v1, v2 };

// A control group, as the folder of its files.
struct ControlGroup {
    GroupVersion version;
    std::string folder;
};

// This process's control groups that may have limits of a controller ("memory", "cpu"): its own and all above it, in
// version 1 and 2. `root` goes before each path that is read.
inline std::vector<ControlGroup> control_groups(std::string_view controller, const std::string& root = "") {
    std::vector<ControlGroup> groups;
    std::ifstream own(root + "/proc/self/cgroup");
    for (std::string line; std::getline(own, line);) {
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) {
            continue;
        }
        const auto controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        const auto version = controllers == ",," ? GroupVersion::v2 : GroupVersion::v1;
        if (version == GroupVersion::v1 && controllers.find("," + std::string(controller) + ",") == std::string::npos) {
            continue;
        }
        const auto mount =
            root + "/sys/fs/cgroup" + (version == GroupVersion::v1 ? "/" + std::string(controller) : std::string());
        // In a container the path may be that outside of it: the root of what one sees is looked at in any case.
        for (auto group = line.substr(second + 1);;) {
            if (group == "/") {
                group.clear();
            }
            groups.push_back({version, mount + group});
            if (group.empty()) {
                break;
            }
            const auto parent = group.rfind('/');
            group.resize(parent == std::string::npos ? 0 : parent);
        }
    }
    return groups;
}

} // namespace ipcmark::kit

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/control_groups.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ipcmark {

// The least number of CPUs that the quotas of this process's control groups (v1 and v2) come to, its own and all above
// it; nothing where none has a quota. `root` goes before each path that is read.
[[nodiscard]] std::optional<double> cpu_quota(const std::string& root = "");

// How a control group was kept off the CPUs because its quota was used up.
struct CpuThrottling {
    std::uint64_t periods = 0;           // in which it wanted to run
    std::uint64_t throttled_periods = 0; // of these
    std::uint64_t throttled_ns = 0;      // of all CPUs together
};

// From its making on. Each look reads a small file for each control group: not for the measured window.
class ThrottlingWatch {
public:
    explicit ThrottlingWatch(const std::string& root = "");
    // Of the group that was throttled most often; all zero where none was.
    [[nodiscard]] CpuThrottling look() const;

private:
    std::vector<kit::ControlGroup> groups_;
    std::vector<CpuThrottling> before_;
};

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "run/cpu_throttling.hpp"

#include "run/small_file.hpp"

#include <ipcmark/module_kit/system_value.hpp>

#include <algorithm>
#include <sstream>

namespace ipcmark {
namespace {

// "50000 100000" of version 2; a file of its own each in version 1, where -1 is none, as "max" is in version 2.
std::optional<double> quota_of(const kit::ControlGroup& group) {
    std::istringstream text;
    if (group.version == kit::GroupVersion::v2)
        text.str(read_small_file(group.folder + "/cpu.max"));
    else
        text.str(read_small_file(group.folder + "/cpu.cfs_quota_us") + " " +
                 read_small_file(group.folder + "/cpu.cfs_period_us"));
    double quota_us = 0;
    double period_us = 0;
    if (!(text >> quota_us >> period_us) || quota_us <= 0 || period_us <= 0)
        return std::nullopt;
    return quota_us / period_us;
}

CpuThrottling throttling_of(const kit::ControlGroup& group) {
    CpuThrottling found;
    std::istringstream lines(read_small_file(group.folder + "/cpu.stat"));
    std::uint64_t value = 0;
    for (std::string name; lines >> name >> value;) {
        if (name == "nr_periods")
            found.periods = value;
        else if (name == "nr_throttled")
            found.throttled_periods = value;
        else if (name == "throttled_time") // version 1
            found.throttled_ns = value;
        else if (name == "throttled_usec") // version 2
            found.throttled_ns = value * 1000;
    }
    return found;
}

} // namespace

std::optional<double> cpu_quota(const std::string& root) {
    std::optional<double> least;
    for (const kit::ControlGroup& group : kit::control_groups("cpu", root))
        if (const auto quota = quota_of(group))
            least = std::min(least.value_or(*quota), *quota);
    return least;
}

ThrottlingWatch::ThrottlingWatch(const std::string& root) : groups_(kit::control_groups("cpu", root)) {
    for (const kit::ControlGroup& group : groups_)
        before_.push_back(throttling_of(group));
}

CpuThrottling ThrottlingWatch::look() const {
    CpuThrottling most;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        const CpuThrottling now = throttling_of(groups_[i]);
        if (now.throttled_periods - before_[i].throttled_periods > most.throttled_periods)
            most = {now.periods - before_[i].periods, now.throttled_periods - before_[i].throttled_periods,
                    now.throttled_ns - before_[i].throttled_ns};
    }
    return most;
}

} // namespace ipcmark

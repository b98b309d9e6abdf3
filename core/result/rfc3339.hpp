// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <ctime>
#include <optional>
#include <string>

namespace ipcmark::result {

// "2026-01-02T03:04:05.678Z", or with an offset such as "+01:00" in place of the Z.
inline std::optional<double> seconds_since_epoch(const std::string& timestamp) {
    std::tm time{};
    double seconds = 0;
    int read = 0;
    if (std::sscanf(timestamp.c_str(), "%4d-%2d-%2dT%2d:%2d:%lf%n", &time.tm_year, &time.tm_mon, &time.tm_mday,
                    &time.tm_hour, &time.tm_min, &seconds, &read) != 6)
        return std::nullopt;
    time.tm_year -= 1900;
    time.tm_mon -= 1;
    int hours = 0;
    int minutes = 0;
    const char* zone = timestamp.c_str() + read;
    if ((*zone == '+' || *zone == '-') && std::sscanf(zone + 1, "%2d:%2d", &hours, &minutes) != 2)
        return std::nullopt;
    const int offset_s = (*zone == '-' ? -60 : 60) * (60 * hours + minutes);
    return static_cast<double>(::timegm(&time) - offset_s) + seconds;
}

} // namespace ipcmark::result

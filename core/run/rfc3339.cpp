// SPDX-License-Identifier: Apache-2.0
#include "run/rfc3339.hpp"

#include <chrono>

#include <fmt/chrono.h>

namespace ipcmark {

std::string rfc3339_now() {
    const auto now = std::chrono::system_clock::now();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now - seconds).count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                       milliseconds);
}

} // namespace ipcmark

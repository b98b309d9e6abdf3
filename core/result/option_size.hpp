// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>
#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace ipcmark::result {

// --buffer-size goes to the modules that have this option, and has no effect on the others.
inline constexpr const char* buffer_size_option = "buffer-size";

inline bool buffer_size_ignored(const TestResult& result) {
    return result.plan.buffer_size_bytes && (result.one_way || result.round_trip) &&
           std::none_of(result.options.begin(), result.options.end(),
                        [](const OptionValue& option) { return option.name == buffer_size_option; });
}

// Of an option's value: where the directions of a test had each its own ("64KiB one-way, 4KiB round trip") the larger
// one; 0 for a word, such as "auto".
inline std::uint64_t largest_size_in(std::string_view value) {
    std::uint64_t largest = 0;
    while (!value.empty()) {
        const std::string_view part = value.substr(0, value.find(','));
        value.remove_prefix(std::min(value.size(), part.size() + 2));
        try {
            largest = std::max(largest, parse_size_bytes(part.substr(0, part.find(' '))));
        } catch (const UsageError&) {
            continue;
        }
    }
    return largest;
}

// The buffer size of a test: as asked, unless that had no effect, else the module's effective `buffer-size` where it
// has that option, as largest_size_in, else 0.
inline std::uint64_t buffer_size_bytes(const TestResult& result) {
    if (result.plan.buffer_size_bytes)
        return buffer_size_ignored(result) ? 0 : *result.plan.buffer_size_bytes;
    for (const OptionValue& option : result.options) {
        if (option.name == buffer_size_option)
            return largest_size_in(option.value);
    }
    return 0;
}

} // namespace ipcmark::result

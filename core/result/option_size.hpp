// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>
#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>
#include <cstdint>

namespace ipcmark::result {

// --buffer-size goes to the modules that have this option, and has no effect on the others.
inline constexpr const char* buffer_size_option = "buffer-size";

inline bool buffer_size_ignored(const TestResult& result) {
    return result.plan.buffer_size_bytes && (result.one_way || result.round_trip) &&
           std::none_of(result.options.begin(), result.options.end(),
                        [](const OptionValue& option) { return option.name == buffer_size_option; });
}

// The buffer size of a test: as asked, unless that had no effect, else the module's effective `buffer-size` where it
// has that option and its value is a size, else 0.
inline std::uint64_t buffer_size_bytes(const TestResult& result) {
    if (result.plan.buffer_size_bytes)
        return buffer_size_ignored(result) ? 0 : *result.plan.buffer_size_bytes;
    for (const OptionValue& option : result.options) {
        if (option.name != buffer_size_option)
            continue;
        try {
            return parse_size_bytes(option.value);
        } catch (const UsageError&) {
            return 0; // a word, such as "auto"
        }
    }
    return 0;
}

} // namespace ipcmark::result

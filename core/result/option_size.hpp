// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>
#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <cstdint>

namespace ipcmark::result {

// The buffer size of a test: as asked, else the module's effective `buffer-size` where it has that option and its value
// is a size, else 0.
inline std::uint64_t buffer_size_bytes(const TestResult& result) {
    if (result.plan.buffer_size_bytes)
        return *result.plan.buffer_size_bytes;
    for (const OptionValue& option : result.options) {
        if (option.name != "buffer-size")
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

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/test_matrix.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

namespace ipcmark::host {

// For a word that stands where none is expected: `ipcmark uds`, `ipcmark run ./mine.so`. Empty if it names no transport
// that comes with the program, and no file.
inline std::string mechanism_hint(const std::string& word) {
    const auto known = expand_mechanisms({"all", "null"});
    if (word != "all" && word.find('/') == std::string::npos &&
        std::find(known.begin(), known.end(), word) == known.end())
        return "";
    return fmt::format("; to measure it: ipcmark run -m {}", word);
}

} // namespace ipcmark::host

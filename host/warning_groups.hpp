// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/test_columns.hpp"

#include <string>
#include <vector>

namespace ipcmark::host {

// What the tests of a run are warned of, each thing once: warnings of the same code, direction and remedy whose causes
// are the same sentence but for its numbers. Each string is "the tests: the cause; the remedy"; where a number differs,
// it is the values or the range of them: "0.24 to 0.79". Warnings of the whole run come last, without tests.
[[nodiscard]] std::vector<std::string> grouped_warnings(const ResultDocument& document, const TestNames& names);

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace ipcmark::host {

// Writes to standard output and remembers the first error, which must not end a run before its files are written.
void print(std::string_view text);
// Returns the errno of the first error so far, 0 where there was none.
int flush_standard_output();

} // namespace ipcmark::host

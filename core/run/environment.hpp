// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>

namespace ipcmark {

// What machine this is, read from the kernel; everything but `clock`. Nothing that cannot be read is an error: its
// field stays empty. Takes less than 3 ms.
[[nodiscard]] SystemInfo capture_environment();

} // namespace ipcmark

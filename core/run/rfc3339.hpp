// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ipcmark {

// The present moment in UTC with milliseconds: 2026-01-31T12:34:56.789Z.
[[nodiscard]] std::string rfc3339_now();

} // namespace ipcmark

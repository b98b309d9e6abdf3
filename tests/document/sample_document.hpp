// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>

// A document with everything in it: a test with both directions, one by duration at an open rate, a failed one with
// partial results and a failed one with none. The same on every call.
namespace ipcmark::sample {

[[nodiscard]] ResultDocument document();
[[nodiscard]] DirectionResult direction_result(Direction direction, std::uint64_t base_ns);

} // namespace ipcmark::sample

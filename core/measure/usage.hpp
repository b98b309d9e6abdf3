// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/results_memory.hpp"

#include <cstdint>

namespace ipcmark {

// What the calling thread has used so far; the migrations are 0 where the kernel does not show them
// (/proc/thread-self/sched). Takes some 20 us: never inside a window.
[[nodiscard]] UsageRecord thread_usage() noexcept;

[[nodiscard]] UsageRecord operator-(const UsageRecord& later, const UsageRecord& earlier) noexcept;

// The largest resident set of this process so far.
[[nodiscard]] std::uint64_t max_resident_bytes() noexcept;

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/results_memory.hpp"

#include <cstdint>
#include <optional>

namespace ipcmark {

// What the calling thread has used so far; the migrations are not_known where the kernel does not show them
// (/proc/thread-self/sched; kernels without CONFIG_SCHED_DEBUG). Takes some 20 us: never inside a window.
[[nodiscard]] UsageRecord thread_usage() noexcept;

[[nodiscard]] UsageRecord operator-(const UsageRecord& later, const UsageRecord& earlier) noexcept;

// The number behind the first colon after `name` in a file of /proc, if there is one.
[[nodiscard]] std::optional<std::uint64_t> number_in(const char* path, const char* name) noexcept;

// The largest resident set of this process so far.
[[nodiscard]] std::uint64_t max_resident_bytes() noexcept;

} // namespace ipcmark

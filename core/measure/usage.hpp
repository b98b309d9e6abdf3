// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/results_memory.hpp"

#include <cstdint>
#include <optional>

namespace ipcmark {

// What the calling thread uses from one moment to another. Asking the kernel takes some 30 us and is in neither end's
// figures: it is done before the span begins, and after it has ended. Never inside a window.
class UsageSpan {
public:
    void begin() noexcept;
    // Since begin(). Not known: migrations (/proc/thread-self/sched; kernels without CONFIG_SCHED_DEBUG) and the delay
    // (/proc/thread-self/schedstat; without CONFIG_SCHED_INFO) where the kernel does not show them.
    [[nodiscard]] UsageRecord end() const noexcept;

private:
    UsageRecord begin_{};
};

// Of the calling thread since it began.
[[nodiscard]] std::uint64_t thread_cpu_time_ns() noexcept;

// The number behind the first colon after `name` in a file of /proc, if there is one.
[[nodiscard]] std::optional<std::uint64_t> number_in(const char* path, const char* name) noexcept;

// The largest resident set of this process so far.
[[nodiscard]] std::uint64_t max_resident_bytes() noexcept;

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module.h>

#include <climits>

#include <sched.h>
#include <unistd.h>

namespace ipcmark {

// Gives the calling thread a copy of the process's table of descriptors. While several threads share one table the
// kernel counts references to the file in every system call, which costs a small message 3 % and a program of one
// thread nothing. Descriptors that are made or closed later are so in one of the tables only; the copy goes when the
// thread ends. Where the kernel refuses, nothing changes but that cost.
inline void own_descriptors() noexcept {
    // ThreadSanitizer knows one table: one number, of two descriptors in two tables, it would take for a race.
    if constexpr ((static_cast<unsigned>(IPCMARK_BUILD_FLAGS) & IPCMARK_BUILD_TSAN) != 0)
        return;
    if (unshare(CLONE_FILES) == 0)
        return;
#ifdef CLOSE_RANGE_UNSHARE
    // Containers often forbid unshare, not this: closes no descriptor, and copies the table first.
    (void)close_range(UINT_MAX, UINT_MAX, CLOSE_RANGE_UNSHARE);
#endif
}

} // namespace ipcmark

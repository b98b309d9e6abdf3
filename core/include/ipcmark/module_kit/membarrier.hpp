// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

// Two threads that each write one thing and then look at what the other writes need a full barrier between the two
// steps, or both may look too early. Where one of them comes by with every message and the other once in a run,
// membarrier(2) lets the seldom one make the barrier for both, and the frequent one only keeps its compiler in order.
namespace ipcmark::kit {

// The commands that the kernel has, or what a command returned; negative where it failed.
inline long membarrier(int command) noexcept {
    return ::syscall(SYS_membarrier, command, 0, 0);
}

// Prepares this process for MEMBARRIER_CMD_PRIVATE_EXPEDITED, a barrier in all of its threads. False where the kernel
// has none: then both sides need their own.
inline bool prepare_private_membarrier() noexcept {
    const auto commands = membarrier(MEMBARRIER_CMD_QUERY);
    return commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 &&
           membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

} // namespace ipcmark::kit

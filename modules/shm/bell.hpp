// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "layout.hpp"

#include <ipcmark/module_kit/membarrier.hpp>

#include <atomic>
#include <climits>
#include <cstdint>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

// Sleeping and waking across processes. The sleeper arms its bell, then looks once more whether it need not sleep; the
// other side makes its step (a message, or room), then looks whether the bell is armed. Each must see the other's
// write: that takes a full barrier on both sides. For a sleeper that seldom sleeps that would cost the other side more
// per message than the rest of a small send, so an adaptive sleeper makes the barrier for both with membarrier(2), and
// the other side needs none.
namespace ipcmark::shm {

// Lets other processes' membarriers count for this process. False where the kernel has none.
inline bool take_part_in_membarriers() noexcept {
    const auto commands = kit::membarrier(MEMBARRIER_CMD_QUERY);
    return commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0 &&
           kit::membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
}

// Sleeps while the bell is armed for it. Ends early now and then, for no reason.
inline void sleep_on(Bell& bell) noexcept {
    ::syscall(SYS_futex, &bell.armed, FUTEX_WAIT, std::uint32_t{Bell::sleeping}, nullptr, nullptr, 0);
}

// After a step that the owner of the bell may wait for: does it?
inline bool is_awaited(const Bell& bell) noexcept {
    if (bell.one_sided.load(std::memory_order_relaxed) == 0) {
        std::atomic_thread_fence(std::memory_order_seq_cst);
    } else {
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    return bell.armed.load(std::memory_order_relaxed) != Bell::awake;
}

// Wakes the owner of the bell; `event` is the eventfd that it polls, if it does.
[[gnu::cold, gnu::noinline]] inline void wake(Bell& bell, int event) noexcept {
    const auto armed = bell.armed.exchange(Bell::awake);
    if (armed == Bell::sleeping) {
        ::syscall(SYS_futex, &bell.armed, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    } else if (armed == Bell::polling) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(event, &one, sizeof one);
    }
}

} // namespace ipcmark::shm

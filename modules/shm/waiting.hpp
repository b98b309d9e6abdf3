// SPDX-License-Identifier: Apache-2.0
#pragma once

// Part of endpoint.hpp: how a blocked half waits.

namespace ipcmark::shm {

// Called when there is a reason to stop. IPCMARK_WOULD_BLOCK if the reason has gone; it never does.
template <class Probe> ipcmark_status Endpoint::stop_or(Probe probe) noexcept {
    if (const auto status = stop_.interrupted(); status != IPCMARK_OK) {
        return status;
    }
    if (!stop_.has_peer_left()) {
        return IPCMARK_WOULD_BLOCK;
    }
    // The peer's last steps came before it left.
    const auto status = probe();
    return status != IPCMARK_WOULD_BLOCK ? status : stop_.peer_gone();
}

// Whether the peer may leave its barrier out because each sleep of this side makes one for both: an adaptive side,
// whose sleeps are seldom, from the moment on that the peer's process takes part. Not a polled one: arm makes its own
// barrier.
inline bool Endpoint::sleeps_with_membarrier(Bell& bell) noexcept {
    if (bell.one_sided.load(std::memory_order_relaxed) != 0) {
        return true;
    }
    if (wait_policy_ != IPCMARK_WAIT_ADAPTIVE || polled_ || !expedited_ ||
        control_->sides[1 - side_].expedited.load(std::memory_order_acquire) == 0) {
        return false;
    }
    bell.one_sided.store(1, std::memory_order_relaxed);
    return true;
}

inline void Endpoint::barrier_before_sleep(Bell& bell) noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (sleeps_with_membarrier(bell)) {
        kit::membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
    }
}

// How long the receiver of a stream keeps away from the ring before it polls. Who polls for each message takes the line
// that the sender is filling away from it, message by message. So where polls succeed at once again and again, the next
// one is put off a little, and finds several messages; where taking them is most of what the receiver does, it is put
// off for longer, until the two no longer touch the same lines. Not where messages are answered: there the sender has
// nothing more to say.
inline void Endpoint::keep_distance(Ends& ends) noexcept {
    if (&ends == &rx_.ends && answered_.load(std::memory_order_relaxed)) {
        answered_.store(false, std::memory_order_relaxed);
        ends.delay = 1;
    }
    for (unsigned i = 1; i < ends.delay; ++i) {
        kit::cpu_relax();
    }
}

// After a wait of `turns` polls.
inline void Endpoint::choose_distance(Ends& ends, unsigned turns) noexcept {
    constexpr unsigned at_once = 2;
    constexpr unsigned short_delay = 16;
    constexpr unsigned long_delay = 256; // some microseconds
    constexpr unsigned least_busy = 8;
    const auto waited = ends.delay + turns;
    const auto busy = std::exchange(ends.work, 0) / work_a_turn;
    const bool streaming = busy >= least_busy && 2 * busy >= waited;
    ends.delay = std::min(2 * waited, streaming ? long_delay : turns <= at_once ? short_delay : 1);
}

// Polls until `probe` returns something else than IPCMARK_WOULD_BLOCK, there is a reason to stop, or, by
// IPCMARK_WAIT_ADAPTIVE, the time for that is over.
template <class Ring, class Probe> inline ipcmark_status Endpoint::spin(Ends& ends, Probe probe) noexcept {
    // A spinner that shares its CPU with the peer must let it run.
    constexpr unsigned turns_between_yields = 1024;
    if constexpr (Ring::streams) {
        keep_distance(ends);
    }
    const bool for_ever = wait_policy_ == IPCMARK_WAIT_SPIN;
    kit::SpinBudget budget(spin_ns_);
    for (unsigned turn = 1;; ++turn) {
        if (for_ever) {
            kit::cpu_relax();
        } else if (!budget.turn()) {
            return IPCMARK_WOULD_BLOCK;
        }
        if (const auto status = probe(); status != IPCMARK_WOULD_BLOCK) {
            if constexpr (Ring::streams) {
                choose_distance(ends, turn);
            }
            return status;
        }
        if (must_look()) [[unlikely]] {
            if (const auto status = stop_or(probe); status != IPCMARK_WOULD_BLOCK) {
                return status;
            }
        }
        if (turn % turns_between_yields == 0) [[unlikely]] {
            ::sched_yield();
        }
    }
}

template <class Ring, class Probe> [[gnu::noinline]] ipcmark_status Endpoint::wait(Ends& ends, Probe probe) noexcept {
    if (wait_policy_ != IPCMARK_WAIT_BLOCK) {
        // Told before the first sleep: a side that only ever polls costs the other one no barrier either.
        sleeps_with_membarrier(*ends.own);
        if (const auto status = spin<Ring>(ends, probe); status != IPCMARK_WOULD_BLOCK) {
            return status;
        }
    }
    for (;;) {
        ends.own->armed.store(Bell::sleeping, std::memory_order_relaxed);
        barrier_before_sleep(*ends.own);
        auto status = probe();
        if (status == IPCMARK_WOULD_BLOCK && must_look()) {
            status = stop_or(probe);
        }
        if (status != IPCMARK_WOULD_BLOCK) {
            ends.own->armed.store(Bell::awake, std::memory_order_relaxed);
            return status;
        }
        sleep_on(*ends.own);
        if (status = probe(); status != IPCMARK_WOULD_BLOCK) {
            // Whoever woke us set it to awake; after an early end it is still armed.
            ends.own->armed.store(Bell::awake, std::memory_order_relaxed);
            return status;
        }
    }
}

} // namespace ipcmark::shm

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/clock.hpp"

#include <ipcmark/plan.hpp>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <ctime>

namespace ipcmark {

inline void spin_pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
}

// The plan of an open loop: message k of an endpoint is due at base + k * interval, whatever happened to those before.
struct Schedule {
    std::uint64_t base_tick = 0;
    std::uint64_t interval_q16 = 0; // ticks * 2^16, so that rates that do not divide the clock do not drift

    [[nodiscard]] std::uint64_t due(std::uint64_t k) const noexcept {
        return base_tick + static_cast<std::uint64_t>((static_cast<wide_uint>(k) * interval_q16) >> 16);
    }
};

// Of an endpoint, one of so many that share the rate, as in Schedule. Rounded up from ticks that are not rounded
// themselves, so that in a time there is no message more than the rate says.
[[nodiscard]] inline std::uint64_t interval_q16_of(double rate_per_second, unsigned endpoints,
                                                   const TickScale& scale) noexcept {
    const long double ticks_per_second = 1e9L * 0x1p32L / static_cast<long double>(scale.ns_per_tick_q32);
    const long double interval = ticks_per_second * endpoints / static_cast<long double>(rate_per_second);
    return static_cast<std::uint64_t>(std::ceil(interval * 65536));
}

// When the clock ends a loop: a closed one at its deadline, with no time beyond it. Of an open one what was due in the
// time of the run is sent however late, or a stall at its end would be left out of the percentiles; but a rate that
// cannot be reached leaves more than can ever be sent, so there is an end to that too. It counts from the first look
// after the deadline: a process that was stopped has not used any of it.
class Overtime {
public:
    Overtime() = default;
    Overtime(std::uint64_t deadline, std::uint64_t longest_ticks) noexcept
        : deadline_(deadline), longest_ticks_(longest_ticks) {}

    [[nodiscard]] bool is_over(std::uint64_t now) noexcept {
        if (now < deadline_) [[likely]]
            return false;
        if (end_ == 0)
            end_ = now + longest_ticks_;
        return now >= end_;
    }

private:
    std::uint64_t deadline_ = UINT64_MAX;
    std::uint64_t longest_ticks_ = 0;
    std::uint64_t end_ = 0; // 0: the deadline has not passed yet
};

// By how much a sleep has to end before the moment that it is for, learned from how late the sleeps before it were:
// what a wake-up is late by differs by a factor of ten from machine to machine, and would be taken for the transport's.
class NapMargin {
public:
    [[nodiscard]] std::uint64_t ns() const noexcept { return margin_ns_; }

    // Of a sleep that was asked for and what it took. (A signal or a coarser timer may end it early.) Up at once and
    // down slowly: nearly all are late by less.
    void learn(std::uint64_t asked_ns, std::uint64_t slept_ns) noexcept {
        const std::uint64_t late_ns = slept_ns > asked_ns ? slept_ns - asked_ns : 0;
        if (late_ns >= margin_ns_)
            margin_ns_ = late_ns < most_ns ? late_ns : most_ns;
        else
            margin_ns_ -= (margin_ns_ - late_ns) / 64;
    }

private:
    static constexpr std::uint64_t most_ns = 100'000; // what is later had no CPU, and spinning earns it none
    std::uint64_t margin_ns_ = 60'000;
};

// Waits until a tick: asleep while it is far, spinning at its end (all of it under WaitPolicy::spin). Ends early when
// `stop` is set. Returns the tick at its end.
template <class Clock>
std::uint64_t wait_until(std::uint64_t due, const TickScale& scale, WaitPolicy policy, NapMargin& margin,
                         const std::atomic<std::uint32_t>& stop) noexcept {
    constexpr std::uint64_t longest_nap_ns = 50'000'000; // so that `stop` is seen
    for (;;) {
        const std::uint64_t now = Clock::now();
        if (static_cast<std::int64_t>(due - now) <= 0 || stop.load(std::memory_order_relaxed) != 0)
            return now;
        const std::uint64_t left_ns = scale.to_ns(due - now);
        if (policy == WaitPolicy::spin || left_ns <= margin.ns()) {
            spin_pause();
            continue;
        }
        const std::uint64_t nap_ns = left_ns - margin.ns() < longest_nap_ns ? left_ns - margin.ns() : longest_nap_ns;
        const timespec nap{0, static_cast<long>(nap_ns)};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr);
        margin.learn(nap_ns, scale.to_ns(Clock::now() - now));
    }
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>
#include <ipcmark/plan.hpp>

#include <cstdint>
#include <ctime>
#include <span>
#include <string>

namespace ipcmark {

// 128 bits hold a tick count times a 32-bit fraction.
__extension__ using wide_uint = unsigned __int128;

enum class ClockKind : std::uint32_t { cycle_counter = 1, monotonic = 2 };

// The processor's own counter: one instruction, no call. Only where the kernel itself trusts it as its clock source, so
// it runs at one rate on all CPUs.
struct CycleClock {
    // After all that was read before: the processor reads its counter while a line of the message is still on its way
    // from the other CPU, and the message seems to be there by as much too early (measured: 100 ns of 340).
    static std::uint64_t after_loads() noexcept {
#if defined(__x86_64__)
        __builtin_ia32_lfence();
#elif defined(__aarch64__)
        asm volatile("dsb ld\n\tisb" ::: "memory");
#endif
        return now();
    }
    static std::uint64_t now() noexcept {
#if defined(__x86_64__)
        return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
        std::uint64_t ticks;
        asm volatile("mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
        return ticks;
#else
        return 0;
#endif
    }
};

struct MonotonicClock {
    static std::uint64_t after_loads() noexcept { return now(); } // the kernel's own reading is ordered
    static std::uint64_t now() noexcept {
        timespec time{};
        clock_gettime(CLOCK_MONOTONIC, &time);
        return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
    }
};

[[nodiscard]] inline std::uint64_t read_clock(ClockKind kind) noexcept {
    return kind == ClockKind::cycle_counter ? CycleClock::now() : MonotonicClock::now();
}

// How ticks become nanoseconds: ns = ticks * ns_per_tick_q32 / 2^32. Both sides of a run use the same one.
struct TickScale {
    std::uint64_t ns_per_tick_q32 = std::uint64_t{1} << 32;

    [[nodiscard]] std::uint64_t to_ns(std::uint64_t ticks) const noexcept {
        return static_cast<std::uint64_t>((static_cast<wide_uint>(ticks) * ns_per_tick_q32) >> 32);
    }
    [[nodiscard]] std::uint64_t to_ticks(std::uint64_t nanoseconds) const noexcept {
        return static_cast<std::uint64_t>((static_cast<wide_uint>(nanoseconds) << 32) / ns_per_tick_q32);
    }
};

// The clock of a run: chosen, calibrated against CLOCK_MONOTONIC, and its own cost measured.
struct RunClock {
    ClockKind kind = ClockKind::monotonic;
    TickScale scale;
    ClockInfo info;
    std::uint64_t origin_ticks = 0; // one moment on both clocks, for the drift check
    std::uint64_t origin_ns = 0;

    [[nodiscard]] std::uint64_t now() const noexcept { return read_clock(kind); }
    // How far the calibration is off by now, in parts per million; 0 for the monotonic clock. A good figure needs a
    // second of distance from the calibration.
    [[nodiscard]] double drift_ppm() const;
};

// The step that a clock moves by, from distances between two readings of many lengths; sorts them. It is the least
// difference between two distances, zero included, that are both usual: an eighth as often there as the most frequent
// one. Counters that move by 26 ticks at a time, as some do, move by one now and then. 0 if the clock stood still.
[[nodiscard]] std::uint64_t usual_step(std::span<std::uint64_t> distances) noexcept;

// The clock that a choice comes to on this machine, and why. Throws UsageError if the counter is asked for by name and
// cannot be trusted.
struct ChosenClock {
    ClockKind kind;
    std::string reason;
};
[[nodiscard]] ChosenClock choose_clock(ClockChoice choice);

// Takes about 4 ms for a cycle counter. Throws UsageError as choose_clock does.
[[nodiscard]] RunClock set_up_clock(ClockChoice choice);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "measure/clock.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ipcmark {
namespace {

std::string first_line(const char* path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

// Empty if the kernel's own clock is the counter that it calls by this name, else the reason for distrust.
[[maybe_unused]] std::string not_the_kernels(const std::string& name) {
    const std::string source = first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    if (source == name)
        return {};
    return "the kernel's clock source is '" + (source.empty() ? "unknown" : source) + "', not " + name;
}

// Empty if the cycle counter can be trusted, else the reason why not.
std::string distrust() {
#if defined(__x86_64__)
    if (std::string reason = not_the_kernels("tsc"); !reason.empty())
        return reason;
    // Asked of the processor itself: /proc/cpuinfo has the same answer, but takes some 10 ms to be made.
    constexpr unsigned power_management_leaf = 0x80000007;
    constexpr unsigned invariant_tsc = 1U << 8;
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    if (__get_cpuid(power_management_leaf, &eax, &ebx, &ecx, &edx) == 0 || (edx & invariant_tsc) == 0)
        return "the processor's TSC is not invariant";
    return {};
#elif defined(__aarch64__)
    // The generic timer is invariant by the architecture; but where a processor's is faulty, the kernel may use another
    // clock, or trap every reading of this one.
    return not_the_kernels("arch_sys_counter");
#else
    return "no cycle counter is known for this architecture";
#endif
}

struct Moment {
    std::uint64_t ticks;
    std::uint64_t nanoseconds;
};

// One moment on both clocks; the tightest of several tries, so that an interruption between the readings does not
// count.
Moment same_moment() {
    Moment best{};
    std::uint64_t best_gap = UINT64_MAX;
    for (int attempt = 0; attempt < 16; ++attempt) {
        const std::uint64_t before = CycleClock::now();
        const std::uint64_t nanoseconds = MonotonicClock::now();
        const std::uint64_t after = CycleClock::now();
        if (after - before < best_gap) {
            best_gap = after - before;
            best = {before + (after - before) / 2, nanoseconds};
        }
    }
    return best;
}

template <class Clock> void measure_cost(RunClock& clock) {
    constexpr std::size_t rounds = 64;
    constexpr std::uint64_t readings = 16;
    std::array<std::uint64_t, rounds> costs{};
    for (auto& cost : costs) {
        std::uint64_t last = Clock::now();
        const std::uint64_t begin = last;
        for (std::uint64_t reading = 0; reading < readings; ++reading)
            last = Clock::now();
        cost = last - begin;
    }
    std::nth_element(costs.begin(), costs.begin() + rounds / 2, costs.end());
    const double ns_per_tick = static_cast<double>(clock.scale.ns_per_tick_q32) / 4294967296.0;
    clock.info.overhead_ns = static_cast<double>(costs[rounds / 2]) * ns_per_tick / static_cast<double>(readings);

    std::array<std::uint64_t, 4096> distances{};
    for (std::size_t i = 0; i < distances.size(); ++i) {
        const std::uint64_t begin = Clock::now();
        // Of many lengths, so that they differ by a step even where each takes more than one.
        for (volatile unsigned turn = static_cast<unsigned>(i) % 31; turn != 0;)
            turn = turn - 1;
        distances[i] = Clock::now() - begin;
    }
    clock.info.resolution_ns = static_cast<double>(usual_step(distances)) * ns_per_tick;
}

} // namespace

std::uint64_t usual_step(std::span<std::uint64_t> distances) noexcept {
    std::sort(distances.begin(), distances.end());
    // Calls `use` with each distance but zero, and how often it is there.
    const auto with_each = [&](auto use) {
        for (auto at = distances.begin(); at != distances.end();) {
            const auto next = std::upper_bound(at, distances.end(), *at);
            if (*at != 0)
                use(*at, next - at);
            at = next;
        }
    };
    std::ptrdiff_t most = 0;
    with_each([&](std::uint64_t, std::ptrdiff_t count) { most = std::max(most, count); });
    std::uint64_t step = 0;
    std::uint64_t last = 0;
    with_each([&](std::uint64_t distance, std::ptrdiff_t count) {
        if (count < most / 8)
            return;
        step = step == 0 ? distance - last : std::min(step, distance - last);
        last = distance;
    });
    return step;
}

double RunClock::drift_ppm() const {
    if (kind != ClockKind::cycle_counter)
        return 0;
    const Moment now = same_moment();
    const auto by_ticks = static_cast<double>(scale.to_ns(now.ticks - origin_ticks));
    const auto by_kernel = static_cast<double>(now.nanoseconds - origin_ns);
    return by_kernel <= 0 ? 0 : std::abs(by_ticks / by_kernel - 1.0) * 1e6;
}

ChosenClock choose_clock(ClockChoice choice) {
    std::string doubt = choice == ClockChoice::monotonic ? "asked for" : distrust();
    if (choice == ClockChoice::tsc && !doubt.empty())
        throw UsageError("clock tsc cannot be used: " + doubt + "; use --clock monotonic or auto");
    if (!doubt.empty())
        return {ClockKind::monotonic, std::move(doubt)};
    return {ClockKind::cycle_counter, "invariant, and the kernel uses it as its own clock"};
}

RunClock set_up_clock(ClockChoice choice) {
    RunClock clock;
    const ChosenClock chosen = choose_clock(choice);
    clock.kind = chosen.kind;
    clock.info.reason = chosen.reason;
    if (chosen.kind == ClockKind::monotonic) {
        clock.info.source = "monotonic";
        clock.info.frequency_hz = 1e9;
        measure_cost<MonotonicClock>(clock);
        return clock;
    }
#if defined(__aarch64__)
    std::uint64_t frequency;
    asm volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    clock.info.source = "cntvct";
    clock.info.frequency_hz = static_cast<double>(frequency);
    const Moment begin = same_moment();
#else
    const Moment begin = same_moment();
    std::this_thread::sleep_for(std::chrono::milliseconds(4));
    const Moment end = same_moment();
    clock.info.source = "tsc";
    clock.info.frequency_hz =
        static_cast<double>(end.ticks - begin.ticks) * 1e9 / static_cast<double>(end.nanoseconds - begin.nanoseconds);
#endif
    clock.scale.ns_per_tick_q32 =
        static_cast<std::uint64_t>(std::llround(1e9 / clock.info.frequency_hz * 4294967296.0));
    clock.origin_ticks = begin.ticks;
    clock.origin_ns = begin.nanoseconds;
    measure_cost<CycleClock>(clock);
    return clock;
}

} // namespace ipcmark

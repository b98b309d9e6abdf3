// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module.h>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace ipcmark::kit {

// Tells the core that this is a spin loop.
inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
}

// What interrupt() sets: sticky, the first status stays. Any thread may raise it.
class InterruptFlag {
public:
    // False if it was raised before, or `status` is no reason to stop.
    bool raise(ipcmark_status status) noexcept {
        auto none = static_cast<ipcmark_status>(IPCMARK_OK);
        if (status == IPCMARK_OK || !status_.compare_exchange_strong(none, status)) {
            return false;
        }
        status_.notify_all();
        return true;
    }
    // IPCMARK_OK while nobody interrupted.
    [[nodiscard]] ipcmark_status status() const noexcept { return status_.load(std::memory_order_relaxed); }
    explicit operator bool() const noexcept { return status() != IPCMARK_OK; }
    // Sleeps until somebody interrupts.
    ipcmark_status wait() const noexcept {
        status_.wait(IPCMARK_OK);
        return status();
    }

private:
    std::atomic<ipcmark_status> status_{IPCMARK_OK};
};

using SteadyTime = std::chrono::steady_clock::time_point;

// The end of a time-out; timeout_ns == 0 is never.
class Deadline {
public:
    explicit Deadline(std::uint64_t timeout_ns) noexcept {
        const auto now = std::chrono::steady_clock::now();
        const auto longest = static_cast<std::uint64_t>((SteadyTime::max() - now).count());
        if (timeout_ns != 0 && timeout_ns < longest) {
            end_ = now + std::chrono::nanoseconds(static_cast<std::int64_t>(timeout_ns));
        }
    }
    [[nodiscard]] bool passed() const noexcept {
        return end_ != SteadyTime::max() && std::chrono::steady_clock::now() >= end_;
    }
    [[nodiscard]] SteadyTime end() const noexcept { return end_; }

private:
    SteadyTime end_ = SteadyTime::max();
};

// Milliseconds for poll(2) until `end`, rounded up; -1 for never.
inline int poll_timeout(SteadyTime end) noexcept {
    if (end == SteadyTime::max()) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    return left <= 0 ? 0 : left > 3'600'000 ? 3'600'000 : static_cast<int>(left);
}

// How long one wait may spin before it sleeps. The clock is looked at in every 32nd turn only, and not at all by a wait
// that ends before.
class SpinBudget {
public:
    explicit SpinBudget(std::uint64_t spin_ns) noexcept : spin_ns_(spin_ns) {}
    // One turn: relaxes the core. False when the time is used up.
    [[nodiscard]] bool turn() noexcept {
        cpu_relax();
        if (++turns_ % 32 != 0) {
            return spin_ns_ != 0;
        }
        const auto now = std::chrono::steady_clock::now();
        if (turns_ == 32) {
            start_ = now;
        }
        return static_cast<std::uint64_t>((now - start_).count()) < spin_ns_;
    }

private:
    std::uint64_t spin_ns_;
    std::uint32_t turns_ = 0;
    SteadyTime start_{};
};

} // namespace ipcmark::kit

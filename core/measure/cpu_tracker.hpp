// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/results_memory.hpp"

#include <cstdint>

#include <sched.h>

#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define IPCMARK_HAS_RSEQ 1
#endif

namespace ipcmark {

// Notes every CPU that the calling thread is seen on, and how many messages it moved there: by the slot's own counts,
// which are looked at where the CPU changes, so that a message costs nothing. glibc 2.35 and newer keep the number in
// the thread's restartable-sequence area, so a look costs one load; without it the thread looks at the beginning and at
// the end only.
class CpuTracker {
public:
    explicit CpuTracker(Slot& slot) noexcept : slot_(&slot) {
#ifdef IPCMARK_HAS_RSEQ
        if (__rseq_size > 0) {
            auto* area = reinterpret_cast<const volatile struct rseq*>(
                static_cast<const char*>(__builtin_thread_pointer()) + __rseq_offset);
            if (static_cast<std::int32_t>(area->cpu_id) >= 0)
                current_ = &area->cpu_id;
        }
#endif
    }

    [[gnu::always_inline]] void look() noexcept {
        if (current_ != nullptr && *current_ != last_) [[unlikely]]
            note(*current_);
    }

    // At the beginning of the measured window: what was seen before is forgotten.
    void begin_window() noexcept {
        slot_->cpus_used = {};
        slot_->messages_by_cpu = {};
        last_ = UINT32_MAX;
        counted_ = moved();
        look_always();
    }

    // At its end, too: what was moved since the last change of CPU is counted.
    void look_always() noexcept {
        const int cpu = sched_getcpu();
        if (cpu >= 0)
            note(static_cast<std::uint32_t>(cpu));
    }

private:
    [[nodiscard]] std::uint64_t moved() const noexcept {
        return slot_->sent.load(std::memory_order_relaxed) + slot_->received.load(std::memory_order_relaxed);
    }

    [[gnu::cold]] void note(std::uint32_t cpu) noexcept {
        count_messages();
        last_ = cpu;
        if (cpu < slot_->cpus_used.size() * 64)
            slot_->cpus_used[cpu / 64] |= std::uint64_t{1} << (cpu % 64);
    }

    [[gnu::cold]] void count_messages() noexcept {
        const std::uint64_t all = moved();
        const std::uint64_t messages = all - counted_;
        counted_ = all;
        if (last_ == UINT32_MAX || messages == 0)
            return;
        for (CpuMessages& entry : slot_->messages_by_cpu) {
            if (entry.messages == 0)
                entry.cpu = last_;
            if (entry.cpu == last_) {
                entry.messages += messages;
                return;
            }
        }
    }

    Slot* slot_;
    const volatile std::uint32_t* current_ = nullptr;
    std::uint32_t last_ = UINT32_MAX;
    std::uint64_t counted_ = 0; // of moved()
};

} // namespace ipcmark

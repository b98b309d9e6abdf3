// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/results_memory.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>

namespace ipcmark {

// Puts latencies into results memory: plain stores to memory that only this thread writes; no call, no lock. What is
// recorded is in the memfd at once, so it is still there when the process is killed at the next instruction. (The last
// reply of a round trip may not be recorded yet: see RoundTripClient::LateRecord.)
class Recorder {
public:
    Recorder(Slot& slot, std::span<std::uint64_t> counts, std::span<std::uint64_t> uncorrected, TickScale scale,
             std::span<RingSample> samples) noexcept
        : slot_(&slot), counts_(counts.data()), uncorrected_(uncorrected.data()), scale_(scale),
          samples_(samples.data()) {}

    // A message that was received at `now` and sent (or planned) at `begin`.
    [[gnu::always_inline]] void record(std::uint64_t begin, std::uint64_t now, std::uint64_t sequence) noexcept {
        const std::uint64_t latency_ns = interval_ns(begin, now, 1);
        put(counts_, slot_->latency, latency_ns, 1);
        slot_->received.store(++received_, std::memory_order_relaxed);
        slot_->last_receive_tick.store(now, std::memory_order_relaxed);
        if (samples_ != nullptr) [[unlikely]]
            push_sample(now, sequence, latency_ns);
    }

    // `count` messages that were all received at `now` and all sent at `begin`; no samples of single messages.
    [[gnu::always_inline]] void record_alike(std::uint64_t begin, std::uint64_t now, std::uint64_t count) noexcept {
        put(counts_, slot_->latency, interval_ns(begin, now, count), count);
        slot_->received.store(received_ += count, std::memory_order_relaxed);
        slot_->last_receive_tick.store(now, std::memory_order_relaxed);
    }
    [[nodiscard]] bool keeps_samples() const noexcept { return samples_ != nullptr; }

    // Open loop: the same message measured from its actual send.
    void record_uncorrected(std::uint64_t begin, std::uint64_t now) noexcept {
        if (uncorrected_ != nullptr)
            put(uncorrected_, slot_->uncorrected, interval_ns(begin, now, 1), 1);
    }

    void sent(std::uint64_t count) noexcept { slot_->sent.store(count, std::memory_order_relaxed); }

    [[nodiscard]] Slot& slot() const noexcept { return *slot_; }

private:
    // A stamp from another CPU can lie a little ahead of ours; such a latency is counted as 0 and reported.
    std::uint64_t interval_ns(std::uint64_t begin, std::uint64_t now, std::uint64_t messages) noexcept {
        const std::uint64_t ticks = now - begin;
        if (static_cast<std::int64_t>(ticks) < 0) [[unlikely]] {
            slot_->backwards += messages;
            return 0;
        }
        return scale_.to_ns(ticks);
    }

    [[gnu::always_inline]] static void put(std::uint64_t* counts, HistogramSums& sums, std::uint64_t latency_ns,
                                           std::uint64_t count) noexcept {
        counts[HistogramLayout::index_of(latency_ns)] += count;
        if (latency_ns < sums.min_ns) [[unlikely]]
            sums.min_ns = latency_ns;
        if (latency_ns > sums.max_ns) [[unlikely]]
            sums.max_ns = latency_ns;
        sums.sum_ns += latency_ns * count;
    }

    [[gnu::noinline]] void push_sample(std::uint64_t now, std::uint64_t sequence, std::uint64_t latency_ns) noexcept {
        const std::uint64_t head = slot_->samples_head.load(std::memory_order_relaxed);
        if (head - slot_->samples_tail.load(std::memory_order_acquire) >= sample_ring_entries) {
            slot_->samples_dropped.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        samples_[head % sample_ring_entries] = {now, sequence, latency_ns};
        slot_->samples_head.store(head + 1, std::memory_order_release);
    }

    Slot* slot_;
    std::uint64_t* counts_;
    std::uint64_t* uncorrected_;
    TickScale scale_;
    RingSample* samples_;
    std::uint64_t received_ = 0;
};

// Where the warm-up records: the same code on memory that is thrown away. As in results memory, only the pages that it
// writes to are there.
class WarmupRecorder {
public:
    explicit WarmupRecorder(TickScale scale, bool open_loop)
        : slot_(std::make_unique<Slot>()), counts_(zeros()), uncorrected_(open_loop ? zeros() : nullptr),
          recorder_(*slot_, span_of(counts_), span_of(uncorrected_), scale, {}) {}
    [[nodiscard]] Recorder& recorder() noexcept { return recorder_; }

private:
    struct Free {
        void operator()(std::uint64_t* counts) const noexcept { std::free(counts); }
    };
    using Counts = std::unique_ptr<std::uint64_t, Free>;

    // Without writing to them, which a vector would do.
    static Counts zeros() {
        Counts counts(static_cast<std::uint64_t*>(std::calloc(HistogramLayout::bucket_count, sizeof(std::uint64_t))));
        if (!counts)
            throw std::bad_alloc();
        return counts;
    }
    static std::span<std::uint64_t> span_of(const Counts& counts) noexcept {
        return {counts.get(), counts ? HistogramLayout::bucket_count : 0};
    }

    std::unique_ptr<Slot> slot_;
    Counts counts_;
    Counts uncorrected_;
    Recorder recorder_;
};

} // namespace ipcmark

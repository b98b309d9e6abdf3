// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/client_phases.hpp"
#include "measure/cpu_tracker.hpp"
#include "measure/envelope.hpp"
#include "measure/loop_context.hpp"
#include "measure/pacer.hpp"
#include "measure/port.hpp"
#include "measure/receiver.hpp"
#include "measure/recorder.hpp"

#include <cstdint>
#include <vector>

namespace ipcmark {

// The server of a round trip: sends back what it got, all of it, until the end message.
template <class Clock, class Port> LoopEnd serve_round_trip(const LoopContext& context) {
    Port port(context);
    Receiver receiver(context);
    for (;;) {
        const std::uint8_t* payload = nullptr;
        std::size_t size = 0;
        if (const auto status = port.begin_recv_for_echo(payload, size); status != IPCMARK_OK) [[unlikely]] {
            receiver.finish(nullptr);
            return {status, "recv"};
        }
        if (receiver.is_end(payload, size)) [[unlikely]] {
            receiver.finish(payload);
            return {port.end_recv(), "release"};
        }
        // Sent on, it would be the host that breaks the rules.
        if (size != context.settings.size) [[unlikely]] {
            receiver.finish(nullptr);
            return wrong_size("recv", size, context.settings.size);
        }
        if (const auto status = port.echo(payload, size); status != IPCMARK_OK) [[unlikely]] {
            receiver.finish(nullptr);
            return {status, "send"};
        }
        // After the echo is on its way: what is noted here runs while the client reads it.
        receiver.take(payload, size, 0);
        if (const auto status = port.end_recv(); status != IPCMARK_OK) [[unlikely]] {
            receiver.finish(nullptr);
            return {status, "release"};
        }
    }
}

// The client of a round trip.
template <class Clock, class Port> class RoundTripClient {
public:
    explicit RoundTripClient(const LoopContext& context)
        : context_(&context), stop_(&context.memory->header().stop), settings_(context.settings), port_(context),
          slot_(&context.client_slot()), cpus_(*slot_), size_(settings_.size), stamps_(settings_.window) {}

    LoopEnd run() {
        ClientPhases phases(*context_);
        const TickScale scale = context_->memory->scale();
        WarmupRecorder warm(scale, settings_.interval_q16 != 0);
        LoopEnd end = exchange(warm.recorder(), 0, settings_.warmup, UINT64_MAX, nullptr);
        if (end.status != IPCMARK_OK) {
            context_->start_line->leave();
            phases.finish();
            return end;
        }
        phases.await_drain();
        slot_->corrupted = 0;
        slot_->empty_window_ticks = 0;
        cpus_.begin_window();
        Recorder recorder(*slot_, context_->memory->counts(Role::client, context_->index),
                          context_->memory->uncorrected_counts(Role::client, context_->index), scale,
                          context_->memory->samples(context_->index));
        delay_ticks_ = settings_.delay_ticks;
        phases.begin_measuring();
        const std::uint64_t begin = context_->start_line->template cross<Clock>(settings_.lead_ticks);
        const std::uint64_t first = settings_.warmup;
        slot_->first_send_tick.store(Clock::now(), std::memory_order_relaxed);
        const std::uint64_t deadline = settings_.duration_ticks == 0 ? UINT64_MAX : begin + settings_.duration_ticks;
        const std::uint64_t last = context_->count == UINT64_MAX ? UINT64_MAX : first + context_->count;
        if (settings_.interval_q16 != 0) {
            const Schedule schedule = schedule_of(settings_, context_->index, begin);
            slot_->first_send_tick.store(schedule.base_tick, std::memory_order_relaxed);
            end = exchange(recorder, first, last, deadline, &schedule);
        } else {
            end = exchange(recorder, first, last, deadline, nullptr);
        }
        cpus_.look_always();
        phases.finish();
        if (end.status == IPCMARK_OK && !settings_.loopback) {
            if (const auto* last_reply = port_.last_received(); last_reply != nullptr && next_ != first)
                count_damage(last_reply);
            end = send_end();
        }
        return end;
    }

private:
    // Whether the next round trip begins with the end of the last: its reading of the clock is then the next one's too.
    enum class Pacing { back_to_back, delayed, open_loop };

    LoopEnd exchange(Recorder& recorder, std::uint64_t first, std::uint64_t last, std::uint64_t deadline,
                     const Schedule* schedule) {
        next_ = first;
        // A stop in the warm-up has nothing measured after it.
        if (first == last || stop().load(std::memory_order_relaxed) != 0)
            return {};
        if (settings_.window != 1)
            return windowed(recorder, first, last, deadline, schedule);
        if (schedule != nullptr)
            return one_by_one<Pacing::open_loop>(recorder, first, last, deadline, schedule);
        return delay_ticks_ != 0 ? one_by_one<Pacing::delayed>(recorder, first, last, deadline, schedule)
                                 : one_by_one<Pacing::back_to_back>(recorder, first, last, deadline, schedule);
    }

    // A reply that is recorded when the next message is on its way: the peer works meanwhile, so that recording one
    // round trip is no part of the next.
    class LateRecord {
    public:
        explicit LateRecord(Recorder& recorder) noexcept : recorder_(&recorder) {}
        LateRecord(const LateRecord&) = delete;
        LateRecord& operator=(const LateRecord&) = delete;
        ~LateRecord() { settle(); }
        [[gnu::always_inline]] void note(std::uint64_t begin, std::uint64_t now, std::uint64_t sequence) noexcept {
            begin_ = begin;
            now_ = now;
            sequence_ = sequence;
        }
        [[gnu::always_inline]] void settle() noexcept {
            if (now_ != 0) {
                recorder_->record(begin_, now_, sequence_);
                now_ = 0;
            }
        }

    private:
        Recorder* recorder_;
        std::uint64_t begin_ = 0;
        std::uint64_t now_ = 0; // 0: nothing is left to record
        std::uint64_t sequence_ = 0;
    };

    // Back to back is the hot path of most runs: it has no branch that only the others need.
    template <Pacing pacing>
    LoopEnd one_by_one(Recorder& recorder, std::uint64_t first, std::uint64_t last, std::uint64_t deadline,
                       [[maybe_unused]] const Schedule* schedule) {
        LateRecord late(recorder);
        Overtime overtime(deadline, settings_.overtime_ticks);
        std::uint64_t begin = Clock::now();
        for (std::uint64_t sequence = first; sequence != last; ++sequence) {
            std::uint64_t origin = begin;
            if constexpr (pacing == Pacing::open_loop) {
                origin = schedule->due(sequence - first);
                if (origin >= deadline)
                    break;
                begin = wait_until<Clock>(origin, context_->memory->scale(), settings_.wait, margin_, stop());
                if (stop().load(std::memory_order_relaxed) != 0)
                    break;
                slot_->last_send_tick.store(begin, std::memory_order_relaxed);
            }
            if (const LoopEnd end = send(sequence, begin); end.status != IPCMARK_OK) [[unlikely]]
                return end;
            next_ = sequence + 1;
            recorder.sent(next_ - first);
            late.settle();
            const std::uint8_t* payload = nullptr;
            std::size_t size = 0;
            if (const auto status = port_.begin_recv(payload, size); status != IPCMARK_OK) [[unlikely]]
                return {status, "recv"};
            // Where the end of one is the begin of the next, what is too early cancels out.
            const std::uint64_t now = pacing == Pacing::back_to_back ? Clock::now() : Clock::after_loads();
            if (check_echo(payload, size, sequence, begin)) [[likely]] {
                if constexpr (pacing == Pacing::open_loop) {
                    recorder.record(origin, now, sequence - first);
                    recorder.record_uncorrected(begin, now);
                } else {
                    late.note(origin, now, sequence - first);
                }
            }
            if (const auto status = port_.end_recv(); status != IPCMARK_OK) [[unlikely]]
                return {status, "release"};
            cpus_.look();
            if (overtime.is_over(now) || stop().load(std::memory_order_relaxed) != 0) [[unlikely]]
                break;
            begin = now;
            if constexpr (pacing == Pacing::delayed) {
                if (sequence + 1 == last)
                    break;
                late.settle();
                if (now + delay_ticks_ >= deadline)
                    break;
                begin =
                    wait_until<Clock>(now + delay_ticks_, context_->memory->scale(), settings_.wait, margin_, stop());
                if (stop().load(std::memory_order_relaxed) != 0)
                    break;
                recorder.slot().empty_window_ticks += begin - now;
            }
        }
        return {};
    }

    // There is no send delay with a window above 1: validate() refuses it.
    LoopEnd windowed(Recorder& recorder, std::uint64_t first, std::uint64_t last, std::uint64_t deadline,
                     const Schedule* schedule) {
        const std::uint64_t window = settings_.window;
        Overtime overtime(deadline, settings_.overtime_ticks);
        std::uint64_t awaited = first;
        std::uint64_t now = 0;
        bool ending = false;
        for (;;) {
            while (!ending && next_ != last && next_ - awaited < window) {
                if (schedule != nullptr) {
                    const std::uint64_t due = schedule->due(next_ - first);
                    if (due >= deadline) {
                        ending = true;
                        break;
                    }
                    // Replies come first: with some outstanding, only send what is due already.
                    if (next_ != awaited && static_cast<std::int64_t>(due - now) > 0)
                        break;
                    now = wait_until<Clock>(due, context_->memory->scale(), settings_.wait, margin_, stop());
                    // A stop ends the wait early: a message that is not due yet would come back before its time.
                    if (stop().load(std::memory_order_relaxed) != 0) {
                        ending = true;
                        break;
                    }
                    slot_->last_send_tick.store(now, std::memory_order_relaxed);
                } else if (next_ - first < window) {
                    now = Clock::now(); // what fills the window follows no reply
                }
                stamps_[next_ % window] = now;
                if (const LoopEnd end = send(next_, now); end.status != IPCMARK_OK) [[unlikely]]
                    return end;
                ++next_;
                recorder.sent(next_ - first);
            }
            if (awaited == next_)
                return {};
            const std::uint8_t* payload = nullptr;
            std::size_t size = 0;
            if (const auto status = port_.begin_recv(payload, size); status != IPCMARK_OK) [[unlikely]]
                return {status, "recv"};
            now = schedule != nullptr ? Clock::after_loads() : Clock::now(); // as in one_by_one
            const std::uint64_t begin = stamps_[awaited % window];
            if (check_echo(payload, size, awaited, begin)) [[likely]] {
                recorder.record(schedule != nullptr ? schedule->due(awaited - first) : begin, now, awaited - first);
                if (schedule != nullptr)
                    recorder.record_uncorrected(begin, now);
            }
            ++awaited;
            if (const auto status = port_.end_recv(); status != IPCMARK_OK) [[unlikely]]
                return {status, "release"};
            cpus_.look();
            ending = ending || overtime.is_over(now) || stop().load(std::memory_order_relaxed) != 0;
        }
    }

    [[gnu::always_inline]] LoopEnd send(std::uint64_t sequence, std::uint64_t stamp) {
        std::uint8_t* payload = nullptr;
        if (const auto status = port_.begin_send(payload); status != IPCMARK_OK) [[unlikely]]
            return {status, "loan"};
        write_envelope(payload, size_, stamp, sequence);
        return {port_.end_send(), "send"};
    }

    LoopEnd send_end() { return send(next_ | end_flag, 0); }

    // A reply that is not the echo is counted as corrupted, and its latency is no sample.
    [[gnu::always_inline]] bool check_echo(const std::uint8_t* payload, std::size_t size, std::uint64_t sequence,
                                           std::uint64_t stamp) noexcept {
        const bool same = is_echo(payload, size, size_, stamp, sequence);
        if (!same) [[unlikely]]
            ++slot_->corrupted;
        return same;
    }

    // Replies are compared at both ends; the last one as a whole, after the window.
    void count_damage(const std::uint8_t* reply) noexcept {
        if (!body_intact(reply, size_))
            ++slot_->corrupted;
    }

    [[nodiscard]] const std::atomic<std::uint32_t>& stop() const noexcept { return *stop_; }

    const LoopContext* context_;
    const std::atomic<std::uint32_t>* stop_;
    LoopSettings settings_;
    Port port_;
    Slot* slot_;
    CpuTracker cpus_;
    NapMargin margin_;
    std::size_t size_;
    std::vector<std::uint64_t> stamps_;
    std::uint64_t next_ = 0;
    std::uint64_t delay_ticks_ = 0; // the warm-up obeys no delay
};

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/cpu_tracker.hpp"
#include "measure/envelope.hpp"
#include "measure/loop_context.hpp"
#include "measure/pacer.hpp"
#include "measure/recorder.hpp"
#include "measure/sequence_tracker.hpp"
#include "measure/usage.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ipcmark {

// What the server side does with each message of an endpoint, whichever loop brought it: tells warm-up from measured,
// follows the sequence, records one-way latencies, sees the end.
class Receiver {
public:
    explicit Receiver(const LoopContext& context)
        : context_(&context), slot_(&context.server_slot()), peer_(&context.client_slot()),
          stamps_(context.memory->stamps(context.index)), size_(context.settings.size),
          warmup_(context.settings.warmup), one_way_(context.settings.direction == Direction::one_way),
          open_loop_(context.settings.interval_q16 != 0),
          recorder_(*slot_, context.memory->counts(Role::server, context.index),
                    context.memory->uncorrected_counts(Role::server, context.index), context.memory->scale(),
                    one_way_ ? context.memory->samples(context.index) : std::span<RingSample>{}),
          warm_(context.memory->scale(), open_loop_), cpus_(*slot_), tracker_(0) {
        slot_->phase.store(Phase::warming, std::memory_order_release);
        if (warmup_ == 0)
            begin_measuring();
    }

    // True if this is the message that ends the run: it is not counted.
    [[nodiscard]] bool is_end(const std::uint8_t* payload, std::size_t size) const noexcept {
        return size == size_ && has_end_mark(payload, size) && is_whole(payload, size);
    }

    // Takes a message that arrived at `now` and is not the end.
    void take(const std::uint8_t* payload, std::size_t size, std::uint64_t now) noexcept {
        cpus_.look();
        if (size != size_) [[unlikely]] {
            ++slot_->corrupted;
            return;
        }
        const auto [sequence, stamp] = marks_of(payload, now);
        if (!tail_matches(payload, size_, sequence)) [[unlikely]] {
            take_damaged(sequence);
            return;
        }
        if (tracker_.arrived(sequence)) [[likely]] {
            const bool measured = sequence >= warmup_;
            Recorder& recorder = measured ? recorder_ : warm_.recorder();
            if (one_way_)
                record(recorder, sequence, stamp, now);
            else
                recorder.slot().received.store(++echoed_, std::memory_order_relaxed);
        }
        slot_->consumed.store(tracker_.expected(), std::memory_order_release);
        if (!measuring_ && tracker_.expected() >= warmup_) [[unlikely]] {
            echoed_ = 0;
            begin_measuring();
        }
    }

    // Messages of one call that have all arrived by `now`. Those of one send call have one stamp, so they are one entry
    // of the histogram with their count; whatever is not as expected is left to take(). Returns how many were taken:
    // all but from the message on that ends the run.
    std::size_t take_batch(std::span<const ipcmark_rx_message> messages, std::uint64_t now) noexcept {
        std::size_t at = 0;
        while (at < messages.size()) {
            at += take_alike(messages.subspan(at), now);
            if (at == messages.size())
                break;
            const auto* const payload = static_cast<const std::uint8_t*>(messages[at].data);
            if (is_end(payload, messages[at].size)) [[unlikely]]
                break;
            take(payload, messages[at++].size, now);
        }
        return at;
    }

    // After the last message, the end message or an interrupt: leaves the sums in the slot. The end message is in the
    // memory that all messages came to, and is the one that is looked at as a whole.
    void finish(const std::uint8_t* end_message) noexcept {
        if (end_message != nullptr) {
            tracker_.ended_at(end_of(end_message));
            if (!body_intact(end_message, size_))
                ++slot_->corrupted;
        }
        slot_->lost = tracker_.lost();
        slot_->duplicated = tracker_.duplicated();
        slot_->reordered = tracker_.reordered();
        if (context_->settings.loopback) {
            slot_->messages_by_cpu = {};
            slot_->cpus_used = {}; // the client's thread did it all, and tells what it used
        } else {
            slot_->usage = usage_.end();
            cpus_.look_always();
            slot_->max_resident_bytes = max_resident_bytes();
        }
        slot_->phase.store(Phase::finished, std::memory_order_release);
    }

    [[nodiscard]] Recorder& recorder() noexcept { return recorder_; }

private:
    struct Marks {
        std::uint64_t sequence;
        std::uint64_t stamp; // `now` where none came with the message
    };

    // What a message of the right size says of itself, or the stamp ring of one that is too short to say it.
    [[gnu::always_inline]] Marks marks_of(const std::uint8_t* payload, std::uint64_t now) const noexcept {
        if (size_ >= envelope_bytes) [[likely]]
            return {read_sequence(payload), read_stamp(payload)};
        const std::uint64_t sequence = read_short_sequence(payload, size_, tracker_.expected());
        return {sequence,
                stamps_.empty() ? now : stamps_[sequence % stamp_ring_entries].load(std::memory_order_relaxed)};
    }

    // How many messages were sent, by the one that says that there are no more. One that is too short to be checked,
    // and says more than the sender has noted, is damaged itself.
    [[nodiscard]] std::uint64_t end_of(const std::uint8_t* end_message) noexcept {
        const std::uint64_t said = marks_of(end_message, 0).sequence & ~end_flag;
        if (!context_->peer_shares_memory())
            return said;
        const std::uint64_t sent = warmup_ + peer_->sent.load(std::memory_order_acquire);
        if (said <= sent)
            return said;
        ++slot_->corrupted;
        return sent;
    }

    // Takes the messages at the front that continue the sequence with the stamp of the first of them, when nothing but
    // their latency is to be kept. Returns their number.
    std::size_t take_alike(std::span<const ipcmark_rx_message> messages, std::uint64_t now) noexcept {
        if (!measuring_ || open_loop_ || size_ < tailed_bytes || recorder_.keeps_samples())
            return 0;
        const std::uint64_t first = tracker_.expected();
        const std::uint64_t stamp = read_stamp(static_cast<const std::uint8_t*>(messages[0].data));
        std::size_t alike = 0;
        for (; alike < messages.size(); ++alike) {
            const auto* const payload = static_cast<const std::uint8_t*>(messages[alike].data);
            const std::uint64_t sequence = first + alike;
            if (!is_echo(payload, messages[alike].size, size_, stamp, sequence))
                break;
        }
        if (alike != 0) {
            cpus_.look();
            tracker_.arrived_in_order(alike);
            recorder_.record_alike(stamp, now, alike);
            slot_->consumed.store(tracker_.expected(), std::memory_order_release);
        }
        return alike;
    }

    // A message whose two ends do not belong together has come, but is no sample: what it says of itself may be wrong.
    [[gnu::cold, gnu::noinline]] void take_damaged(std::uint64_t sequence) noexcept {
        ++slot_->corrupted;
        if (sequence == tracker_.expected())
            tracker_.arrived_in_order(1);
        slot_->consumed.store(tracker_.expected(), std::memory_order_release);
    }

    void record(Recorder& recorder, std::uint64_t sequence, std::uint64_t stamp, std::uint64_t now) noexcept {
        if (!open_loop_ || sequence < warmup_) [[likely]] {
            recorder.record(stamp, now, sequence - warmup_);
            return;
        }
        if (!context_->peer_shares_memory()) {
            recorder.record(stamp, now, sequence - warmup_); // the sender has put the planned time into the stamp
            return;
        }
        if (schedule_.base_tick == 0)
            schedule_ = {peer_->plan_base_tick.load(std::memory_order_acquire), context_->settings.interval_q16};
        recorder.record(schedule_.due(sequence - warmup_), now, sequence - warmup_);
        recorder.record_uncorrected(stamp, now);
    }

    [[gnu::cold]] void begin_measuring() noexcept {
        measuring_ = true;
        slot_->corrupted = 0;
        // What the warm-up lost or doubled is none of the measured messages; the one that ended it may be.
        if (const std::uint64_t expected = tracker_.expected(); warmup_ != 0) {
            tracker_ = SequenceTracker(warmup_);
            if (expected > warmup_)
                (void)tracker_.arrived(expected - 1);
        }
        cpus_.begin_window();
        usage_.begin();
        slot_->phase.store(Phase::measuring, std::memory_order_release);
    }

    const LoopContext* context_;
    Slot* slot_;
    Slot* peer_;
    std::span<std::atomic<std::uint64_t>> stamps_;
    std::size_t size_;
    std::uint64_t warmup_;
    bool one_way_;
    bool open_loop_;
    bool measuring_ = false;
    std::uint64_t echoed_ = 0;
    Recorder recorder_;
    WarmupRecorder warm_;
    CpuTracker cpus_;
    SequenceTracker tracker_;
    Schedule schedule_;
    UsageSpan usage_;
};

} // namespace ipcmark

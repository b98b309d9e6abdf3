// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/client_phases.hpp"
#include "measure/cpu_tracker.hpp"
#include "measure/envelope.hpp"
#include "measure/loop_context.hpp"
#include "measure/pacer.hpp"
#include "measure/port.hpp"
#include "measure/receiver.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <sched.h>

namespace ipcmark {

// The server of a stream: receives until the end message.
template <class Clock, class Port> LoopEnd serve_one_way(const LoopContext& context) {
    Port port(context);
    Receiver receiver(context);
    for (;;) {
        const std::uint8_t* payload = nullptr;
        std::size_t size = 0;
        if (const auto status = port.begin_recv(payload, size); status != IPCMARK_OK) [[unlikely]] {
            receiver.finish(nullptr);
            return {status, "recv"};
        }
        const std::uint64_t now = Clock::after_loads();
        if (receiver.is_end(payload, size)) [[unlikely]] {
            receiver.finish(payload);
            return {port.end_recv(), "release"};
        }
        receiver.take(payload, size, now);
        if (const auto status = port.end_recv(); status != IPCMARK_OK) [[unlikely]] {
            receiver.finish(nullptr);
            return {status, "release"};
        }
    }
}

// The same through recv_batch. All messages of one call have arrived by its return: one stamp serves them.
template <class Clock> LoopEnd serve_one_way_batched(const LoopContext& context) {
    const std::size_t batch = context.settings.batch;
    const std::size_t size = context.settings.size;
    MessageBuffer memory(batch * size, receive_fill);
    std::vector<ipcmark_rx_message> messages(batch);
    for (std::size_t at = 0; at < batch; ++at)
        messages[at] = {memory.data() + at * size, size, 0};
    Receiver receiver(context);
    for (;;) {
        std::size_t received = 0;
        const auto status = context.calls.batch->recv_batch(context.endpoint, messages.data(), batch, &received);
        if (status != IPCMARK_OK || received == 0 || received > batch) [[unlikely]] {
            receiver.finish(nullptr);
            if (status != IPCMARK_OK)
                return {status, "recv_batch"};
            return {IPCMARK_INTERNAL, "recv_batch", "says that {} messages came, and room was for 1 to {}", received,
                    batch};
        }
        const std::uint64_t now = Clock::after_loads();
        if (const std::size_t taken = receiver.take_batch({messages.data(), received}, now); taken != received)
            [[unlikely]] {
            receiver.finish(static_cast<const std::uint8_t*>(messages[taken].data));
            return {};
        }
    }
}

// The sending half of a stream: when the next message may go, and the marks that it leaves for the receiver.
template <class Clock> class StreamSource {
public:
    explicit StreamSource(const LoopContext& context) noexcept
        : context_(&context), slot_(&context.client_slot()), server_(&context.server_slot()),
          stamps_(context.memory->stamps(context.index)), scale_(context.memory->scale()), wait_(context.settings.wait),
          stop_(&context.memory->header().stop) {}

    void begin(std::uint64_t first, std::uint64_t deadline, const Schedule* schedule,
               std::uint64_t delay_ticks) noexcept {
        first_ = first;
        deadline_ = deadline;
        schedule_ = schedule;
        delay_ticks_ = delay_ticks;
        overtime_ = Overtime(deadline, context_->settings.overtime_ticks);
    }

    // Waits until the message is due, as far as the loop is paced, and gives its stamp. False: the run is over.
    bool next(std::uint64_t sequence, std::uint64_t& stamp) noexcept {
        if (schedule_ != nullptr) {
            const std::uint64_t due = schedule_->due(sequence - first_);
            if (due >= deadline_)
                return false;
            stamp = wait_until<Clock>(due, scale_, wait_, margin_, *stop_);
            if (overtime_.is_over(stamp)) [[unlikely]]
                return false;
            slot_->last_send_tick.store(stamp, std::memory_order_relaxed);
            // A receiver that cannot read the plan from shared memory gets the planned time itself.
            if (!context_->peer_shares_memory())
                stamp = due;
        } else {
            if (delay_ticks_ != 0 && sequence != first_) [[unlikely]] {
                const std::uint64_t due = Clock::now() + delay_ticks_;
                if (due >= deadline_)
                    return false;
                wait_until<Clock>(due, scale_, wait_, margin_, *stop_);
            }
            stamp = Clock::now();
            if (stamp >= deadline_) [[unlikely]]
                return false;
        }
        return stop_->load(std::memory_order_relaxed) == 0;
    }

    // Whether there is a place for the stamp of this message, which one shorter than the envelope needs.
    [[nodiscard]] bool has_room(std::uint64_t sequence) noexcept {
        if (stamps_.empty() || sequence - consumed_ < stamp_ring_entries) [[likely]]
            return true;
        consumed_ = context_->settings.loopback ? sequence : server_->consumed.load(std::memory_order_acquire);
        return sequence - consumed_ < stamp_ring_entries;
    }

    // Of who waits for room: the receiver may need this CPU to go on.
    void give_way() const noexcept {
        if (wait_ == WaitPolicy::spin)
            spin_pause();
        else
            sched_yield();
    }

    // Before a message shorter than the envelope is sent: its stamp, as soon as there is room for it. False: the run
    // is over.
    [[nodiscard]] bool post_stamp(std::uint64_t sequence, std::uint64_t stamp) noexcept {
        if (stamps_.empty()) [[likely]]
            return true;
        while (!has_room(sequence))
            [[unlikely]] {
                if (stop_->load(std::memory_order_relaxed) != 0)
                    return false;
                give_way();
            }
        stamps_[sequence % stamp_ring_entries].store(stamp, std::memory_order_relaxed);
        return true;
    }

    void sent(std::uint64_t count) noexcept { slot_->sent.store(count, std::memory_order_relaxed); }

private:
    const LoopContext* context_;
    Slot* slot_;
    Slot* server_;
    std::span<std::atomic<std::uint64_t>> stamps_;
    TickScale scale_;
    WaitPolicy wait_;
    NapMargin margin_;
    const std::atomic<std::uint32_t>* stop_;
    std::uint64_t first_ = 0;
    std::uint64_t deadline_ = UINT64_MAX;
    const Schedule* schedule_ = nullptr;
    std::uint64_t delay_ticks_ = 0;
    Overtime overtime_;
    std::uint64_t consumed_ = 0;
};

// The client of a stream. `Sender` moves the messages: sender.run(source, first, last, next) sends from `first` until
// `last` or the source's end, and leaves in `next` the first sequence number that was not sent.
template <class Clock, class Sender> LoopEnd send_one_way(const LoopContext& context, Sender& sender) {
    const LoopSettings& settings = context.settings;
    Slot& slot = context.client_slot();
    ClientPhases phases(context);
    CpuTracker cpus(slot);
    StreamSource<Clock> source(context);
    std::uint64_t next = 0;
    source.begin(0, UINT64_MAX, nullptr, 0);
    LoopEnd end = settings.warmup == 0 ? LoopEnd{} : sender.run(source, 0, settings.warmup, next, cpus);
    slot.sent.store(0, std::memory_order_relaxed);
    if (end.status != IPCMARK_OK) {
        context.start_line->leave();
        phases.finish();
        return end;
    }
    next = settings.warmup;
    phases.await_drain();
    cpus.begin_window();
    phases.begin_measuring();
    const std::uint64_t begin = context.start_line->template cross<Clock>(settings.lead_ticks);
    const std::uint64_t first = settings.warmup;
    const std::uint64_t deadline = settings.duration_ticks == 0 ? UINT64_MAX : begin + settings.duration_ticks;
    const std::uint64_t last = context.count == UINT64_MAX ? UINT64_MAX : first + context.count;
    const Schedule schedule = schedule_of(settings, context.index, begin);
    const bool open_loop = settings.interval_q16 != 0;
    slot.plan_base_tick.store(schedule.base_tick, std::memory_order_release);
    slot.first_send_tick.store(open_loop ? schedule.base_tick : Clock::now(), std::memory_order_relaxed);
    source.begin(first, deadline, open_loop ? &schedule : nullptr, settings.delay_ticks);
    end = sender.run(source, first, last, next, cpus);
    cpus.look_always();
    phases.finish();
    if (end.status == IPCMARK_OK && !settings.loopback)
        end = sender.send_end(next);
    return end;
}

// One message a call.
template <class Clock, class Port> class SingleSender {
public:
    explicit SingleSender(const LoopContext& context) : port_(context), size_(context.settings.size) {}

    LoopEnd run(StreamSource<Clock>& source, std::uint64_t first, std::uint64_t last, std::uint64_t& next,
                CpuTracker& cpus) {
        next = first;
        for (std::uint64_t stamp = 0; next != last && source.next(next, stamp);) {
            if (!source.post_stamp(next, stamp)) [[unlikely]]
                break;
            if (const LoopEnd end = send(next, stamp); end.status != IPCMARK_OK) [[unlikely]]
                return end;
            ++next;
            source.sent(next - first);
            cpus.look();
        }
        return {};
    }

    LoopEnd send_end(std::uint64_t next) { return send(next | end_flag, 0); }

private:
    LoopEnd send(std::uint64_t sequence, std::uint64_t stamp) noexcept {
        std::uint8_t* payload = nullptr;
        if (const auto status = port_.begin_send(payload); status != IPCMARK_OK) [[unlikely]]
            return {status, "loan"};
        write_envelope(payload, size_, stamp, sequence);
        return {port_.end_send(), "send"};
    }

    Port port_;
    std::size_t size_;
};

// The batch extension: up to `batch` messages a call, each with its own sequence number and the stamp of the call.
template <class Clock> class BatchSender {
public:
    explicit BatchSender(const LoopContext& context)
        : calls_(context.calls.batch), endpoint_(context.endpoint), size_(context.settings.size),
          memory_(size_ * context.settings.batch, message_fill), messages_(context.settings.batch) {
        for (std::size_t at = 0; at < messages_.size(); ++at)
            messages_[at] = {memory_.data() + at * size_, size_};
    }

    LoopEnd run(StreamSource<Clock>& source, std::uint64_t first, std::uint64_t last, std::uint64_t& next,
                CpuTracker& cpus) {
        next = first;
        for (std::uint64_t stamp = 0; next != last && source.next(next, stamp);) {
            const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(messages_.size(), last - next));
            std::size_t count = 0;
            for (; count < most && source.post_stamp(next + count, stamp); ++count)
                write_envelope(memory_.data() + count * size_, size_, stamp, next + count);
            if (count == 0) [[unlikely]]
                break;
            if (const LoopEnd end = send_all(count); end.status != IPCMARK_OK) [[unlikely]]
                return end;
            next += count;
            source.sent(next - first);
            cpus.look();
        }
        return {};
    }

    LoopEnd send_end(std::uint64_t next) {
        write_envelope(memory_.data(), size_, 0, next | end_flag);
        return send_all(1);
    }

private:
    LoopEnd send_all(std::size_t count) noexcept {
        for (std::size_t done = 0; done < count;) {
            std::size_t sent = 0;
            const auto status = calls_->send_batch(endpoint_, messages_.data() + done, count - done, &sent);
            if (status != IPCMARK_OK) [[unlikely]]
                return {status, "send_batch"};
            if (sent == 0 || sent > count - done) [[unlikely]]
                return {IPCMARK_INTERNAL, "send_batch", "says that {} of {} messages were sent", sent, count - done};
            done += sent;
        }
        return {};
    }

    const ipcmark_ext_batch* calls_;
    ipcmark_endpoint* endpoint_;
    std::size_t size_;
    MessageBuffer memory_;
    std::vector<ipcmark_tx_message> messages_;
};

// A module without a peer: each message is sent and received by the same thread, through the same steps that the two
// sides take otherwise, so that the time a message takes is what the harness costs on both sides together.
template <class Clock, class Port> class LoopbackSender {
public:
    explicit LoopbackSender(const LoopContext& context)
        : port_(context), receiver_(context), size_(context.settings.size) {}

    LoopEnd run(StreamSource<Clock>& source, std::uint64_t first, std::uint64_t last, std::uint64_t& next,
                CpuTracker& cpus) {
        next = first;
        for (std::uint64_t stamp = 0; next != last && source.next(next, stamp);) {
            if (!source.post_stamp(next, stamp)) [[unlikely]]
                break;
            std::uint8_t* out = nullptr;
            if (const auto status = port_.begin_send(out); status != IPCMARK_OK) [[unlikely]]
                return {status, "loan"};
            write_envelope(out, size_, stamp, next);
            if (const auto status = port_.end_send(); status != IPCMARK_OK) [[unlikely]]
                return {status, "send"};
            ++next;
            source.sent(next - first);
            cpus.look();
            const std::uint8_t* in = nullptr;
            std::size_t size = 0;
            if (const auto status = port_.begin_recv(in, size); status != IPCMARK_OK) [[unlikely]]
                return {status, "recv"};
            receiver_.take(in, size, Clock::now());
            if (const auto status = port_.end_recv(); status != IPCMARK_OK) [[unlikely]]
                return {status, "release"};
        }
        return {};
    }

    LoopEnd send_end(std::uint64_t /*next*/) { return {}; }
    void finish() noexcept { receiver_.finish(nullptr); }

private:
    Port port_;
    Receiver receiver_;
    std::size_t size_;
};

} // namespace ipcmark

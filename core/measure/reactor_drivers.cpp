// SPDX-License-Identifier: Apache-2.0
// The loops of the asynchronous mode: what the blocking loops do in a thread each, as state machines under one reactor.
#include "measure/client_phases.hpp"
#include "measure/cpu_tracker.hpp"
#include "measure/envelope.hpp"
#include "measure/message_buffer.hpp"
#include "measure/one_way.hpp"
#include "measure/reactor.hpp"
#include "measure/receiver.hpp"
#include "measure/recorder.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace ipcmark {
namespace {

// Messages that one endpoint may move before the others have their turn.
constexpr unsigned turn_limit = 64;

// Both servers: receive, and for round trips send the same back.
template <class Clock> class ServerDriver : public EndpointDriver {
public:
    explicit ServerDriver(const LoopContext& context)
        : EndpointDriver(context.endpoint, context.own_slot()), calls_(context.calls.pollfd), receiver_(context),
          size_(context.settings.size), rx_(size_, receive_fill),
          echo_(context.settings.direction == Direction::round_trip),
          // With one message outstanding nothing more can be there after an echo: trying would be a system call in
          // vain.
          turn_(echo_ && context.settings.window == 1 ? 1 : turn_limit) {}

    Need step(std::uint32_t /*ready*/) noexcept override {
        for (unsigned turn = 0; turn < turn_; ++turn) {
            if (echoing_ == 0) {
                std::size_t size = 0;
                const auto status = calls_->try_recv(endpoint(), rx_.data(), size_, &size);
                if (status == IPCMARK_WOULD_BLOCK)
                    return Need{.directions = IPCMARK_POLL_RX};
                if (status != IPCMARK_OK)
                    return finish(status, "try_recv", nullptr);
                this->note_moved();
                const std::uint64_t now = echo_ ? 0 : Clock::after_loads();
                if (receiver_.is_end(rx_.data(), size))
                    return finish(IPCMARK_OK, "", rx_.data());
                if (!echo_) {
                    receiver_.take(rx_.data(), size, now);
                    continue;
                }
                if (size != size_) [[unlikely]] {
                    receiver_.finish(nullptr);
                    return stop_with(wrong_size("try_recv", size, size_));
                }
                echoing_ = size;
            }
            const auto status = calls_->try_send(endpoint(), rx_.data(), echoing_);
            if (status == IPCMARK_WOULD_BLOCK)
                return Need{.directions = IPCMARK_POLL_TX};
            if (status != IPCMARK_OK)
                return finish(status, "try_send", nullptr);
            this->note_moved();
            receiver_.take(rx_.data(), echoing_, 0);
            echoing_ = 0;
        }
        return turn_ == 1 ? Need{.directions = IPCMARK_POLL_RX} : Need{.runnable = true};
    }

private:
    Need finish(ipcmark_status status, const char* action, const std::uint8_t* end_message) noexcept {
        receiver_.finish(end_message);
        return stop_with(status, action);
    }

    const ipcmark_ext_pollfd* calls_;
    Receiver receiver_;
    std::size_t size_;
    MessageBuffer rx_;
    bool echo_;
    unsigned turn_;
    std::size_t echoing_ = 0;
};

// What the clients have in common: a range of messages in each round, the end message in the last.
template <class Clock> class ClientDriver : public EndpointDriver {
public:
    explicit ClientDriver(const LoopContext& context)
        : EndpointDriver(context.endpoint, context.own_slot()), context_(context), settings_(context.settings),
          calls_(context.calls.pollfd), slot_(&context.client_slot()), size_(settings_.size), tx_(size_, message_fill),
          cpus_(*slot_), phases_(context) {}

    void begin_round(Recorder& recorder, std::uint64_t first, std::uint64_t last, std::uint64_t deadline,
                     const Schedule* schedule, std::uint64_t delay_ticks) noexcept {
        recorder_ = &recorder;
        first_ = next_ = first;
        last_ = last;
        deadline_ = deadline;
        schedule_ = schedule;
        delay_ticks_ = delay_ticks;
        sending_ = false;
        not_before_ = 0;
        round_begun();
    }
    void begin_end_message() noexcept {
        measured();
        ending_ = true;
        sending_ = true;
        write_envelope(tx_.data(), size_, 0, next_ | end_flag);
    }

    [[nodiscard]] const LoopContext& context() const noexcept { return context_; }
    [[nodiscard]] ClientPhases& phases() noexcept { return phases_; }
    [[nodiscard]] CpuTracker& cpus() noexcept { return cpus_; }

protected:
    virtual void round_begun() noexcept {}

    [[nodiscard]] bool stop_asked() const noexcept { return context_.stop_asked(); }

    // Before the end message.
    virtual void measured() noexcept {}

    // The end message, as far as it goes.
    Need step_end() noexcept {
        const auto status = calls_->try_send(this->endpoint(), tx_.data(), size_);
        if (status == IPCMARK_WOULD_BLOCK)
            return Need{.directions = IPCMARK_POLL_TX};
        return this->stop_with(status, "try_send");
    }

    LoopContext context_;
    LoopSettings settings_;
    const ipcmark_ext_pollfd* calls_;
    Slot* slot_;
    std::size_t size_;
    MessageBuffer tx_;
    CpuTracker cpus_;
    ClientPhases phases_;
    Recorder* recorder_ = nullptr;
    std::uint64_t first_ = 0;
    std::uint64_t next_ = 0;
    std::uint64_t last_ = 0;
    std::uint64_t deadline_ = UINT64_MAX;
    const Schedule* schedule_ = nullptr;
    std::uint64_t delay_ticks_ = 0;
    std::uint64_t not_before_ = 0; // closed loop with send delay
    bool sending_ = false;         // the message in tx_ is not all sent yet
    bool ending_ = false;
};

template <class Clock> class StreamDriver : public ClientDriver<Clock> {
public:
    explicit StreamDriver(const LoopContext& context) : ClientDriver<Clock>(context), source_(context) {}

    Need step(std::uint32_t /*ready*/) noexcept override {
        if (this->ending_)
            return this->step_end();
        for (unsigned turn = 0; turn < turn_limit; ++turn) {
            if (!this->sending_) {
                if (!stamped_) {
                    if (this->next_ == this->last_)
                        return Need{.done = true};
                    if (const std::uint64_t due = due_tick(); due != 0) {
                        if (due >= this->deadline_ || this->stop_asked())
                            return Need{.done = true};
                        if (static_cast<std::int64_t>(due - Clock::now()) > 0)
                            return Need{.due_tick = due};
                    }
                    if (!source_.next(this->next_, stamp_))
                        return Need{.done = true};
                    stamped_ = true;
                }
                // The other endpoints have their turns while this one waits for its receiver.
                if (!source_.has_room(this->next_) && !this->stop_asked()) {
                    source_.give_way();
                    return Need{.runnable = true};
                }
                if (!source_.post_stamp(this->next_, stamp_))
                    return Need{.done = true};
                stamped_ = false;
                write_envelope(this->tx_.data(), this->size_, stamp_, this->next_);
                this->sending_ = true;
            }
            const auto status = this->calls_->try_send(this->endpoint(), this->tx_.data(), this->size_);
            if (status == IPCMARK_WOULD_BLOCK)
                return Need{.directions = IPCMARK_POLL_TX};
            if (status != IPCMARK_OK)
                return this->stop_with(status, "try_send");
            this->sending_ = false;
            this->note_moved();
            ++this->next_;
            source_.sent(this->next_ - this->first_);
            this->cpus_.look();
            if (this->delay_ticks_ != 0)
                this->not_before_ = Clock::now() + this->delay_ticks_;
        }
        return Need{.runnable = true};
    }

private:
    void round_begun() noexcept override {
        source_.begin(this->first_, this->deadline_, this->schedule_, 0);
        stamped_ = false;
    }

    [[nodiscard]] std::uint64_t due_tick() const noexcept {
        return this->schedule_ != nullptr ? this->schedule_->due(this->next_ - this->first_) : this->not_before_;
    }

    StreamSource<Clock> source_;
    std::uint64_t stamp_ = 0;
    bool stamped_ = false; // the next message has begun: its stamp is in stamp_
};

template <class Clock> class RoundTripDriver : public ClientDriver<Clock> {
public:
    explicit RoundTripDriver(const LoopContext& context)
        : ClientDriver<Clock>(context), rx_(this->size_, receive_fill), stamps_(this->settings_.window) {}

    Need step(std::uint32_t ready) noexcept override {
        if (this->ending_)
            return this->step_end();
        Need need = send();
        if ((ready & IPCMARK_POLL_RX) == 0)
            return need;
        // Each reply makes room for the next message, which goes at once: with all replies taken first the window would
        // not be full meanwhile. The others have their turn after a window's replies.
        for (std::size_t turn = 0; turn < stamps_.size() && awaited_ != this->next_ && !need.done; ++turn) {
            std::size_t size = 0;
            const auto status = this->calls_->try_recv(this->endpoint(), rx_.data(), this->size_, &size);
            if (status == IPCMARK_WOULD_BLOCK)
                break;
            if (status != IPCMARK_OK)
                return this->stop_with(status, "try_recv");
            this->note_moved();
            received(size);
            need = send();
        }
        return need;
    }

private:
    // Replies are compared at both ends; the last one as a whole.
    void measured() noexcept override {
        if (awaited_ != this->first_ && !this->settings_.loopback && !body_intact(rx_.data(), this->size_))
            ++this->slot_->corrupted;
    }

    void round_begun() noexcept override {
        awaited_ = this->next_;
        closing_ = false;
        filled_ = false;
        overtime_ = Overtime(this->deadline_, this->settings_.overtime_ticks);
    }

    void received(std::size_t size) noexcept {
        // Back to back the end of one is the begin of the next, and what is too early cancels out.
        now_ = back_to_back() ? Clock::now() : Clock::after_loads();
        take(size);
        ++awaited_;
        this->cpus_.look();
        closing_ = closing_ || overtime_.is_over(now_) || this->stop_asked();
        if (this->delay_ticks_ != 0)
            this->not_before_ = now_ + this->delay_ticks_;
    }

    void take(std::size_t size) noexcept {
        // The end of one is the begin of the next, which may have to wait for room: that time is its own.
        const std::uint64_t begin = std::exchange(stamps_[awaited_ % stamps_.size()], now_);
        if (!is_echo(rx_.data(), size, this->size_, begin, awaited_)) {
            ++this->slot_->corrupted;
            return;
        }
        const std::uint64_t number = awaited_ - this->first_;
        this->recorder_->record(this->schedule_ != nullptr ? this->schedule_->due(number) : begin, now_, number);
        if (this->schedule_ != nullptr)
            this->recorder_->record_uncorrected(begin, now_);
    }

    Need send() noexcept {
        for (;;) {
            if (!this->sending_) {
                if (closing_ || this->stop_asked() || this->next_ == this->last_)
                    return awaited_ == this->next_ ? Need{.done = true} : Need{.directions = IPCMARK_POLL_RX};
                if (this->next_ - awaited_ >= stamps_.size())
                    return Need{.directions = IPCMARK_POLL_RX};
                if (const Need need = wait_until_due(); need.due_tick != 0)
                    return need;
                if (closing_)
                    continue;
                begin_message();
                this->sending_ = true;
            }
            const auto status = this->calls_->try_send(this->endpoint(), this->tx_.data(), this->size_);
            if (status == IPCMARK_WOULD_BLOCK) {
                wait_for_room();
                return Need{.directions =
                                IPCMARK_POLL_TX | (awaited_ != this->next_ ? std::uint32_t{IPCMARK_POLL_RX} : 0U)};
            }
            if (status != IPCMARK_OK)
                return this->stop_with(status, "try_send");
            this->sending_ = false;
            this->note_moved();
            ++this->next_;
            this->recorder_->sent(this->next_ - this->first_);
        }
    }

    // A place of the window keeps the stamp of the message that has it, and then that of the moment at which it became
    // free.
    void begin_message() noexcept {
        std::uint64_t& stamp = stamps_[this->next_ % stamps_.size()];
        // What fills the window follows no reply, and others may have had their turns since the round began.
        if (!filled_ && this->next_ - this->first_ < stamps_.size())
            stamp = now_ = Clock::now();
        else if (!back_to_back())
            stamp = now_;
        if (this->schedule_ != nullptr)
            this->slot_->last_send_tick.store(stamp, std::memory_order_relaxed);
        write_envelope(this->tx_.data(), this->size_, stamp, this->next_);
    }

    // The message in tx_ waits for room, and so do those behind it that have a place: they have all begun.
    void wait_for_room() noexcept {
        if (filled_ || !back_to_back())
            return;
        filled_ = true;
        for (std::uint64_t behind = this->next_ + 1; behind < this->first_ + stamps_.size(); ++behind)
            stamps_[behind % stamps_.size()] = stamps_[this->next_ % stamps_.size()];
    }

    [[nodiscard]] bool back_to_back() const noexcept { return this->schedule_ == nullptr && this->delay_ticks_ == 0; }

    // A need with a due tick while the next message must wait; else its stamp is in now_.
    Need wait_until_due() noexcept {
        const std::uint64_t due =
            this->schedule_ != nullptr ? this->schedule_->due(this->next_ - this->first_) : this->not_before_;
        if (due == 0)
            return {};
        if (due >= this->deadline_) {
            closing_ = true;
            return {};
        }
        const std::uint64_t now = Clock::now();
        if (static_cast<std::int64_t>(due - now) > 0)
            return Need{.directions = awaited_ != this->next_ ? std::uint32_t{IPCMARK_POLL_RX} : 0U, .due_tick = due};
        if (this->schedule_ == nullptr && awaited_ == this->next_)
            this->slot_->empty_window_ticks += now - now_;
        now_ = now;
        return {};
    }

    MessageBuffer rx_;
    std::vector<std::uint64_t> stamps_;
    std::uint64_t awaited_ = 0;
    std::uint64_t now_ = 0; // the last stamp: the end of one round trip is the beginning of the next
    Overtime overtime_;
    bool closing_ = false;
    bool filled_ = false; // the transport, if not the window: what has a place has begun
};

ReactorSettings reactor_settings(const LoopContext& context) noexcept {
    const ResultsMemory& memory = *context.memory;
    return {context.settings.wait, context.settings.spin_ticks, static_cast<ClockKind>(memory.shape().clock_kind),
            memory.scale()};
}

template <class Clock> void run_servers(std::span<const LoopContext> contexts, std::span<LoopEnd> ends) {
    std::vector<std::unique_ptr<EndpointDriver>> drivers;
    std::vector<EndpointDriver*> pointers;
    for (const LoopContext& context : contexts) {
        drivers.push_back(std::make_unique<ServerDriver<Clock>>(context));
        pointers.push_back(drivers.back().get());
    }
    Reactor reactor(*contexts[0].calls.pollfd, reactor_settings(contexts[0]), pointers);
    reactor.run(pointers);
    for (std::size_t index = 0; index < ends.size(); ++index)
        ends[index] = drivers[index]->end();
}

template <class Clock, class Driver> void run_clients(std::span<const LoopContext> contexts, std::span<LoopEnd> ends) {
    const LoopSettings& settings = contexts[0].settings;
    const ResultsMemory& memory = *contexts[0].memory;
    std::vector<std::unique_ptr<Driver>> drivers;
    std::vector<EndpointDriver*> pointers;
    std::vector<std::unique_ptr<WarmupRecorder>> warm;
    std::vector<Recorder> recorders;
    std::vector<Schedule> schedules(contexts.size());
    for (const LoopContext& context : contexts) {
        drivers.push_back(std::make_unique<Driver>(context));
        pointers.push_back(drivers.back().get());
        warm.push_back(std::make_unique<WarmupRecorder>(memory.scale(), settings.interval_q16 != 0));
        recorders.emplace_back(context.client_slot(), memory.counts(Role::client, context.index),
                               memory.uncorrected_counts(Role::client, context.index), memory.scale(),
                               memory.samples(context.index));
    }
    Reactor reactor(*contexts[0].calls.pollfd, reactor_settings(contexts[0]), pointers);
    const auto collect = [&] {
        bool good = true;
        for (std::size_t index = 0; index < ends.size(); ++index) {
            ends[index] = drivers[index]->end();
            good = good && ends[index].status == IPCMARK_OK;
        }
        return good;
    };

    for (std::size_t index = 0; index < drivers.size(); ++index)
        drivers[index]->begin_round(warm[index]->recorder(), 0, settings.warmup, UINT64_MAX, nullptr, 0);
    reactor.run(pointers);
    if (!collect())
        return;
    for (auto& driver : drivers) {
        driver->phases().await_drain();
        Slot& slot = driver->context().client_slot();
        slot.sent.store(0, std::memory_order_relaxed);
        slot.corrupted = 0;
        slot.empty_window_ticks = 0;
        driver->cpus().begin_window();
    }
    // One thread drives all: what it used is noted once, for the first endpoint.
    drivers[0]->phases().begin_measuring();
    const std::uint64_t begin = Clock::now();
    const std::uint64_t deadline = settings.duration_ticks == 0 ? UINT64_MAX : begin + settings.duration_ticks;
    for (std::size_t index = 0; index < drivers.size(); ++index) {
        const LoopContext& context = contexts[index];
        schedules[index] = schedule_of(settings, context.index, begin);
        context.client_slot().plan_base_tick.store(schedules[index].base_tick, std::memory_order_release);
        context.client_slot().first_send_tick.store(settings.interval_q16 != 0 ? schedules[index].base_tick : begin,
                                                    std::memory_order_relaxed);
        context.client_slot().phase.store(Phase::measuring, std::memory_order_release);
        const std::uint64_t last = context.count == UINT64_MAX ? UINT64_MAX : settings.warmup + context.count;
        drivers[index]->begin_round(recorders[index], settings.warmup, last, deadline,
                                    settings.interval_q16 != 0 ? &schedules[index] : nullptr, settings.delay_ticks);
    }
    reactor.run(pointers);
    for (auto& driver : drivers)
        driver->cpus().look_always();
    drivers[0]->phases().finish();
    for (const LoopContext& context : contexts)
        context.client_slot().phase.store(Phase::finished, std::memory_order_release);
    if (!collect())
        return;
    for (auto& driver : drivers)
        driver->begin_end_message();
    reactor.run(pointers);
    collect();
}

template <class Clock> void run_on(std::span<const LoopContext> contexts, std::span<LoopEnd> ends) {
    const LoopSettings& settings = contexts[0].settings;
    if (settings.role == Role::server)
        run_servers<Clock>(contexts, ends);
    else if (settings.direction == Direction::one_way)
        run_clients<Clock, StreamDriver<Clock>>(contexts, ends);
    else
        run_clients<Clock, RoundTripDriver<Clock>>(contexts, ends);
}

} // namespace

void run_reactor(std::span<const LoopContext> contexts, std::span<LoopEnd> ends) {
    if (static_cast<ClockKind>(contexts[0].memory->shape().clock_kind) == ClockKind::cycle_counter)
        run_on<CycleClock>(contexts, ends);
    else
        run_on<MonotonicClock>(contexts, ends);
}

} // namespace ipcmark

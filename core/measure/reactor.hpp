// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/loop_context.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace ipcmark {

// What an endpoint needs before its next step can do something.
struct Need {
    std::uint32_t directions = 0; // IPCMARK_POLL_* to wait for
    bool runnable = false;        // more can be done at once; others first
    bool done = false;
    std::uint64_t due_tick = 0; // not 0: nothing to do before this tick of the run's clock, but for the directions
};

// One endpoint's part of a loop, as a state machine that never waits.
class EndpointDriver {
public:
    virtual ~EndpointDriver() = default;
    // `ready` is the set of directions that may have become ready.
    virtual Need step(std::uint32_t ready) noexcept = 0;
    [[nodiscard]] const LoopEnd& end() const noexcept { return end_; }
    [[nodiscard]] ipcmark_endpoint* endpoint() const noexcept { return endpoint_; }
    // Whether a message was moved since the last call.
    [[nodiscard]] bool take_moved() noexcept { return std::exchange(moved_, false); }

protected:
    EndpointDriver(ipcmark_endpoint* endpoint, Slot& slot) noexcept : endpoint_(endpoint), slot_(slot) {}
    Need stop_with(const LoopEnd& end) noexcept {
        end_ = end;
        slot_.note_end(end.status);
        return Need{.done = true};
    }
    Need stop_with(ipcmark_status status, const char* action) noexcept { return stop_with(LoopEnd{status, action}); }
    void note_moved() noexcept { moved_ = true; }

private:
    ipcmark_endpoint* endpoint_;
    Slot& slot_;
    bool moved_ = false;
    LoopEnd end_;
};

struct ReactorSettings {
    WaitPolicy wait = WaitPolicy::block;
    std::uint64_t spin_ticks = 0; // WaitPolicy::adaptive
    ClockKind clock = ClockKind::monotonic;
    TickScale scale;
};

// Drives all endpoints of one role in the calling thread until each is done: bare epoll, level triggered. With
// WaitPolicy::spin it never sleeps and goes round the endpoints; with WaitPolicy::adaptive it does that until nothing
// has moved for `spin_ticks`, and sleeps then.
class Reactor {
public:
    Reactor(const ipcmark_ext_pollfd& calls, const ReactorSettings& settings, std::span<EndpointDriver* const> drivers);
    ~Reactor();
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;

    // Runs until every driver is done. The descriptors stay registered for the next round.
    void run(std::span<EndpointDriver* const> drivers);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace ipcmark

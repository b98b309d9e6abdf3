// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/clock.hpp"
#include "measure/pacer.hpp"
#include "measure/results_memory.hpp"
#include "measure/start_line.hpp"

#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/loan.h>
#include <ipcmark/ext/pollfd.h>
#include <ipcmark/module.h>
#include <ipcmark/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace ipcmark {

// What a worker measures; the same for all its endpoints.
struct LoopSettings {
    Role role = Role::server;
    Direction direction = Direction::one_way;
    Access access = Access::copy;
    WaitPolicy wait = WaitPolicy::block;
    std::size_t size = 0;
    std::uint64_t warmup = 0;         // messages on each endpoint that are not recorded
    std::uint64_t duration_ticks = 0; // 0: by count
    unsigned window = 1;
    unsigned batch = 1;
    std::uint64_t delay_ticks = 0;    // closed loop
    std::uint64_t interval_q16 = 0;   // open loop: ticks * 2^16 between two messages of one endpoint; 0: closed loop
    std::uint64_t overtime_ticks = 0; // what messages that are late at the end may still take; 0: closed loop
    std::uint64_t lead_ticks = 0;     // open loop: until the first message is due, for all threads to be there by then
    std::uint64_t spin_ticks = 0;     // WaitPolicy::adaptive: before it sleeps
    bool loopback = false;            // the module has no peer
    unsigned endpoints = 1;
};

// Endpoints of an open loop are due one after the other within an interval, not all at the same moment. `begin`: the
// tick from which all of them count.
inline Schedule schedule_of(const LoopSettings& settings, unsigned endpoint, std::uint64_t begin) noexcept {
    // Rounded up, as the interval is: in a time there is no message more than its rate says.
    const auto shift_q16 = static_cast<wide_uint>(settings.interval_q16) * endpoint / settings.endpoints;
    return {begin + static_cast<std::uint64_t>((shift_q16 + 0xffff) >> 16), settings.interval_q16};
}

// The functions of the module under test.
struct ModuleCalls {
    const ipcmark_descriptor* table = nullptr;
    const ipcmark_ext_loan* loan = nullptr;
    const ipcmark_ext_batch* batch = nullptr;
    const ipcmark_ext_pollfd* pollfd = nullptr;
};

// One endpoint as its loop sees it.
struct LoopContext {
    LoopSettings settings;
    ModuleCalls calls;
    ipcmark_endpoint* endpoint = nullptr;
    unsigned index = 0;
    std::uint64_t count = 0; // messages to measure on this endpoint; UINT64_MAX: by duration
    ResultsMemory* memory = nullptr;
    StartLine* start_line = nullptr; // client: all endpoints begin to measure together

    [[nodiscard]] Slot& own_slot() const noexcept { return memory->slot(settings.role, index); }
    [[nodiscard]] Slot& server_slot() const noexcept { return memory->slot(Role::server, index); }
    [[nodiscard]] Slot& client_slot() const noexcept { return memory->slot(Role::client, index); }
    [[nodiscard]] bool stop_asked() const noexcept {
        return memory->header().stop.load(std::memory_order_relaxed) != 0;
    }
    [[nodiscard]] bool peer_shares_memory() const noexcept { return memory->shape().shared_with_peer != 0; }
};

// How a loop ended: the status and, if it is not IPCMARK_OK, which function gave it. Where that said IPCMARK_OK and
// broke a rule, `fault` says which, of the number that it gave and the one that it was asked for.
struct LoopEnd {
    ipcmark_status status = IPCMARK_OK;
    const char* action = "";
    const char* fault = nullptr; // "gave {} messages of {} that were asked for"
    std::uint64_t given = 0;
    std::uint64_t asked = 0;
};

inline LoopEnd wrong_size(const char* action, std::size_t given, std::size_t asked) noexcept {
    return {IPCMARK_INTERNAL, action, "gave a message of {} bytes, and {} were sent", given, asked};
}

// Runs the whole of one endpoint in the calling thread, blocking: warm-up, the measured messages, the end message.
// Leaves everything that it finds in results memory. The endpoint stays open.
[[nodiscard]] LoopEnd run_blocking(const LoopContext& context);

// Runs all endpoints of one role in the calling thread through the pollfd extension. `ends` gets one entry an endpoint.
void run_reactor(std::span<const LoopContext> contexts, std::span<LoopEnd> ends);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "measure/client_phases.hpp"

#include "measure/pacer.hpp"
#include "measure/patient_clock.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace ipcmark {

using namespace std::chrono_literals;

void ClientPhases::await_drain(std::chrono::nanoseconds patience) const noexcept {
    const LoopSettings& settings = context_->settings;
    if (settings.loopback)
        return;
    // Every message of a round trip has come back: the server has only to note the last one, which cannot be seen from
    // another program. What a server there has taken of a stream the coordinator puts into its slot.
    const bool one_way = settings.direction == Direction::one_way;
    if (!one_way)
        patience = 5ms;
    const Slot& server = context_->server_slot();
    std::uint64_t taken = server.consumed.load(std::memory_order_relaxed);
    PatientClock clock;
    std::chrono::nanoseconds last_move = 0ns;
    for (int turn = 0; server.phase.load(std::memory_order_acquire) < Phase::measuring; ++turn) {
        if (context_->stop_asked())
            return;
        if (turn < 1000) {
            spin_pause();
            continue;
        }
        const std::chrono::nanoseconds now = clock.look();
        // The longer it has taken, the less a little more matters.
        std::this_thread::sleep_for(std::clamp<std::chrono::nanoseconds>(now / 8, 50us, 1ms));
        if (const std::uint64_t before = std::exchange(taken, server.consumed.load(std::memory_order_relaxed));
            before != taken) {
            last_move = now;
        } else if (now - last_move > patience) {
            // A transport that lost the last of the warm-up must not hold up the run for ever.
            if (one_way)
                slot_->warmup_left = settings.warmup - std::min(taken, settings.warmup);
            return;
        }
    }
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "measure/client_phases.hpp"

#include "measure/pacer.hpp"

#include <chrono>
#include <thread>

namespace ipcmark {

void ClientPhases::await_drain() const noexcept {
    using namespace std::chrono_literals;
    if (context_->settings.loopback)
        return;
    if (!context_->peer_shares_memory()) {
        std::this_thread::sleep_for(5ms); // the server's state cannot be seen from here
        return;
    }
    // A transport that lost the last of the warm-up must not hold up the run for ever.
    const auto limit = std::chrono::steady_clock::now() + 2s;
    const Slot& server = context_->server_slot();
    for (int turn = 0; server.phase.load(std::memory_order_acquire) < Phase::measuring; ++turn) {
        if (turn < 1000)
            spin_pause();
        else if (std::chrono::steady_clock::now() > limit || context_->stop_asked())
            return;
        else
            std::this_thread::sleep_for(50us);
    }
}

} // namespace ipcmark

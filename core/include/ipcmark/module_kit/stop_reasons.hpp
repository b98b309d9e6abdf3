// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/error.hpp>
#include <ipcmark/module_kit/wait.hpp>

#include <atomic>

namespace ipcmark::kit {

// Why a call must not wait any longer: an interrupt, or that the peer has left. One relaxed load tells a hot function
// that there is neither. Set by any thread, never cleared.
class StopReasons {
public:
    // False if there was an interrupt before, or `status` is no reason to stop.
    bool interrupt(ipcmark_status status) noexcept {
        if (!interrupt_.raise(status)) {
            return false;
        }
        any_.store(true);
        return true;
    }
    void peer_left() noexcept {
        left_.store(true);
        any_.store(true);
    }

    [[nodiscard]] bool any() const noexcept { return any_.load(std::memory_order_relaxed); }
    // What the peer did before it left is seen after this.
    [[nodiscard]] bool has_peer_left() const noexcept { return left_.load(std::memory_order_acquire); }
    // The status of the interrupt, recorded as this thread's last error, or IPCMARK_OK.
    [[nodiscard]] ipcmark_status interrupted() const noexcept {
        const auto status = interrupt_.status();
        return status == IPCMARK_OK ? status : record_hot(status, 0, "the call was interrupted");
    }
    // IPCMARK_PEER_GONE, recorded as this thread's last error.
    [[nodiscard]] static ipcmark_status peer_gone() noexcept {
        return record_hot(IPCMARK_PEER_GONE, 0, "the peer closed its end or died");
    }

private:
    std::atomic<bool> any_{false};
    std::atomic<bool> left_{false};
    InterruptFlag interrupt_;
};

} // namespace ipcmark::kit

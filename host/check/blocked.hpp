// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/task.hpp"
#include "host/check/wire.hpp"

#include <atomic>
#include <cstdint>

namespace ipcmark::check {

// Sends on a thread of its own until a send fails; the peer does not receive, so it comes to wait.
class Filler {
public:
    explicit Filler(Wire& wire);
    // Returns once no send has returned for a while: one is waiting. Skips the test if sends never wait.
    void until_blocked();
    // The status of the send that failed. Ends the test with `text` if none did in time.
    [[nodiscard]] ipcmark_status end_within(std::chrono::nanoseconds time, const std::string& text);
    [[nodiscard]] std::uint64_t sent() const noexcept { return state_->sent.load(); }

private:
    struct State {
        std::atomic<std::uint64_t> sent{0};
        ipcmark_status status = IPCMARK_OK;
    };
    std::shared_ptr<State> state_;
    Task task_;
};

} // namespace ipcmark::check

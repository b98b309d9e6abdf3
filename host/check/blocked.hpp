// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/task.hpp"
#include "host/check/wire.hpp"

#include <atomic>
#include <cstdint>

#include <sys/types.h>

namespace ipcmark::check {

// More than any buffer holds: a transport that takes all this takes everything, and throws it away.
constexpr std::uint64_t never_blocks_bytes = std::uint64_t{4} << 30;

// Sends on a thread of its own until a send fails; the peer does not receive, so it comes to wait.
class Filler {
public:
    // `at_end` is called by that thread, when a send has failed.
    explicit Filler(Wire& wire, std::function<void()> at_end = {});
    // The same with another way of sending: `send_one` sends `bytes` bytes and returns the status.
    Filler(std::function<ipcmark_status()> send_one, std::size_t bytes, std::function<void()> at_end = {});
    // Returns once no send has returned for a while: one is waiting. Skips the test if sends never wait.
    void until_blocked();
    // The status of the send that failed. Ends the test with `text` if none did in time.
    [[nodiscard]] ipcmark_status end_within(std::chrono::nanoseconds time, const std::string& text);
    [[nodiscard]] std::uint64_t sent() const noexcept { return state_->sent.load(); }
    [[nodiscard]] pid_t thread() const noexcept { return state_->thread.load(); }

private:
    struct State {
        std::atomic<std::uint64_t> sent{0};
        std::atomic<pid_t> thread{0};
        ipcmark_status status = IPCMARK_OK;
    };
    std::shared_ptr<State> state_;
    Task task_;
};

// Sends messages 0 to `count` - 1 of `size` bytes, none of which is received meanwhile. Ends the test with `text` if
// one of the sends waits.
void send_unreceived(Wire& wire, std::uint64_t count, std::size_t size, const std::string& text);

} // namespace ipcmark::check

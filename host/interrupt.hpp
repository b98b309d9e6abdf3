// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/unique_fd.hpp"

#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>

#include <signal.h>

namespace ipcmark::host {

// While it lives, the first SIGINT, SIGTERM or SIGHUP asks for a stop, and a later one ends the process at once with
// 128 + the signal's number. What comes within `same_signal_for` of the first is no second one: timeout(1) and others
// send theirs to the process and then to its whole group. And a stop from the terminal stops the workers, too, until
// the program goes on. To be made before any other thread, by the thread that ends it, once at a time in a process.
// Children started meanwhile inherit these signals as blocked unless they are started with a mask of their own.
class Interrupt {
public:
    // Throws RunError.
    explicit Interrupt(std::chrono::nanoseconds same_signal_for = std::chrono::seconds(1));
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
    // The signal that came, or 0.
    [[nodiscard]] int signal() const noexcept { return received_; }

private:
    // A thread that reads signals as messages, rather than handlers of them: what a stop calls may not be called by a
    // handler, and the thread sanitizer holds a handler back until the call that it interrupts returns.
    void watch();
    void handle(int signal);

    const std::chrono::nanoseconds same_signal_for_;
    std::chrono::steady_clock::time_point received_at_; // the watcher's own
    sigset_t mask_before_{};
    UniqueFd signals_;
    UniqueFd end_;
    std::atomic<int> received_{0};
    std::stop_source source_;
    std::thread watcher_;
};

// The exit code that shells know for a program that a signal ended.
[[nodiscard]] constexpr int exit_by_signal(int signal) {
    return 128 + signal;
}

} // namespace ipcmark::host

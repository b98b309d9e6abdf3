// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>
#include <thread>

#include <signal.h>

namespace ipcmark::host {

// While it lives, the first SIGINT, SIGTERM or SIGHUP asks for a stop, and the second ends the process at once with
// 128 + the signal's number; and a stop from the terminal stops the workers, too, until the program goes on. One at a
// time in a process. Children started meanwhile get the default handling.
class Interrupt {
public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
    // The signal that came, or 0.
    [[nodiscard]] int signal() const noexcept;

private:
    std::stop_source source_;
    struct sigaction old_interrupt_ {};
    struct sigaction old_terminate_ {};
    struct sigaction old_hang_up_ {};
    struct sigaction old_stop_ {};
    std::thread waiter_;
};

// The exit code that shells know for a program that a signal ended.
[[nodiscard]] constexpr int exit_by_signal(int signal) {
    return 128 + signal;
}

} // namespace ipcmark::host

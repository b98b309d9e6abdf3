// SPDX-License-Identifier: Apache-2.0
#include "host/interrupt.hpp"

#include "module/limit_remedy.hpp"
#include "run/worker_process.hpp"

#include <ipcmark/run.hpp>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace ipcmark::host {

namespace {

// A handler can reach nothing but globals.
std::atomic<int> received{0};
std::atomic<int> wake_descriptor{-1};
static_assert(std::atomic<int>::is_always_lock_free);

void wake() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_descriptor.load(), &one, sizeof one);
}

extern "C" void ipcmark_on_signal(int signal) {
    const int saved_errno = errno;
    int none = 0;
    if (!received.compare_exchange_strong(none, signal))
        ::_exit(exit_by_signal(signal));
    wake();
    errno = saved_errno;
}

extern "C" void ipcmark_on_terminal_stop(int) {
    const int saved_errno = errno;
    signal_workers(SIGSTOP);
    ::kill(::getpid(), SIGSTOP);
    signal_workers(SIGCONT); // when this process goes on
    errno = saved_errno;
}

} // namespace

Interrupt::Interrupt() {
    received = 0;
    wake_descriptor = ::eventfd(0, EFD_CLOEXEC);
    if (wake_descriptor < 0) {
        const int error = errno;
        throw RunError(fmt::format("cannot make an eventfd: {}{}", std::strerror(error), limit_remedy(error)));
    }
    // Stopping runs callbacks, which no signal handler may.
    try {
        waiter_ = std::thread([this] {
            std::uint64_t count = 0;
            while (::read(wake_descriptor.load(), &count, sizeof count) < 0 && errno == EINTR) {
            }
            if (received != 0)
                source_.request_stop();
        });
    } catch (const std::system_error& error) {
        ::close(wake_descriptor.exchange(-1));
        throw RunError(fmt::format("cannot start a thread: {}{}", error.code().message(), thread_remedy));
    }
    struct sigaction action {};
    action.sa_handler = ipcmark_on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, &old_interrupt_);
    ::sigaction(SIGTERM, &action, &old_terminate_);
    ::sigaction(SIGHUP, &action, &old_hang_up_);
    action.sa_handler = ipcmark_on_terminal_stop;
    ::sigaction(SIGTSTP, &action, &old_stop_);
    // What was ignored stays so: nohup.
    if (old_hang_up_.sa_handler == SIG_IGN)
        ::sigaction(SIGHUP, &old_hang_up_, nullptr);
    if (old_stop_.sa_handler == SIG_IGN)
        ::sigaction(SIGTSTP, &old_stop_, nullptr);
}

Interrupt::~Interrupt() {
    ::sigaction(SIGINT, &old_interrupt_, nullptr);
    ::sigaction(SIGTERM, &old_terminate_, nullptr);
    ::sigaction(SIGHUP, &old_hang_up_, nullptr);
    ::sigaction(SIGTSTP, &old_stop_, nullptr);
    wake();
    waiter_.join();
    ::close(wake_descriptor.exchange(-1));
}

int Interrupt::signal() const noexcept {
    return received;
}

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#include "host/interrupt.hpp"

#include "module/limit_remedy.hpp"
#include "run/worker_process.hpp"

#include <ipcmark/run.hpp>

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace ipcmark::host {

namespace {

bool is_ignored(int signal) {
    struct sigaction action {};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

sigset_t signals_to_watch() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    // What was ignored stays so: nohup.
    for (const int signal : {SIGHUP, SIGTSTP})
        if (!is_ignored(signal))
            sigaddset(&signals, signal);
    return signals;
}

UniqueFd checked(int descriptor, const char* what) {
    if (descriptor < 0) {
        const int error = errno;
        throw RunError(fmt::format("cannot make {}: {}{}", what, std::strerror(error), limit_remedy(error)));
    }
    return UniqueFd(descriptor);
}

} // namespace

Interrupt::Interrupt(std::chrono::nanoseconds same_signal_for) : same_signal_for_(same_signal_for) {
    const sigset_t watched = signals_to_watch();
    signals_ = checked(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK), "a signalfd");
    end_ = checked(::eventfd(0, EFD_CLOEXEC), "an eventfd");
    // Before the thread, which inherits it.
    ::pthread_sigmask(SIG_BLOCK, &watched, &mask_before_);
    try {
        watcher_ = std::thread([this] { watch(); });
    } catch (const std::system_error& error) {
        ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
        throw RunError(fmt::format("cannot start a thread: {}{}", error.code().message(), thread_remedy));
    }
}

Interrupt::~Interrupt() {
    ::eventfd_write(end_.get(), 1);
    watcher_.join();
    ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

void Interrupt::watch() {
    pollfd entries[] = {{signals_.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}};
    while (entries[1].revents == 0) {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == sizeof info)
            handle(static_cast<int>(info.ssi_signo));
        ::poll(entries, 2, -1);
    }
}

void Interrupt::handle(int signal) {
    if (signal == SIGTSTP) {
        signal_workers(SIGSTOP);
        ::raise(SIGSTOP); // not kill: another thread might take it, and this one go on for a moment
        signal_workers(SIGCONT);
    } else if (received_ == 0) {
        received_ = signal;
        received_at_ = std::chrono::steady_clock::now();
        source_.request_stop();
    } else if (std::chrono::steady_clock::now() - received_at_ >= same_signal_for_) {
        ::_exit(exit_by_signal(signal));
    }
}

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/control_channel.hpp"
#include "run/unique_fd.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

namespace ipcmark {

// The descriptors that a worker finds on start; all others of the host stay with the host.
inline constexpr int worker_control_fd = 3;
inline constexpr int worker_results_fd = 4;

// [signal handler] Sends it to all workers and whatever their modules have started: they are no part of the group that
// a terminal stops and continues.
void signal_workers(int signal) noexcept;

// A worker as a child process, the first of a process group. Killed, with all that is left of its group, and reaped by
// the destructor at the latest.
class WorkerProcess {
public:
    // Starts the worker program; results_descriptor is -1 for one that is only asked questions. Safe in a program with
    // threads. Throws RunError.
    static WorkerProcess spawn(int results_descriptor);

    WorkerProcess(WorkerProcess&& other) noexcept;
    WorkerProcess& operator=(WorkerProcess&&) = delete;
    ~WorkerProcess();

    [[nodiscard]] ControlChannel& channel() noexcept { return *channel_; }
    // Readable once the process has ended.
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    // How it ended, "killed by signal 9 (Killed)", "exit code 3", with what the kernel says of the cause where memory
    // was out; empty for exit code 0 and where this program ignores SIGCHLD; nothing while it runs.
    std::optional<std::string> ended();
    [[nodiscard]] bool stopped() const noexcept;
    void kill() noexcept; // the whole group
    // Kills it, if it still runs, and waits until it is dead: what it has left in memory is then final.
    void end();

private:
    std::optional<std::string> reap(int flags);

    WorkerProcess(pid_t pid, UniqueFd pidfd, UniqueFd socket);
    pid_t pid_ = -1;
    UniqueFd pidfd_;
    std::unique_ptr<ControlChannel> channel_;
    std::optional<std::string> end_;
    std::uint64_t oom_kills_before_ = 0;
};

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "run/worker_process.hpp"

#include "module/limit_remedy.hpp"
#include "module/locate.hpp"
#include "run/small_file.hpp"

#include <ipcmark/run.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace ipcmark {
namespace {

constexpr const char* null_device = "/dev/null";

struct SpawnActions {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    SpawnActions() {
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
    }
    ~SpawnActions() {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;
};

// A handler can reach nothing but globals. A run has two workers at a time, and a program may do several runs at once;
// those beyond what is here are not stopped together with it.
std::array<std::atomic<pid_t>, 64> groups;
static_assert(std::atomic<pid_t>::is_always_lock_free);

void exchange_group(pid_t from, pid_t to) noexcept {
    for (auto& group : groups)
        if (pid_t expected = from; group.compare_exchange_strong(expected, to))
            return;
}

// A descriptor above those that the worker is given, so that no dup2 overwrites a source. Fails for want of descriptors
// only, which has another errno where the limit is below that number.
UniqueFd out_of_the_way(int descriptor) {
    return UniqueFd(fcntl(descriptor, F_DUPFD_CLOEXEC, 16));
}

// Processes that the kernel has killed for want of memory since it started, in all control groups.
std::uint64_t oom_kills() {
    constexpr std::string_view name = "\noom_kill ";
    const std::string text = read_small_file("/proc/vmstat");
    const auto at = text.find(name);
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + name.size(), nullptr, 10);
}

constexpr const char* out_of_memory = "; in that time the kernel has killed for want of memory: take smaller messages, "
                                      "fewer endpoints or a smaller --buffer-size, or raise the limit of the container";

} // namespace

void signal_workers(int signal) noexcept {
    for (const auto& group : groups)
        if (const pid_t leader = group; leader != 0)
            ::kill(-leader, signal);
}

WorkerProcess::WorkerProcess(pid_t pid, UniqueFd pidfd, UniqueFd socket)
    : pid_(pid), pidfd_(std::move(pidfd)), channel_(std::make_unique<ControlChannel>(std::move(socket))) {
    exchange_group(0, pid_);
    oom_kills_before_ = oom_kills();
}

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), channel_(std::move(other.channel_)),
      end_(std::move(other.end_)), oom_kills_before_(other.oom_kills_before_) {}

WorkerProcess WorkerProcess::spawn(int results_descriptor) {
    const std::string program = worker_program().string();
    ControlPair pair = make_control_pair();
    const UniqueFd control = out_of_the_way(pair.theirs.get());
    const UniqueFd results = results_descriptor < 0 ? UniqueFd() : out_of_the_way(results_descriptor);
    if (!control || (results_descriptor >= 0 && !results))
        throw RunError(fmt::format("cannot start a worker: {}{}", std::strerror(EMFILE), limit_remedy(EMFILE)));
    SpawnActions spawn;
    posix_spawn_file_actions_addopen(&spawn.actions, 0, null_device, O_RDONLY, 0);
    // Nothing that a module prints gets between the lines of the host's own output.
    posix_spawn_file_actions_adddup2(&spawn.actions, 2, 1);
    posix_spawn_file_actions_adddup2(&spawn.actions, control.get(), worker_control_fd);
    if (results)
        posix_spawn_file_actions_adddup2(&spawn.actions, results.get(), worker_results_fd);
    posix_spawn_file_actions_addclosefrom_np(&spawn.actions, results ? worker_results_fd + 1 : worker_results_fd);
    // The coordinator alone decides what an interrupt from the terminal means; the worker ends when its control
    // connection does. In a group of its own it is in the background of that terminal, and may write to it all the
    // same.
    sigset_t blocked;
    sigemptyset(&blocked);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTTOU, SIGTTIN})
        sigaddset(&blocked, signal);
    sigset_t defaults;
    sigfillset(&defaults);
    posix_spawnattr_setsigmask(&spawn.attributes, &blocked);
    posix_spawnattr_setsigdefault(&spawn.attributes, &defaults);
    posix_spawnattr_setpgroup(&spawn.attributes, 0);
    posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    char* arguments[] = {const_cast<char*>("ipcmark-worker"), nullptr};
    pid_t pid = -1;
    const int error = posix_spawn(&pid, program.c_str(), &spawn.actions, &spawn.attributes, arguments, environ);
    if (error != 0 && access(null_device, R_OK) != 0) // the spawn does not say which file it did not find
        throw RunError(fmt::format("cannot start a worker: {}, its standard input, cannot be opened: {}; this system "
                                   "needs its /dev",
                                   null_device, std::strerror(errno)));
    if (error != 0)
        throw RunError(fmt::format("cannot start the worker {}: {}{}", program, std::strerror(error),
                                   error == EAGAIN ? thread_remedy : limit_remedy(error)));
    UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    return WorkerProcess(pid, std::move(pidfd), std::move(pair.ours));
}

WorkerProcess::~WorkerProcess() {
    end();
}

void WorkerProcess::end() {
    if (pid_ < 0 || end_)
        return;
    kill();
    while (!reap(0)) {
    }
}

std::optional<std::string> WorkerProcess::ended() {
    return reap(WNOHANG);
}

std::optional<std::string> WorkerProcess::reap(int flags) {
    if (end_)
        return end_;
    siginfo_t info{};
    const int looked = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | flags);
    if ((looked == 0 && info.si_pid == 0) || (looked < 0 && errno == EINTR))
        return std::nullopt;
    // What the module has started would hold the caller's standard error for ever. Before the worker is reaped: until
    // then nobody else has its number.
    kill();
    exchange_group(pid_, 0);
    int status = 0;
    pid_t reaped = 0;
    while ((reaped = waitpid(pid_, &status, 0)) < 0 && errno == EINTR) {
    }
    if (reaped < 0)
        end_ = ""; // the program ignores SIGCHLD or waits for all its children: that it ended is all that can be known
    else if (WIFSIGNALED(status))
        end_ = fmt::format("killed by signal {} ({}){}", WTERMSIG(status), strsignal(WTERMSIG(status)),
                           WTERMSIG(status) == SIGKILL && oom_kills() != oom_kills_before_ ? out_of_memory : "");
    else if (WEXITSTATUS(status) != 0)
        end_ = fmt::format("exit code {}", WEXITSTATUS(status));
    else
        end_ = "";
    return end_;
}

bool WorkerProcess::stopped() const noexcept {
    siginfo_t info{};
    return pid_ > 0 && !end_ && waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
}

void WorkerProcess::kill() noexcept {
    if (pid_ > 0 && !end_)
        ::kill(-pid_, SIGKILL);
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "module/describe_text.hpp"
#include "module/limit_remedy.hpp"
#include "module/locate.hpp"

#include <ipcmark/module_kit/fd.hpp>
#include <ipcmark/modules.hpp>
#include <ipcmark/run.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace ipcmark {
namespace {

using kit::Fd;
using Clock = std::chrono::steady_clock;

// Far more than any module needs; a hang is reported after it.
constexpr std::chrono::seconds time_limit{10};
// Of an answer; more is not from us.
constexpr std::size_t longest_answer = 8 << 20;
constexpr std::size_t most_said = 64 << 10;

[[noreturn]] void fail(const std::string& action) {
    const int error = errno;
    throw RunError(fmt::format("cannot {}: {}{}", action, std::generic_category().message(error), limit_remedy(error)));
}

// Where the child's standard error goes. Sealed at its size, so that a module that prints for ever fills no memory.
Fd make_error_file() {
    Fd file(::memfd_create("ipcmark-describe", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file || ::ftruncate(file.get(), most_said) != 0 ||
        ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) != 0)
        fail("make a file in memory");
    return file;
}

std::string last_line_of(const Fd& file) {
    std::string text(most_said, '\0');
    const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
    text.resize(got <= 0 ? 0 : std::strlen(text.c_str()));
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text.substr(text.rfind('\n') + 1); // npos + 1 is 0
}

// The child; killed with everything that it started, and reaped, at the end of its scope.
class Child {
public:
    Child(const std::string& program, const std::string& module, const Fd& answer, const Fd& errors);
    ~Child() { (void)end(); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
    // Its wait status; not set if somebody else reaped it.
    std::optional<int> end() noexcept {
        if (pid_ < 0)
            return status_;
        ::kill(-pid_, SIGKILL);
        int status = 0;
        pid_t reaped = 0;
        while ((reaped = ::waitpid(pid_, &status, 0)) < 0 && errno == EINTR) {
        }
        if (reaped == pid_)
            status_ = status;
        pid_ = -1;
        return status_;
    }

private:
    pid_t pid_ = -1;
    Fd pidfd_;
    std::optional<int> status_;
};

Child::Child(const std::string& program, const std::string& module, const Fd& answer, const Fd& errors) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&actions, answer.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, errors.get(), STDERR_FILENO);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    sigset_t signals;
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes, &signals);
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes, &signals);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    std::array<const char*, 4> arguments{"ipcmark-worker", "--describe", module.c_str(), nullptr};
    const int error = ::posix_spawn(&pid_, program.c_str(), &actions, &attributes,
                                    const_cast<char* const*>(arguments.data()), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) {
        pid_ = -1;
        errno = error;
        fail(fmt::format("start {}", program));
    }
    pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

enum class Outcome { ended, timed_out };

// Reads until the child has ended. Its answer ends with it, even if something that it started keeps the pipe open.
Outcome read_answer(const Fd& pipe, const Child& child, std::string& answer) {
    const auto deadline = Clock::now() + time_limit;
    for (bool ended = false;;) {
        std::array<char, 4096> chunk;
        const ssize_t got = ::read(pipe.get(), chunk.data(), chunk.size());
        if (got > 0 && answer.size() < longest_answer) {
            answer.append(chunk.data(), static_cast<std::size_t>(got));
            continue;
        }
        if (ended || got > 0)
            return Outcome::ended;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0)
            return Outcome::timed_out;
        // After the end of the pipe there is only the process to wait for.
        std::array<pollfd, 2> waits{{{child.pidfd(), POLLIN, 0}, {got == 0 ? -1 : pipe.get(), POLLIN, 0}}};
        (void)::poll(waits.data(), waits.size(), static_cast<int>(left));
        ended = waits[0].revents != 0;
    }
}

std::string cause_of_end(std::optional<int> status) {
    if (status && WIFSIGNALED(*status))
        return fmt::format("crashed with signal {} ({})", WTERMSIG(*status), ::strsignal(WTERMSIG(*status)));
    if (status && WIFEXITED(*status))
        return fmt::format("ended its process with exit code {}", WEXITSTATUS(*status));
    return "ended its process";
}

// The last line that begins with `word`, without it; not set if there is none.
std::optional<std::string> last_answer(const std::string& answer, std::string_view word) {
    std::optional<std::string> found;
    for (std::size_t begin = 0; begin < answer.size();) {
        const std::size_t end = answer.find('\n', begin);
        if (end == std::string::npos)
            break;
        const std::string_view line(answer.data() + begin, end - begin);
        if (line.starts_with(word))
            found = line.substr(word.size());
        begin = end + 1;
    }
    return found;
}

} // namespace

ModuleDescription describe(const ModuleFile& file) {
    const std::string name = file.id.empty() ? file.path.string() : fmt::format("{} ({})", file.id, file.path.string());
    if (file.rejected)
        throw RunError(fmt::format("module {} {}", name, *file.rejected));
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        fail("make a pipe");
    const Fd ours(ends[0]);
    Fd theirs(ends[1]);
    ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
    const Fd errors = make_error_file();
    Child child(worker_program().string(), file.path.string(), theirs, errors);
    if (child.pidfd() < 0)
        fail("watch a child process");
    theirs.reset();

    std::string answer;
    const Outcome outcome = read_answer(ours, child, answer);
    const std::optional<int> status = child.end();
    if (const auto failure = last_answer(answer, "failed "))
        throw RunError(*failure);
    if (const auto text = last_answer(answer, "{"); text && outcome == Outcome::ended) {
        ModuleDescription description = description_from_text("{" + *text);
        description.file = file;
        return description;
    }
    const std::string stage = last_answer(answer, "stage ").value_or("before it was loaded");
    if (outcome == Outcome::timed_out)
        throw RunError(fmt::format("module {} hangs {}: no answer within {} s", name, stage, time_limit.count()));
    const std::string said = last_line_of(errors);
    throw RunError(fmt::format("module {} {} {}{}", name, cause_of_end(status), stage,
                               said.empty() ? "" : fmt::format("; it said: {}", said)));
}

} // namespace ipcmark

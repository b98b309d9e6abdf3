// SPDX-License-Identifier: Apache-2.0
#include "host/check/child.hpp"

#include "host/check/peer.hpp"

#include <ipcmark/run.hpp>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <unistd.h>

extern char** environ;

namespace ipcmark::check {
namespace {

// Fields are separated by a character that no path or option text holds.
constexpr char separator = '\x1f';

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts{""};
    for (const char c : text) {
        if (c == separator) {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

// A peer shall hold nothing of its parent's: a listener's descriptor, inherited, would keep a dead peer alive.
void close_foreign_descriptors(const ChildRole& role) {
    const std::set<int> kept{0, 1, 2, role.report_fd, role.step_fd, role.channel_fd};
    int from = 0;
    for (const int fd : kept) {
        if (fd > from) {
            close_range(static_cast<unsigned>(from), static_cast<unsigned>(fd) - 1, 0);
        }
        from = std::max(from, fd + 1);
    }
    close_range(static_cast<unsigned>(from), ~0U, 0);
    for (const int fd : {role.report_fd, role.step_fd, role.channel_fd}) {
        if (fd >= 0) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }
}

void call(const ChildRole& role, Context& context) {
    if (role.is_peer) {
        Channel channel(role.channel_fd);
        context.test().peer(context, channel);
        return;
    }
    skip_unless_applicable(context);
    context.test().run(context);
}

} // namespace

std::vector<std::string> to_arguments(const ChildRole& role) {
    std::string text =
        fmt::format("{1}{0}{2}{0}{3}{0}{4}{0}{5}{0}{6}{0}{7}{0}{8}{0}{9}{0}{10}", separator, role.test_id,
                    role.is_peer ? "peer" : "run", role.report_fd, role.step_fd, role.channel_fd, getpid(),
                    static_cast<int>(role.subject.wait), role.subject.path.string(), role.subject.scratch.string(),
                    role.subject.hang_limit.count());
    for (const auto& [name, value] : role.subject.options) {
        text += fmt::format("{0}{1}{0}{2}", separator, name, value);
    }
    return {"check", "--child", text};
}

ChildRole parse_role(const std::string& text) {
    const auto parts = split(text);
    if (parts.size() < 10 || parts.size() % 2 != 0) {
        throw UsageError("--child is for the program's own use");
    }
    ChildRole role;
    role.test_id = parts[0];
    role.is_peer = parts[1] == "peer";
    role.report_fd = std::stoi(parts[2]);
    role.step_fd = std::stoi(parts[3]);
    role.channel_fd = std::stoi(parts[4]);
    role.parent = std::stoi(parts[5]);
    role.subject.wait = static_cast<WaitPolicy>(std::stoi(parts[6]));
    role.subject.path = parts[7];
    role.subject.scratch = parts[8];
    role.subject.hang_limit = std::chrono::nanoseconds(std::stoll(parts[9]));
    for (std::size_t i = 10; i + 1 < parts.size(); i += 2) {
        role.subject.options[parts[i]] = parts[i + 1];
    }
    return role;
}

int run_child(const ChildRole& role) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != role.parent) {
        return 1; // the parent died before the line above
    }
    close_foreign_descriptors(role);
    Sandbox::enter(role.report_fd, role.step_fd, role.is_peer ? Sandbox::Steps::peer : Sandbox::Steps::own);
    const auto* test = find_test(role.test_id);
    if (test == nullptr) {
        return 2;
    }
    try {
        Context context(role.subject, *test);
        call(role, context);
    } catch (const UsageError& error) {
        Sandbox::tell(Told::usage, error.what()); // an option of the user's that the module does not have
        return 2;
    } catch (const Failure& failure) { // in-process: only a peer comes here
        fmt::print(stderr, "ipcmark: the peer process: {}\n", failure.what());
        return 1;
    } catch (const Skipped&) {
        return 0;
    } catch (const RunError& error) {
        fail(error.what());
    } catch (const std::exception& error) {
        fail(fmt::format("an exception left a function of the module: {}", error.what()));
    } catch (...) {
        fail("an exception left a function of the module");
    }
    if (!role.is_peer) {
        Sandbox::tell(Told::pass, "");
    }
    // What is left to go wrong is a destructor of the module's.
    Sandbox::step("the end of the process, where static destructors and atexit functions of the module run");
    return 0;
}

InProcessResult run_in_process(const Test& test, const Subject& subject) {
    try {
        Context context(subject, test);
        skip_unless_applicable(context);
        test.run(context);
    } catch (const Skipped& skipped) {
        return {static_cast<char>(Told::skip), skipped.what()};
    } catch (const std::exception& error) {
        return {static_cast<char>(Told::fail), error.what()};
    }
    return {static_cast<char>(Told::pass), ""};
}

pid_t spawn(const ChildRole& role, int output_fd, Group group) {
    auto arguments = to_arguments(role);
    arguments.insert(arguments.begin(), program_invocation_name);
    std::vector<char*> argv;
    for (auto& argument : arguments) {
        argv.push_back(argument.data());
    }
    argv.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (output_fd >= 0) {
        posix_spawn_file_actions_adddup2(&actions, output_fd, 1);
        posix_spawn_file_actions_adddup2(&actions, output_fd, 2);
    }
    // Onto itself: the number stays and the descriptor survives the exec.
    for (const int fd : {role.report_fd, role.step_fd, role.channel_fd}) {
        if (fd >= 0) {
            posix_spawn_file_actions_adddup2(&actions, fd, fd);
        }
    }
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                             (group == Group::own ? POSIX_SPAWN_SETPGROUP : 0)));
    pid_t pid = -1;
    const int error = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        throw RunError(
            fmt::format("a process for the test {} could not be started: {}", role.test_id, std::strerror(error)));
    }
    return pid;
}

std::string signal_name(int signal) {
    const char* name = sigabbrev_np(signal);
    return name != nullptr ? std::string("SIG") + name : fmt::format("signal {}", signal);
}

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
#include "host/check/process_state.hpp"

#include <cfenv>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

extern char** environ;

namespace ipcmark::check {
namespace {

namespace fs = std::filesystem;

template <class Each> void each_entry(const fs::path& folder, Each each) {
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        each(at->path());
    }
}

std::string text_of(const sigset_t& set) {
    std::string text;
    for (int signal = 1; signal < 65; ++signal) {
        if (sigismember(&set, signal) == 1) {
            text += fmt::format("{} ", signal);
        }
    }
    return text;
}

} // namespace

ProcessState ProcessState::now() {
    ProcessState state;
    for (int signal = 1; signal < 65; ++signal) {
        struct sigaction action {};
        if (sigaction(signal, nullptr, &action) == 0) {
            state.facts_[fmt::format("the handler of {}", strsignal(signal))] =
                fmt::format("{} flags {:x}", reinterpret_cast<const void*>(action.sa_handler), action.sa_flags);
        }
    }
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    state.facts_["the signal mask"] = text_of(mask);
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof cpus, &cpus);
    std::string cpu_text;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &cpus)) {
            cpu_text += fmt::format("{} ", cpu);
        }
    }
    state.facts_["the CPU mask"] = cpu_text;
    const auto mode = umask(0);
    umask(mode);
    state.facts_["the umask"] = fmt::format("{:03o}", mode);
    for (int limit = 0; limit < RLIM_NLIMITS; ++limit) {
        rlimit values{};
        if (getrlimit(static_cast<__rlimit_resource>(limit), &values) == 0) {
            state.facts_[fmt::format("resource limit {}", limit)] =
                fmt::format("{} {}", values.rlim_cur, values.rlim_max);
        }
    }
    for (const auto& [which, name] :
         {std::pair{ITIMER_REAL, "the timer ITIMER_REAL"}, std::pair{ITIMER_VIRTUAL, "the timer ITIMER_VIRTUAL"},
          std::pair{ITIMER_PROF, "the timer ITIMER_PROF"}}) {
        itimerval timer{};
        getitimer(which, &timer);
        state.facts_[name] = timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0 ? "runs" : "";
    }
    sched_param parameters{};
    sched_getparam(0, &parameters);
    state.facts_["the scheduling"] =
        fmt::format("{} {} {}", sched_getscheduler(0), parameters.sched_priority, getpriority(PRIO_PROCESS, 0));
    state.facts_["the timer slack"] = std::to_string(prctl(PR_GET_TIMERSLACK));
    int death_signal = 0;
    prctl(PR_GET_PDEATHSIG, &death_signal);
    state.facts_["the signal at the parent's death"] = std::to_string(death_signal);
    state.facts_["whether it can be dumped"] = std::to_string(prctl(PR_GET_DUMPABLE));
    std::fenv_t floating_point{};
    std::fegetenv(&floating_point);
    // Rounding, and whether denormals are flushed to zero; not the flags of what was calculated.
#if defined(__x86_64__)
    state.facts_["the floating-point control"] =
        fmt::format("{:x} {:x}", floating_point.__control_word, floating_point.__mxcsr & 0xFFC0U);
#else
    state.facts_["the floating-point control"] = std::to_string(std::fegetround());
#endif
    state.facts_["the locale"] = std::setlocale(LC_ALL, nullptr);
    std::error_code error;
    state.facts_["the working directory"] = fs::current_path(error).string();
    std::string environment;
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
        environment += std::string(*variable) + '\n';
    }
    state.facts_["the environment"] = environment;
    return state;
}

std::string ProcessState::changes_since(const ProcessState& before) const {
    std::string changes;
    for (const auto& [name, value] : facts_) {
        const auto old = before.facts_.find(name);
        if (old != before.facts_.end() && old->second != value) {
            changes += (changes.empty() ? "" : ", ") + name;
        }
    }
    return changes;
}

std::map<int, std::string> open_descriptors() {
    std::map<int, std::string> descriptors;
    each_entry("/proc/self/fd", [&](const fs::path& entry) {
        std::error_code error;
        const auto target = fs::read_symlink(entry, error).string();
        // The descriptor that reads the folder is in it too.
        if (!error && target.find("/fd") == std::string::npos) {
            descriptors[std::stoi(entry.filename().string())] = target;
        }
    });
    return descriptors;
}

std::map<int, std::string> inheritable_descriptors() {
    auto descriptors = open_descriptors();
    std::erase_if(descriptors, [](const auto& descriptor) {
        const int flags = fcntl(descriptor.first, F_GETFD);
        return flags < 0 || (flags & FD_CLOEXEC) != 0;
    });
    return descriptors;
}

std::size_t thread_count() {
    std::size_t count = 0;
    each_entry("/proc/self/task", [&](const fs::path&) { ++count; });
    return count;
}

std::set<pid_t> children() {
    std::set<pid_t> pids;
    each_entry("/proc/self/task", [&](const fs::path& task) {
        std::ifstream file(task / "children");
        for (pid_t pid = 0; file >> pid;) {
            pids.insert(pid);
        }
    });
    return pids;
}

std::size_t allocated_bytes() {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

std::size_t mapped_bytes() {
    std::ifstream file("/proc/self/statm");
    std::size_t pages = 0;
    file >> pages;
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::set<std::string> system_names() {
    std::set<std::string> names;
    const auto add = [&](const fs::path& path) { names.insert(path.string()); };
    each_entry("/dev/shm", add);
    each_entry("/dev/mqueue", add);
    std::ifstream sockets("/proc/net/unix");
    std::string line;
    while (std::getline(sockets, line)) {
        // Num RefCount Protocol Flags Type St Inode Path
        const auto name = line.find_last_of(' ');
        const bool has_name =
            name != std::string::npos && name + 1 < line.size() && (line[name + 1] == '/' || line[name + 1] == '@');
        if (has_name) {
            names.insert("unix socket " + line.substr(name + 1));
        }
    }
    for (const char* kind : {"shm", "sem", "msg"}) {
        std::ifstream file(std::string("/proc/sysvipc/") + kind);
        std::getline(file, line);
        while (std::getline(file, line)) {
            names.insert(fmt::format("System V {} {}", kind, line.substr(0, line.find_first_not_of(' ') + 22)));
        }
    }
    return names;
}

} // namespace ipcmark::check

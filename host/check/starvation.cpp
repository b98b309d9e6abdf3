// SPDX-License-Identifier: Apache-2.0
#include "host/check/starvation.hpp"

#include "host/check/process_state.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

namespace ipcmark::check {
namespace {

namespace fs = std::filesystem;

// The first two numbers of schedstat: nanoseconds run, nanoseconds ready.
std::optional<ThreadTimes> times_in(const fs::path& task) {
    std::ifstream file(task / "schedstat");
    std::uint64_t ran = 0;
    std::uint64_t ready = 0;
    if (!(file >> ran >> ready)) {
        return std::nullopt;
    }
    return ThreadTimes{std::chrono::nanoseconds(ran), std::chrono::nanoseconds(ready)};
}

} // namespace

Starvation Starvation::now() {
    Starvation all;
    auto processes = children();
    processes.insert(getpid());
    for (const auto pid : processes) {
        std::error_code error;
        const fs::path tasks = "/proc/" + std::to_string(pid) + "/task";
        for (fs::directory_iterator at(tasks, error), end; !error && at != end; at.increment(error)) {
            if (const auto times = times_in(at->path())) {
                all.waited_[static_cast<pid_t>(std::stol(at->path().filename().string()))] =
                    static_cast<std::uint64_t>(times->was_ready.count());
            }
        }
    }
    return all;
}

std::chrono::nanoseconds Starvation::since(const Starvation& before) const {
    std::uint64_t sum = 0;
    for (const auto& [thread, waited] : waited_) {
        const auto old = before.waited_.find(thread);
        const auto from = old == before.waited_.end() ? 0 : old->second;
        sum += waited > from ? waited - from : 0;
    }
    return std::chrono::nanoseconds(sum);
}

std::optional<ThreadTimes> ThreadTimes::of(pid_t thread) {
    return times_in("/proc/self/task/" + std::to_string(thread));
}

} // namespace ipcmark::check

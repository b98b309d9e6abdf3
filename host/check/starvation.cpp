// SPDX-License-Identifier: Apache-2.0
#include "host/check/starvation.hpp"

#include "host/check/process_state.hpp"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <unistd.h>

namespace ipcmark::check {
namespace {

namespace fs = std::filesystem;

// The second number of schedstat, after the nanoseconds that the thread has run.
std::optional<std::uint64_t> waited_for_a_cpu(const fs::path& task) {
    std::ifstream file(task / "schedstat");
    std::uint64_t ran = 0;
    std::uint64_t waited = 0;
    if (!(file >> ran >> waited)) {
        return std::nullopt;
    }
    return waited;
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
            if (const auto waited = waited_for_a_cpu(at->path())) {
                all.waited_[static_cast<pid_t>(std::stol(at->path().filename().string()))] = *waited;
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

} // namespace ipcmark::check

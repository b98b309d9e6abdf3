// SPDX-License-Identifier: Apache-2.0
#include "host/check/starvation.hpp"

#include "host/check/process_state.hpp"

#include <algorithm>
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

// The eighth number of the line of all CPUs.
std::uint64_t stolen() {
    std::ifstream file("/proc/stat");
    std::string name;
    std::uint64_t ticks = 0;
    file >> name;
    for (int i = 0; i < 8; ++i) {
        file >> ticks;
    }
    return file ? ticks * (1'000'000'000 / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK))) : 0;
}

int poll_for(std::span<pollfd> entries, std::chrono::nanoseconds time) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(time).count();
    return std::max(poll(entries.data(), entries.size(), static_cast<int>(ms)), 0);
}

} // namespace

Starvation Starvation::now() {
    Starvation all;
    auto processes = children();
    processes.insert(getpid());
    processes.insert(getppid());
    all.stolen_ = stolen();
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
    std::uint64_t sum = stolen_ > before.stolen_ ? stolen_ - before.stolen_ : 0;
    for (const auto& [thread, waited] : waited_) {
        const auto old = before.waited_.find(thread);
        const auto from = old == before.waited_.end() ? 0 : old->second;
        sum += waited > from ? waited - from : 0;
    }
    return std::chrono::nanoseconds(sum);
}

Patience::Patience(std::chrono::nanoseconds time)
    : time_(time), before_(Starvation::now()), begin_(std::chrono::steady_clock::now()) {}

std::chrono::nanoseconds Patience::left() const {
    const auto left = time_ - (std::chrono::steady_clock::now() - begin_);
    // A look at all threads takes its time: only where it decides.
    return left.count() > 0 ? left : left + std::min(Starvation::now().since(before_), 10 * time_);
}

int poll_patiently(std::span<pollfd> entries, std::chrono::nanoseconds time) {
    // Most waits are short, and what they wait for shall not wait for a look at all threads.
    int ready = poll_for(entries, time / 4);
    if (ready != 0) {
        return ready;
    }
    const Patience patience(time - time / 4);
    for (auto left = patience.left(); ready == 0 && left.count() > 0; left = patience.left()) {
        ready = poll_for(entries, left);
    }
    return ready;
}

} // namespace ipcmark::check

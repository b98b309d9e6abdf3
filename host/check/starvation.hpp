// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>

#include <poll.h>
#include <sys/types.h>

namespace ipcmark::check {

// How long the threads of this process, of its parent and of its peers were ready to run and no CPU ran them, as the
// kernel counts it, and how long a virtual machine's CPUs were run by others. On a busy machine that is what makes a
// right module late; a module that sleeps too long is not ready to run, so its lateness is not among it. Nothing, where
// the kernel does not count.
class Starvation {
public:
    [[nodiscard]] static Starvation now();
    // In all of the threads that there are now; one that ended meanwhile is missing.
    [[nodiscard]] std::chrono::nanoseconds since(const Starvation& before) const;

private:
    std::map<pid_t, std::uint64_t> waited_; // thread → nanoseconds
    std::uint64_t stolen_ = 0;              // nanoseconds of all CPUs
};

// A time limit that does not count time in which the machine let nobody here run, up to ten times itself.
class Patience {
public:
    explicit Patience(std::chrono::nanoseconds time);
    // How long to wait before this is asked again; nothing left: it is over.
    [[nodiscard]] std::chrono::nanoseconds left() const;

private:
    std::chrono::nanoseconds time_;
    Starvation before_;
    std::chrono::steady_clock::time_point begin_;
};

// poll that gives up after `time`, not counting time in which the machine let nobody here run. The number of entries
// that are ready; 0: none.
[[nodiscard]] int poll_patiently(std::span<pollfd> entries, std::chrono::nanoseconds time);

} // namespace ipcmark::check

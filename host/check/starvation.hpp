// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include <sys/types.h>

namespace ipcmark::check {

// How long the threads of this process and of its peers were ready to run and no CPU ran them, as the kernel counts it.
// On a busy machine that is what makes a right module late; a module that sleeps too long is not ready to run, so its
// lateness is not among it. Nothing, where the kernel does not count.
class Starvation {
public:
    [[nodiscard]] static Starvation now();
    // In all of the threads that there are now; one that ended meanwhile is missing.
    [[nodiscard]] std::chrono::nanoseconds since(const Starvation& before) const;

private:
    std::map<pid_t, std::uint64_t> waited_; // thread → nanoseconds
};

// How long a thread of this process has run, and how long it was ready to run and did not. The rest of a time it slept.
struct ThreadTimes {
    std::chrono::nanoseconds ran{0};
    std::chrono::nanoseconds was_ready{0};
    // Nothing where the kernel does not tell.
    [[nodiscard]] static std::optional<ThreadTimes> of(pid_t thread);
};

} // namespace ipcmark::check

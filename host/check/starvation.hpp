// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>

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

} // namespace ipcmark::check

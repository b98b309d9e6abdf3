// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>

namespace ipcmark {

// Time as far as this process has lived through it, for those that wait for others: from one look to the next not more
// passes than longest_step, whatever the machine's clock says. A machine that stands still for a while (a virtual one
// that is moved, or has no CPU) took the time from the others too; on its return they have all of it left. Who waits
// must look more often than once in longest_step. One thread.
class PatientClock {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::milliseconds longest_step{200};

    explicit PatientClock(TimePoint now = std::chrono::steady_clock::now()) noexcept : last_look_(now) {}

    // Returns elapsed().
    std::chrono::nanoseconds look(TimePoint now = std::chrono::steady_clock::now()) noexcept {
        elapsed_ += std::min<std::chrono::nanoseconds>(now - last_look_, longest_step);
        last_look_ = now;
        return elapsed_;
    }
    // From the beginning to the last look.
    [[nodiscard]] std::chrono::nanoseconds elapsed() const noexcept { return elapsed_; }

private:
    TimePoint last_look_;
    std::chrono::nanoseconds elapsed_{0};
};

} // namespace ipcmark

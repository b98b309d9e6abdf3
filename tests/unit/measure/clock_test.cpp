// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "measure/clock.hpp"

#include <algorithm>
#include <vector>

using namespace ipcmark;

TEST_CASE("a clock's resolution is the step that it usually moves by, not the least one ever seen") {
    const RunClock clock = set_up_clock(ClockChoice::automatic);
    std::vector<std::uint64_t> steps;
    for (std::uint64_t last = clock.now(); steps.size() < 20'000;) {
        const std::uint64_t now = clock.now();
        if (now > last)
            steps.push_back(now - last);
        last = now;
    }
    std::nth_element(steps.begin(), steps.begin() + 10'000, steps.end());
    const double usual_ns =
        static_cast<double>(steps[10'000]) * static_cast<double>(clock.scale.ns_per_tick_q32) / 0x1p32;
    CHECK(clock.info.resolution_ns > usual_ns / 4);
    CHECK(clock.info.resolution_ns < usual_ns * 4);
}

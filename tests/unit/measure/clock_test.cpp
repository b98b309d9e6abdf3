// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "measure/clock.hpp"

#include <cstdint>
#include <numeric>
#include <vector>

using namespace ipcmark;

namespace {

// Distances of `count` pairs of readings of a clock that moves by `step` at a time; reading it takes `cost`, and the
// way between the two up to 200 more.
std::vector<std::uint64_t> distances(std::uint64_t step, std::uint64_t cost, std::size_t count = 4096) {
    std::vector<std::uint64_t> found;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t begin = i * 9973;
        const std::uint64_t end = begin + cost + i % 61 * 200 / 61 + i % 4;
        found.push_back(end / step * step - begin / step * step);
    }
    return found;
}

} // namespace

TEST_CASE("a clock's step is found though reading it takes many of them") {
    for (const std::uint64_t step : {1, 2, 10, 26, 40, 100}) {
        auto found = distances(step, 60);
        CHECK(usual_step(found) == step);
    }
}

TEST_CASE("a step that a clock makes now and then is not the one that it moves by") {
    auto found = distances(26, 60);
    for (std::size_t i = 0; i < found.size(); i += 500)
        ++found[i];
    CHECK(usual_step(found) == 26);
}

TEST_CASE("a clock that seldom moves between two readings") {
    auto found = distances(2500, 60);
    CHECK(usual_step(found) == 2500);
    std::vector<std::uint64_t> still(4096, 0);
    CHECK(usual_step(still) == 0);
}

TEST_CASE("the step of this machine's clock is no less than what all its readings have in common") {
    const RunClock clock = set_up_clock(ClockChoice::automatic);
    std::vector<std::uint64_t> readings;
    for (unsigned i = 0; i < 20'000; ++i)
        readings.push_back(clock.now());
    const double ns_per_tick = static_cast<double>(clock.scale.ns_per_tick_q32) / 0x1p32;
    std::uint64_t common = 0;
    for (std::size_t i = 1; i < readings.size(); ++i)
        common = std::gcd(common, readings[i] - readings[i - 1]);
    CHECK(clock.info.resolution_ns > 0);
    CHECK(clock.info.resolution_ns > static_cast<double>(common) * ns_per_tick * 0.99);
    CHECK(clock.info.overhead_ns > 0);
}

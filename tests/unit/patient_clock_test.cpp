// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "measure/patient_clock.hpp"

using namespace std::chrono_literals;
using ipcmark::PatientClock;

TEST_CASE("a patient clock goes like any other where it is looked at often") {
    const PatientClock::TimePoint begin{};
    PatientClock clock(begin);
    CHECK(clock.elapsed() == 0ns);
    for (int look = 1; look <= 100; ++look)
        CHECK(clock.look(begin + look * 50ms) == look * 50ms);
    CHECK(clock.elapsed() == 5s);
}

TEST_CASE("a machine that stands still takes one step of a patient clock") {
    const PatientClock::TimePoint begin{};
    PatientClock clock(begin);
    CHECK(clock.look(begin + 50ms) == 50ms);
    CHECK(clock.look(begin + 1h) == 250ms);
    CHECK(clock.look(begin + 1h + 50ms) == 300ms);
}

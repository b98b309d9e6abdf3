// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "measure/pacer.hpp"

using namespace ipcmark;

TEST_CASE("a schedule does not drift, whatever its rate", "[pacer]") {
    // 3 messages a second on a clock of 1 GHz: no whole number of ticks.
    const Schedule schedule{1000, static_cast<std::uint64_t>(1e9 / 3 * 65536)};
    CHECK(schedule.due(0) == 1000);
    const std::uint64_t after_a_day = schedule.due(3 * 86400) - 1000;
    CHECK(static_cast<double>(after_a_day) == Approx(86400e9).epsilon(1e-9));
}

TEST_CASE("a closed loop is over at its deadline", "[pacer]") {
    Overtime none(1000, 0);
    CHECK_FALSE(none.is_over(999));
    CHECK(none.is_over(1000));
    CHECK_FALSE(Overtime().is_over(UINT64_MAX - 1));
}

TEST_CASE("what is late at the deadline has its time, and no more", "[pacer]") {
    Overtime overtime(1000, 50);
    CHECK_FALSE(overtime.is_over(999));
    CHECK_FALSE(overtime.is_over(1000));
    CHECK_FALSE(overtime.is_over(1049));
    CHECK(overtime.is_over(1050));
    CHECK(overtime.is_over(5000));
}

TEST_CASE("a stall over the deadline uses nothing of the time for what is late", "[pacer]") {
    Overtime overtime(1000, 50);
    CHECK_FALSE(overtime.is_over(900));
    CHECK_FALSE(overtime.is_over(7000));
    CHECK_FALSE(overtime.is_over(7049));
    CHECK(overtime.is_over(7050));
}

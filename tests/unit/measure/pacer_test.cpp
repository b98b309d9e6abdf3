// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "measure/loop_context.hpp"
#include "measure/pacer.hpp"

using namespace ipcmark;

TEST_CASE("a schedule does not drift, whatever its rate", "[pacer]") {
    // 3 messages a second on a clock of 1 GHz: no whole number of ticks.
    const Schedule schedule{1000, static_cast<std::uint64_t>(1e9 / 3 * 65536)};
    CHECK(schedule.due(0) == 1000);
    const std::uint64_t after_a_day = schedule.due(3 * 86400) - 1000;
    CHECK(static_cast<double>(after_a_day) == Approx(86400e9).epsilon(1e-9));
}

TEST_CASE("in a time there are as many messages as the rate says, on whatever clock", "[pacer]") {
    for (std::uint64_t hertz = 19'200'000; hertz < 4'000'000'000; hertz += 7'654'321) {
        const TickScale scale{static_cast<std::uint64_t>(1e9 / static_cast<double>(hertz) * 0x1p32)};
        for (const unsigned endpoints : {1U, 3U}) {
            for (const std::uint64_t rate : {1U, 3U, 100U, 1000U}) {
                const std::uint64_t seconds = 20;
                const std::uint64_t end = scale.to_ticks(seconds * 1'000'000'000);
                std::uint64_t due = 0;
                for (unsigned endpoint = 0; endpoint < endpoints; ++endpoint) {
                    LoopSettings settings;
                    settings.endpoints = endpoints;
                    settings.interval_q16 = interval_q16_of(static_cast<double>(rate), endpoints, scale);
                    const Schedule schedule = schedule_of(settings, endpoint, 0);
                    const std::uint64_t about = seconds * rate / endpoints;
                    std::uint64_t k = about < 2 ? 0 : about - 2;
                    while (schedule.due(k) < end)
                        ++k;
                    due += k;
                }
                INFO(hertz << " Hz, " << endpoints << " endpoints, " << rate << " messages per second");
                REQUIRE(due == seconds * rate);
            }
        }
    }
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

TEST_CASE("the margin of a sleep covers what sleeps are usually late by, and is bounded", "[pacer]") {
    constexpr std::uint64_t asked_ns = 1'000'000;
    for (const std::uint64_t late_ns : {3'000, 25'000, 70'000}) {
        NapMargin margin;
        for (std::uint64_t i = 0; i < 1000; ++i)
            margin.learn(asked_ns, asked_ns + late_ns + i % 10 * late_ns / 100);
        CHECK(margin.ns() >= late_ns);
        CHECK(margin.ns() <= late_ns + late_ns / 5 + 64);
    }
    NapMargin margin;
    margin.learn(asked_ns, asked_ns + 4'000'000); // a process that had no CPU
    CHECK(margin.ns() == 100'000);
    for (int i = 0; i < 10'000; ++i)
        margin.learn(asked_ns, asked_ns - 500'000);
    CHECK(margin.ns() < 100);
}

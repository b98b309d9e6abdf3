// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "run/clock_agreement.hpp"

#include <thread>

using namespace ipcmark;

namespace {

// Of a server whose clock is ahead of ours by so many ticks.
std::string difference_from(std::uint64_t ahead, ClockKind kind) {
    ControlPair pair = make_control_pair();
    ControlChannel ours(std::move(pair.ours));
    std::thread server([&] {
        ControlChannel theirs(std::move(pair.theirs));
        while (const auto question = theirs.receive(std::chrono::milliseconds(-1))) {
            auto answer = clock_reading(*question);
            answer["ticks"] = number_field(answer, "ticks") + ahead;
            theirs.send(answer);
        }
    });
    std::string difference = clock_difference(ours, kind, {});
    ours.hang_up();
    server.join();
    return difference;
}

} // namespace

TEST_CASE("a clock is one where its readings there lie between those here") {
    CHECK(outside(5, 4, 9) == 1);
    CHECK(outside(5, 5, 9) == 0);
    CHECK(outside(5, 9, 9) == 0);
    CHECK(outside(5, UINT64_MAX, 9) == UINT64_MAX - 9);

    constexpr std::uint64_t hour_ns = 3'600'000'000'000;
    CHECK(difference_from(0, ClockKind::monotonic).empty());
    CHECK(difference_from(hour_ns, ClockKind::monotonic).starts_with("their monotonic clocks are 3600.0 s apart"));
    CHECK(difference_from(0 - hour_ns, ClockKind::monotonic).find("s apart") != std::string::npos);
    CHECK(difference_from(0, ClockKind::cycle_counter).empty());
    CHECK(difference_from(hour_ns, ClockKind::cycle_counter).find("ticks apart") != std::string::npos);
}

// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "run/warm_up_report.hpp"

#include <ipcmark/run.hpp>

#include <chrono>

#include <boost/json/parse.hpp>

using namespace ipcmark;
using namespace std::chrono_literals;

namespace {

ResultsMemory memory_of(unsigned endpoints) {
    ResultsLayout layout;
    layout.endpoints = endpoints;
    layout.shared_with_peer = false;
    return ResultsMemory::create(layout, RunClock{});
}

WorkerJob job_of(Direction direction) {
    WorkerJob job;
    job.direction = direction;
    return job;
}

} // namespace

TEST_CASE("a client hears of the warm-up while it moves, and of its end at once", "[warm_up_report]") {
    const ResultsMemory there = memory_of(2);
    const ResultsMemory here = memory_of(2);
    const WorkerJob job = job_of(Direction::one_way);
    WarmUpReport report(there, job);
    Slot& first = there.slot(Role::server, 0);
    Slot& second = there.slot(Role::server, 1);
    WarmUpReport::TimePoint now{};

    first.phase = second.phase = Phase::warming;
    CHECK_FALSE(report.look(now));
    second.consumed = 70;
    const auto under_way = report.look(now);
    REQUIRE(under_way);
    note_warm_up(*under_way, here);
    CHECK(here.slot(Role::server, 1).consumed == 70);
    CHECK(here.slot(Role::server, 1).phase.load() == Phase::warming);

    second.consumed = 80;
    CHECK_FALSE(report.look(now + 10ms));
    CHECK(report.look(now + 1s));
    CHECK_FALSE(report.look(now + 2s)); // nothing has moved

    first.phase = Phase::measuring;
    CHECK_FALSE(report.look(now + 3s));
    CHECK_FALSE(report.over());
    second.phase = Phase::measuring;
    const auto end = report.look(now + 3s);
    REQUIRE(end);
    CHECK(report.over());
    note_warm_up(*end, here);
    CHECK(here.slot(Role::server, 0).phase.load() == Phase::measuring);
    CHECK(here.slot(Role::server, 1).phase.load() == Phase::measuring);
    second.consumed = 90;
    CHECK_FALSE(report.look(now + 10s));
}

TEST_CASE("of the warm-up of a round trip nothing is told", "[warm_up_report]") {
    const ResultsMemory there = memory_of(1);
    const WorkerJob job = job_of(Direction::round_trip);
    WarmUpReport report(there, job);
    there.slot(Role::server, 0).phase = Phase::measuring;
    CHECK(report.over());
    CHECK_FALSE(report.look());
}

TEST_CASE("what is no word of the warm-up is refused", "[warm_up_report]") {
    const ResultsMemory here = memory_of(1);
    for (const char* text : {R"({"slots": []})", R"({"slots": [{"phase": 4, "consumed": 1}]})",
                             R"({"slots": [{"phase": 1}]})", R"({"slots": [{"consumed": 1}]})"})
        CHECK_THROWS_AS(note_warm_up(boost::json::parse(text).as_object(), here), RunError);
    CHECK(here.slot(Role::server, 0).phase.load() == Phase::starting);
}

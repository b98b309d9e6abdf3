// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "../temp_dir.hpp"
#include "measure/usage.hpp"
#include "run/assemble.hpp"

#include <fstream>
#include <initializer_list>

using namespace ipcmark;

namespace {

// What a result says of the client when each endpoint's migrations are these.
std::optional<std::uint64_t> migrations_of(Mode mode, std::initializer_list<std::uint64_t> endpoints) {
    ResultsLayout layout;
    layout.endpoints = static_cast<unsigned>(endpoints.size());
    const RunClock clock;
    const ResultsMemory memory = ResultsMemory::create(layout, clock);
    unsigned endpoint = 0;
    for (const std::uint64_t migrations : endpoints)
        memory.slot(Role::client, endpoint++).usage.migrations = migrations;
    const TestPlan plan;
    WorkerJob job;
    job.mode = mode;
    job.endpoints = layout.endpoints;
    job.message_size = 64;
    AssembleInput input;
    input.plan = &plan;
    input.job = &job;
    input.direction = Direction::round_trip;
    input.memory = &memory;
    input.clock = &clock;
    return assemble_result(input).client.migrations;
}

} // namespace

TEST_CASE("a number that a file of /proc does not have is none, not 0", "[usage]") {
    const TempDir folder;
    const auto path = folder.path() / "sched";
    std::ofstream(path) << "worker (1, #threads: 1)\nse.nr_migrations    :     17\nnr_switches\nempty :\n";
    CHECK(number_in(path.c_str(), "se.nr_migrations") == 17);
    CHECK_FALSE(number_in(path.c_str(), "se.nr_wakeups"));
    CHECK_FALSE(number_in(path.c_str(), "empty"));
    CHECK_FALSE(number_in((folder.path() / "none").c_str(), "se.nr_migrations"));
}

TEST_CASE("a difference with a figure that is not known is not known", "[usage]") {
    UsageRecord known{};
    known.migrations = 7;
    UsageRecord unknown = known;
    unknown.migrations = not_known;
    CHECK((known - known).migrations == 0);
    CHECK((known - unknown).migrations == not_known);
    CHECK((unknown - unknown).migrations == not_known);
}

TEST_CASE("a result has the migrations of all threads, or none", "[usage]") {
    CHECK(migrations_of(Mode::blocking, {3, 4}) == 7);
    CHECK(migrations_of(Mode::blocking, {0, 0}) == 0);
    CHECK_FALSE(migrations_of(Mode::blocking, {not_known, not_known}));
    CHECK_FALSE(migrations_of(Mode::blocking, {3, not_known}));
    // One thread: the same figure in each slot that has it.
    CHECK(migrations_of(Mode::asynchronous, {3, not_known}) == 3);
    CHECK(migrations_of(Mode::asynchronous, {3, 3}) == 3);
    CHECK_FALSE(migrations_of(Mode::asynchronous, {not_known, not_known}));
}

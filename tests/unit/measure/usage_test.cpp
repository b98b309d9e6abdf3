// SPDX-License-Identifier: Apache-2.0
#include "../assembled.hpp"
#include "../catch.hpp"
#include "../temp_dir.hpp"
#include "measure/usage.hpp"

#include <fstream>
#include <initializer_list>
#include <optional>
#include <vector>

using namespace ipcmark;

namespace {

// What a result says of the client when its endpoints used this.
SideUsage client_usage(Mode mode, const std::vector<UsageRecord>& endpoints) {
    ResultsLayout layout;
    layout.endpoints = static_cast<unsigned>(endpoints.size());
    const RunClock clock;
    const ResultsMemory memory = ResultsMemory::create(layout, clock);
    unsigned endpoint = 0;
    for (const UsageRecord& used : endpoints)
        memory.slot(Role::client, endpoint++).usage = used;
    WorkerJob job;
    job.mode = mode;
    return assembled(memory, Direction::round_trip, {}, job).client;
}

SideUsage client_usage(const UsageRecord& used) {
    return client_usage(Mode::blocking, {used});
}

std::optional<std::uint64_t> migrations_of(Mode mode, std::initializer_list<std::uint64_t> endpoints) {
    std::vector<UsageRecord> used;
    for (const std::uint64_t migrations : endpoints) {
        used.push_back({});
        used.back().migrations = migrations;
    }
    return client_usage(mode, used).migrations;
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

TEST_CASE("the CPU time of a span is exact, however short it is", "[usage]") {
    // The kernel's samples of a thread would give nothing for most of these, and whole ticks for the others.
    for (int i = 0; i < 20; ++i) {
        const std::uint64_t before = thread_cpu_time_ns();
        UsageSpan span;
        span.begin();
        const std::uint64_t begin = thread_cpu_time_ns();
        while (thread_cpu_time_ns() - begin < 300'000) {
        }
        const UsageRecord used = span.end();
        CHECK(used.cpu_time_ns >= 300'000);
        CHECK(used.cpu_time_ns <= thread_cpu_time_ns() - before);
    }
}

TEST_CASE("the CPU time is split where there are samples enough", "[usage]") {
    UsageRecord record{};
    record.cpu_time_ns = 300'000'000;
    record.user_time_ns = 50'000'000;
    record.system_time_ns = 150'000'000;
    const SideUsage split = client_usage(record);
    CHECK(split.user_time_ns == 75'000'000);
    CHECK(split.system_time_ns == 225'000'000);
    record.cpu_time_ns = 8'000'000;
    const SideUsage unsplit = client_usage(record);
    CHECK(unsplit.cpu_time_ns == 8'000'000);
    CHECK_FALSE(unsplit.user_time_ns);
    CHECK_FALSE(unsplit.system_time_ns);
}

TEST_CASE("a delay that the kernel does not show is not known", "[usage]") {
    UsageRecord record{};
    record.run_delay_ns = 5;
    CHECK(client_usage(record).run_delay_ns == 5);
    record.run_delay_ns = not_known;
    CHECK_FALSE(client_usage(record).run_delay_ns);
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

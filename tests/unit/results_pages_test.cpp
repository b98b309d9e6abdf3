// SPDX-License-Identifier: Apache-2.0
#include "assembled.hpp"
#include "catch.hpp"
#include "run/slot_json.hpp"

#include <sys/stat.h>

using namespace ipcmark;

namespace {

std::uint64_t bytes_of(const ResultsMemory& memory) {
    struct stat status {};
    REQUIRE(fstat(memory.descriptor(), &status) == 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

// As a loop leaves it: `count` messages of 7 ns.
void leave(const ResultsMemory& memory, Role role, unsigned endpoint, std::uint64_t count) {
    Slot& slot = memory.slot(role, endpoint);
    slot.sent = slot.received = count;
    slot.latency = {7, 7, 7 * count};
    slot.last_receive_tick = 1000;
    memory.counts(role, endpoint)[7] = count;
}

} // namespace

TEST_CASE("to read the results takes no memory where nothing was written", "[assemble]") {
    ResultsLayout layout;
    layout.endpoints = 100;
    layout.uncorrected = true;
    const RunClock clock;
    const ResultsMemory memory = ResultsMemory::create(layout, clock);
    for (unsigned endpoint = 0; endpoint < layout.endpoints; ++endpoint)
        leave(memory, Role::server, endpoint, endpoint);
    const std::uint64_t before = bytes_of(memory);
    const DirectionResult result = assembled(memory, Direction::one_way);
    CHECK(result.latency.histogram.total_count() == 4950);
    CHECK(result.latency.histogram.max_ns() == 7);
    CHECK(server_slots_to_json(memory).size() == 100);
    CHECK(bytes_of(memory) == before);
}

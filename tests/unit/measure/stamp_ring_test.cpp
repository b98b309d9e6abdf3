// SPDX-License-Identifier: Apache-2.0
// What passes the stamps of messages that are too short to carry them.
#include "../catch.hpp"
#include "measure/one_way.hpp"

using namespace ipcmark;

namespace {

struct ShortMessages {
    ResultsMemory memory = ResultsMemory::create({.stamp_rings = true}, RunClock{});
    LoopContext context;
    StreamSource<MonotonicClock> source;

    ShortMessages() : context(make_context(memory)), source(context) {}

    static LoopContext make_context(ResultsMemory& memory) {
        LoopContext context;
        context.settings.size = 1;
        context.memory = &memory;
        return context;
    }
    void fill() {
        for (std::uint64_t sequence = 0; sequence < stamp_ring_entries; ++sequence)
            REQUIRE(source.post_stamp(sequence, 1000 + sequence));
    }
};

} // namespace

TEST_CASE("a stamp waits for the receiver to have read the one whose place it takes", "[stamps]") {
    ShortMessages messages;
    messages.fill();
    CHECK_FALSE(messages.source.has_room(stamp_ring_entries));
    messages.memory.slot(Role::server, 0).consumed = 1;
    CHECK(messages.source.has_room(stamp_ring_entries));
    CHECK_FALSE(messages.source.has_room(stamp_ring_entries + 1));
    CHECK(messages.source.post_stamp(stamp_ring_entries, 7));
    CHECK(messages.memory.stamps(0)[0] == 7);
}

TEST_CASE("a stop ends the wait for room, and no stamp is lost", "[stamps]") {
    ShortMessages messages;
    messages.fill();
    messages.memory.header().stop = 1;
    CHECK_FALSE(messages.source.post_stamp(stamp_ring_entries, 7));
    CHECK(messages.memory.stamps(0)[0] == 1000);
}

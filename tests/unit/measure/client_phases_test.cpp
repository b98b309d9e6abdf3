// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "measure/client_phases.hpp"

#include <chrono>
#include <thread>

using namespace ipcmark;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t warmup = 1000;

// A client that has sent its warm-up, and the slot of its server.
struct Client {
    explicit Client(Direction direction = Direction::one_way)
        : memory(ResultsMemory::create(ResultsLayout{}, RunClock{})), context(context_of(direction)), phases(context),
          server(memory.slot(Role::server, 0)) {
        server.phase = Phase::warming;
    }

    LoopContext context_of(Direction direction) {
        LoopContext made;
        made.settings.role = Role::client;
        made.settings.direction = direction;
        made.settings.warmup = warmup;
        made.memory = &memory;
        return made;
    }
    [[nodiscard]] std::uint64_t left() const { return memory.slot(Role::client, 0).warmup_left; }

    ResultsMemory memory;
    LoopContext context;
    ClientPhases phases;
    Slot& server;
};

} // namespace

TEST_CASE("the client waits as long as the server takes some of the warm-up", "[client_phases]") {
    Client client;
    std::thread server([&] {
        for (int turn = 0; turn < 25; ++turn) { // longer than any fixed limit there was
            std::this_thread::sleep_for(100ms);
            client.server.consumed.fetch_add(40);
        }
        client.server.phase = Phase::measuring;
    });
    client.phases.await_drain();
    CHECK(client.server.phase.load() == Phase::measuring);
    CHECK(client.left() == 0);
    server.join();
}

TEST_CASE("where the server takes none of the warm-up the client goes on, and tells what is left", "[client_phases]") {
    Client client;
    client.server.consumed = warmup - 3;
    client.phases.await_drain(50ms);
    CHECK(client.left() == 3);
}

TEST_CASE("a stop ends the wait for the server, of which nothing is told", "[client_phases]") {
    Client client;
    client.memory.header().stop = 1;
    client.phases.await_drain(std::chrono::hours(1));
    CHECK(client.left() == 0);
}

TEST_CASE("of a round trip nothing is left that the server has not noted", "[client_phases]") {
    Client client(Direction::round_trip);
    client.server.consumed = warmup - 1;
    client.phases.await_drain(std::chrono::hours(1));
    CHECK(client.left() == 0);
}

// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "run/progress_watch.hpp"

#include <chrono>
#include <cstdint>
#include <thread>

using namespace ipcmark;
using namespace std::chrono_literals;

namespace {

struct Run {
    explicit Run(bool shared_with_peer)
        : memory(ResultsMemory::create(ResultsLayout{.shared_with_peer = shared_with_peer}, RunClock{})),
          watch(memory, job), client(memory.slot(Role::client, 0)), server(memory.slot(Role::server, 0)) {}

    void look_after_a_slice() {
        std::this_thread::sleep_for(110ms);
        watch.look();
    }

    ResultsMemory memory;
    WorkerJob job;
    ProgressWatch watch;
    Slot& client;
    Slot& server;
};

} // namespace

TEST_CASE("what the warm-up sends is no progress of a run whose arrivals are elsewhere") {
    Run run(false);
    run.client.phase = Phase::warming;
    run.client.sent = 1'000'000;
    run.watch.look();
    CHECK(run.watch.messages() == 0);
    run.look_after_a_slice();
    CHECK(run.watch.messages() == 0);

    run.client.sent = 0;
    run.client.phase = Phase::measuring;
    run.client.sent = 10;
    run.watch.look();
    run.client.sent = 110;
    run.look_after_a_slice();
    CHECK(run.watch.messages() == 110);
    CHECK(run.watch.peak_messages_per_second() > 0);
    CHECK(run.watch.peak_messages_per_second() <= 1000);
}

TEST_CASE("a slice of few messages is no peak") {
    Run run(true);
    run.client.phase = Phase::measuring;
    // One message that took longer than a slice would be ten a second.
    run.server.received = 1;
    run.watch.look();
    run.server.received = 2;
    run.look_after_a_slice();
    CHECK(run.watch.peak_messages_per_second() == 0);
    run.server.received = 42;
    run.look_after_a_slice();
    CHECK(run.watch.peak_messages_per_second() > 0);
    CHECK(run.watch.peak_messages_per_second() <= 40 / 0.2);
}

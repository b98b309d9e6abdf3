// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "fixture_path.hpp"
#include "measure/results_memory.hpp"
#include "run/worker_job.hpp"
#include "run/worker_process.hpp"

#include <chrono>
#include <csignal>
#include <thread>

using namespace ipcmark;
using namespace std::chrono_literals;

namespace {

bool becomes(const WorkerProcess& worker, bool stopped) {
    for (int turn = 0; turn < 1000 && worker.stopped() != stopped; ++turn)
        std::this_thread::sleep_for(10ms);
    return worker.stopped() == stopped;
}

} // namespace

TEST_CASE("a worker that somebody has stopped is known as that, and is no longer once it goes on", "[worker]") {
    auto worker = WorkerProcess::spawn(-1);
    CHECK_FALSE(worker.stopped());
    REQUIRE(kill(worker.pid(), SIGSTOP) == 0);
    CHECK(becomes(worker, true));
    CHECK(worker.stopped()); // looking takes nothing away
    CHECK_FALSE(worker.ended());
    REQUIRE(kill(worker.pid(), SIGCONT) == 0);
    CHECK(becomes(worker, false));
}

TEST_CASE("a worker that is ended is dead and reaped, also one that is stopped", "[worker]") {
    auto worker = WorkerProcess::spawn(-1);
    REQUIRE(kill(worker.pid(), SIGSTOP) == 0);
    CHECK(becomes(worker, true));
    worker.end();
    CHECK(kill(worker.pid(), 0) != 0);
    CHECK(worker.ended() == "killed by signal 9 (Killed)");
    worker.end(); // nothing more
}

TEST_CASE("a client that waits for an address does so until it is interrupted", "[worker]") {
    const auto memory = ResultsMemory::create({}, RunClock{});
    auto worker = WorkerProcess::spawn(memory.descriptor());
    WorkerJob job;
    job.role = Role::client;
    job.module_path = fixture_path("none");
    job.module_id = "fixture";
    job.module_version = "1.2.3";
    job.message_size = 64;
    job.count = 1;
    worker.channel().send({{"type", "job"}, {"job", job.to_json()}});
    // What it calls meanwhile is told as well.
    const auto receive = [&](std::chrono::milliseconds limit) {
        auto message = worker.channel().receive(limit);
        while (message && text_field(*message, "type") == "calls")
            message = worker.channel().receive(limit);
        return message;
    };
    const auto complaint = receive(200ms);
    INFO((complaint ? text_field(*complaint, "type") : ""));
    REQUIRE_FALSE(complaint);
    worker.channel().send({{"type", "interrupt"}});
    const auto answer = receive(120s);
    REQUIRE(answer);
    CHECK(text_field(*answer, "type") == "error");
    CHECK(text_field(*answer, "text") == "the coordinator ended the run");
}

// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "run/direction_run.hpp"

#include <functional>
#include <memory>
#include <stop_token>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

using namespace ipcmark;

namespace {

// A server that says that it has failed, does not leave, and is long in dying once it is killed: it still writes.
class SlowToDie : public WorkerLink {
public:
    explicit SlowToDie(ResultsMemory& memory) : SlowToDie(memory, make_control_pair()) {}

    ControlChannel& channel() noexcept override { return ours_; }
    [[nodiscard]] int end_descriptor() const noexcept override { return -1; }
    std::optional<std::string> ended() override {
        if (!killed_ || ++looks_ < 5)
            return std::nullopt;
        Slot& slot = memory_.slot(Role::server, 0);
        slot.received = slot.latency.min_ns = slot.latency.max_ns = slot.latency.sum_ns = 1;
        slot.last_receive_tick = 1000;
        memory_.counts(Role::server, 0)[1] = 1;
        return "killed by signal 9";
    }
    void kill() noexcept override {
        killed_ = true;
        CHECK(memory_.header().stop.load() == 1);
    }

private:
    SlowToDie(ResultsMemory& memory, ControlPair pair)
        : memory_(memory), ours_(std::move(pair.ours)), theirs_(std::move(pair.theirs)) {
        theirs_.send({{"type", "error"}, {"kind", "run"}, {"status", IPCMARK_SYSTEM}, {"text", "it has failed"}});
    }

    ResultsMemory& memory_;
    ControlChannel ours_;
    ControlChannel theirs_;
    bool killed_ = false;
    int looks_ = 0;
};

// A server whose module writes to its connection, and which ends when nobody listens any more.
class Rambler : public WorkerLink {
public:
    explicit Rambler(bool& killed) : Rambler(killed, make_control_pair()) {}

    ControlChannel& channel() noexcept override { return ours_; }
    [[nodiscard]] int end_descriptor() const noexcept override { return -1; }
    std::optional<std::string> ended() override {
        char heard[4096];
        ssize_t got = 1;
        while (got > 0)
            got = recv(theirs_.get(), heard, sizeof heard, MSG_DONTWAIT);
        return killed_ || got == 0 ? std::optional<std::string>("exit code 1") : std::nullopt;
    }
    void kill() noexcept override { killed_ = true; }

private:
    Rambler(bool& killed, ControlPair pair)
        : killed_(killed), ours_(std::move(pair.ours)), theirs_(std::move(pair.theirs)) {
        REQUIRE(write(theirs_.get(), "text\n", 5) == 5);
    }

    bool& killed_;
    ControlChannel ours_;
    UniqueFd theirs_;
};

// A server of another program, which says nothing.
class Mute : public WorkerLink {
public:
    Mute() : Mute(make_control_pair()) {}

    ControlChannel& channel() noexcept override { return ours_; }
    [[nodiscard]] int end_descriptor() const noexcept override { return -1; }
    std::optional<std::string> ended() override { return std::nullopt; }
    void kill() noexcept override {}
    [[nodiscard]] std::string address() const override { return "unix:there"; }

private:
    explicit Mute(ControlPair pair) : ours_(std::move(pair.ours)), theirs_(std::move(pair.theirs)) {}

    ControlChannel ours_;
    UniqueFd theirs_;
};

DirectionOutcome outcome_of(const std::function<std::unique_ptr<WorkerLink>(ResultsMemory&)>& make_server,
                            std::stop_token stop = {}) {
    TestPlan plan;
    plan.mechanism = "slow";
    const RunClock clock;
    Observer observer;
    DirectionRequest request;
    request.plan = &plan;
    request.direction = Direction::one_way;
    request.clock = &clock;
    request.observer = &observer;
    request.client_job.message_size = request.server_job.message_size = 64;
    request.client_job.count = 10;
    request.client_job.role = Role::client;
    request.client_job.module_path = "/no/such/module.so";
    request.make_server = make_server;
    request.stop = std::move(stop);
    return run_direction(request);
}

} // namespace

TEST_CASE("what a killed worker leaves is read when it is dead", "[direction]") {
    const DirectionOutcome outcome =
        outcome_of([](ResultsMemory& memory) { return std::make_unique<SlowToDie>(memory); });
    CHECK(outcome.failure == "it has failed");
    REQUIRE(outcome.result);
    CHECK(outcome.result->throughput.total_messages == 1);
    CHECK(outcome.result->partial);
}

TEST_CASE("a worker that talks nonsense is not listened to any more, and goes", "[direction]") {
    bool killed = false;
    const DirectionOutcome outcome = outcome_of([&](ResultsMemory&) { return std::make_unique<Rambler>(killed); });
    REQUIRE(outcome.failure);
    CHECK(outcome.failure->find("the server worker of module 'slow' sent nonsense") == 0);
    CHECK_FALSE(killed);
}

TEST_CASE("a server in another program that does not even leave when it is told to is what failed", "[direction]") {
    std::stop_source stop;
    stop.request_stop();
    const DirectionOutcome outcome =
        outcome_of([](ResultsMemory&) { return std::make_unique<Mute>(); }, stop.get_token());
    CHECK(outcome.failure == "the server at unix:there does not answer any more");
}

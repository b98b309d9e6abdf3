// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "measure/receiver.hpp"

#include <algorithm>
#include <array>
#include <vector>

using namespace ipcmark;

namespace {

constexpr std::size_t message_bytes = 64;

struct Sent {
    std::uint64_t sequence;
    std::uint64_t stamp;
    bool damaged = false;
};

// A server's side of one endpoint, in memory of its own.
struct Side {
    explicit Side(std::uint64_t warmup)
        : memory(ResultsMemory::create(ResultsLayout{}, RunClock{})), context(context_of(warmup)), receiver(context) {}

    LoopContext context_of(std::uint64_t warmup) {
        LoopContext made;
        made.settings.direction = Direction::one_way;
        made.settings.size = message_bytes;
        made.settings.warmup = warmup;
        made.memory = &memory;
        return made;
    }

    ResultsMemory memory;
    LoopContext context;
    Receiver receiver;
};

struct Batch {
    explicit Batch(const std::vector<Sent>& sent) : bytes(sent.size()) {
        for (std::size_t at = 0; at < sent.size(); ++at) {
            write_envelope(bytes[at].data(), message_bytes, sent[at].stamp, sent[at].sequence);
            if (sent[at].damaged)
                bytes[at].back() ^= 1;
            messages.push_back({bytes[at].data(), message_bytes, message_bytes});
        }
    }
    std::vector<std::array<std::uint8_t, message_bytes>> bytes;
    std::vector<ipcmark_rx_message> messages;
};

void check_same(const Side& one, const Side& other) {
    const Slot& a = one.memory.slot(Role::server, 0);
    const Slot& b = other.memory.slot(Role::server, 0);
    CHECK(a.received.load() == b.received.load());
    CHECK(a.consumed.load() == b.consumed.load());
    CHECK(a.last_receive_tick.load() == b.last_receive_tick.load());
    CHECK(a.latency.min_ns == b.latency.min_ns);
    CHECK(a.latency.max_ns == b.latency.max_ns);
    CHECK(a.latency.sum_ns == b.latency.sum_ns);
    CHECK(a.lost == b.lost);
    CHECK(a.duplicated == b.duplicated);
    CHECK(a.reordered == b.reordered);
    CHECK(a.corrupted == b.corrupted);
    CHECK(a.backwards == b.backwards);
    CHECK(std::ranges::equal(one.memory.counts(Role::server, 0), other.memory.counts(Role::server, 0)));
}

} // namespace

TEST_CASE("messages taken as a batch count as they do one by one", "[receiver]") {
    const auto warmup = GENERATE(std::uint64_t{0}, std::uint64_t{3});
    std::vector<std::vector<Sent>> calls{
        {{0, 10}, {1, 10}, {2, 10}, {3, 10}, {4, 11}, {5, 11}}, // two calls of the sender
        {{6, 400}, {7, 400}, {9, 400}, {10, 400}, {8, 400}},    // one late
        {{11, 5000}, {12, 5000, true}, {13, 5000}, {13, 5000}}, // one damaged, one double
        {{14, 900'000}, {15, 900'000}, {20, 7}, {21, 7}},       // later than it was received; a gap
    };
    Side single(warmup);
    Side batched(warmup);
    std::uint64_t now = 50;
    for (const auto& call : calls) {
        Batch batch(call);
        for (const auto& message : batch.messages)
            single.receiver.take(static_cast<const std::uint8_t*>(message.data), message.size, now);
        CHECK(batched.receiver.take_batch(batch.messages, now) == batch.messages.size());
        now *= 20;
    }
    single.receiver.finish(nullptr);
    batched.receiver.finish(nullptr);
    CHECK(single.memory.slot(Role::server, 0).lost == 4);
    CHECK(single.memory.slot(Role::server, 0).corrupted == 1);
    CHECK(single.memory.slot(Role::server, 0).reordered == 1);
    CHECK(single.memory.slot(Role::server, 0).duplicated == 1);
    CHECK(single.memory.slot(Role::server, 0).backwards == 2);
    check_same(single, batched);
}

TEST_CASE("a batch ends at the message that ends the run", "[receiver]") {
    Side side(0);
    Batch batch({{0, 1}, {1, 1}, {2 | end_flag, 0}, {77, 1}});
    CHECK(side.receiver.take_batch(batch.messages, 5) == 2);
    CHECK(side.memory.slot(Role::server, 0).received.load() == 2);
}

TEST_CASE("a message of another size in a batch is counted as corrupted, and the rest is taken", "[receiver]") {
    Side side(0);
    Batch batch({{0, 1}, {1, 1}, {2, 1}});
    batch.messages[1].size = 40;
    CHECK(side.receiver.take_batch(batch.messages, 5) == 3);
    side.receiver.finish(nullptr);
    CHECK(side.memory.slot(Role::server, 0).received.load() == 2);
    CHECK(side.memory.slot(Role::server, 0).corrupted == 1);
}

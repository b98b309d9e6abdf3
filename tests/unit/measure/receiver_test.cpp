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
    explicit Side(std::uint64_t warmup, std::size_t size = message_bytes)
        : memory(ResultsMemory::create(ResultsLayout{}, RunClock{})), context(context_of(warmup, size)),
          receiver(context) {}

    LoopContext context_of(std::uint64_t warmup, std::size_t size) {
        LoopContext made;
        made.settings.direction = Direction::one_way;
        made.settings.size = size;
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
            bytes[at].fill(message_fill);
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

TEST_CASE("short messages that are lost, doubled or late are counted as what they are", "[receiver]") {
    const auto size = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{8}, std::size_t{15}, std::size_t{64});
    Side side(0, size);
    std::vector<std::uint8_t> message(size, message_fill);
    const auto take = [&](std::uint64_t sequence) {
        write_envelope(message.data(), size, 1, sequence);
        REQUIRE_FALSE(side.receiver.is_end(message.data(), size));
        side.receiver.take(message.data(), size, 5);
    };
    for (std::uint64_t sequence = 0; sequence < 1000; ++sequence)
        take(sequence);
    take(999);  // double
    take(1003); // 1000 to 1002 are missing
    take(1001); // late
    side.memory.slot(Role::client, 0).sent = 1006;
    write_envelope(message.data(), size, 0, 1006 | end_flag);
    REQUIRE(side.receiver.is_end(message.data(), size));
    side.receiver.finish(message.data());
    const Slot& slot = side.memory.slot(Role::server, 0);
    CHECK(slot.duplicated == 1);
    CHECK(slot.reordered == 1);
    CHECK(slot.lost == 4); // 1000, 1002, 1004 and 1005
    CHECK(slot.corrupted == 0);
    CHECK(slot.received.load() == 1002);
}

TEST_CASE("a damaged message is counted and is no sample", "[receiver]") {
    Side side(0);
    Batch batch({{0, 1}, {1, 1, true}, {2, 1}, {3 | end_flag, 0}});
    for (std::size_t at = 0; at < 3; ++at)
        side.receiver.take(batch.bytes[at].data(), message_bytes, 5);
    side.receiver.finish(nullptr);
    const Slot& slot = side.memory.slot(Role::server, 0);
    CHECK(slot.corrupted == 1);
    CHECK(slot.received.load() == 2);
    CHECK(slot.lost == 0);
}

TEST_CASE("memory that no message reached is found at the end of the run", "[receiver]") {
    Side side(0);
    std::vector<std::uint8_t> message(message_bytes, receive_fill);
    write_envelope(message.data(), message_bytes, 1, 0);
    side.receiver.take(message.data(), message_bytes, 5);
    side.memory.slot(Role::client, 0).sent = 1;
    write_envelope(message.data(), message_bytes, 0, 1 | end_flag);
    side.receiver.finish(message.data());
    CHECK(side.memory.slot(Role::server, 0).corrupted == 1);
}

TEST_CASE("an end mark that the other end of the message does not have is damage", "[receiver]") {
    Side side(0);
    std::vector<std::uint8_t> message(message_bytes, message_fill);
    write_envelope(message.data(), message_bytes, 1, 0);
    message[15] ^= 0x80;
    REQUIRE(has_end_mark(message.data(), message_bytes));
    CHECK_FALSE(side.receiver.is_end(message.data(), message_bytes));
    side.receiver.take(message.data(), message_bytes, 5);
    side.receiver.finish(nullptr);
    const Slot& slot = side.memory.slot(Role::server, 0);
    CHECK(slot.corrupted == 1);
    CHECK(slot.lost == 0);
}

TEST_CASE("an end that says more than was sent is damage, not loss", "[receiver]") {
    constexpr std::size_t without_tail = 16;
    Side side(2, without_tail);
    side.memory.slot(Role::client, 0).sent = 7;
    std::vector<std::uint8_t> message(without_tail, 0xff);
    REQUIRE(side.receiver.is_end(message.data(), without_tail));
    side.receiver.finish(message.data());
    const Slot& slot = side.memory.slot(Role::server, 0);
    CHECK(slot.corrupted == 1);
    CHECK(slot.lost == 9); // two of the warm-up, which had not ended
}

TEST_CASE("what the warm-up damaged does not count among the measured", "[receiver]") {
    Side side(2);
    Batch batch({{0, 1, true}, {1, 1}, {2, 1}});
    for (const auto& bytes : batch.bytes)
        side.receiver.take(bytes.data(), message_bytes, 5);
    side.receiver.finish(nullptr);
    CHECK(side.memory.slot(Role::server, 0).corrupted == 0);
    CHECK(side.memory.slot(Role::server, 0).received.load() == 1);
}

TEST_CASE("what the warm-up lost or doubled does not count among the measured", "[receiver]") {
    Side side(6);
    // 1 is lost, 2 a double, 3 late; 5 comes after the first measured message.
    Batch batch({{0, 1}, {2, 1}, {2, 1}, {4, 1}, {3, 1}, {6, 1}, {5, 1}, {8, 1}, {8, 1}, {7, 1}});
    for (const auto& bytes : batch.bytes)
        side.receiver.take(bytes.data(), message_bytes, 5);
    side.receiver.finish(nullptr);
    const Slot& slot = side.memory.slot(Role::server, 0);
    CHECK(slot.received.load() == 3);
    CHECK(slot.lost == 0);
    CHECK(slot.duplicated == 1);
    CHECK(slot.reordered == 1);
}

TEST_CASE("CPUs of the warm-up are none of the window's") {
    Side side(2);
    Slot& slot = side.memory.slot(Role::server, 0);
    constexpr unsigned elsewhere = 15; // of the words: no machine of these tests has such CPUs
    slot.cpus_used[elsewhere] = 1;
    slot.messages_by_cpu[0] = {elsewhere * 64, 7};
    const Batch batch({{0, 100}, {1, 100}, {2, 100}});
    for (int at : {0, 1, 2})
        side.receiver.take(batch.bytes[at].data(), message_bytes, 200);
    CHECK(slot.cpus_used[elsewhere] == 0);
    CHECK(std::any_of(slot.cpus_used.begin(), slot.cpus_used.end(), [](auto word) { return word != 0; }));
}

TEST_CASE("each measured message counts for a CPU that the thread was on") {
    Side side(2);
    const Slot& slot = side.memory.slot(Role::server, 0);
    const Batch batch({{0, 100}, {1, 100}, {2, 100}, {3, 100}, {4, 100}});
    for (const auto& bytes : batch.bytes)
        side.receiver.take(bytes.data(), message_bytes, 200);
    side.receiver.finish(nullptr);
    std::uint64_t messages = 0;
    for (const CpuMessages& entry : slot.messages_by_cpu) {
        messages += entry.messages;
        CHECK((entry.messages == 0 || (slot.cpus_used[entry.cpu / 64] >> (entry.cpu % 64) & 1U) != 0));
    }
    CHECK(messages == 3);
}

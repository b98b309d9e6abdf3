// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "measure/envelope.hpp"
#include "measure/recorder.hpp"
#include "measure/results_memory.hpp"

#include <ipcmark/run.hpp>

#include <array>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace ipcmark;

namespace {

RunClock one_tick_is_one_ns() {
    return RunClock{};
}

} // namespace

TEST_CASE("what one mapping writes another reads, and every part has its own place", "[results]") {
    ResultsLayout layout;
    layout.endpoints = 3;
    layout.uncorrected = layout.stamp_rings = layout.sample_rings = true;
    const ResultsMemory ours = ResultsMemory::create(layout, one_tick_is_one_ns());
    const ResultsMemory theirs = ResultsMemory::open(dup(ours.descriptor()));
    std::uint64_t mark = 1;
    for (const Role role : {Role::server, Role::client}) {
        for (unsigned endpoint = 0; endpoint < 3; ++endpoint) {
            ours.slot(role, endpoint).sent = mark++;
            ours.counts(role, endpoint).back() = mark++;
            ours.uncorrected_counts(role, endpoint).front() = mark++;
        }
    }
    for (unsigned endpoint = 0; endpoint < 3; ++endpoint) {
        ours.stamps(endpoint).back() = mark++;
        ours.samples(endpoint).back().tick = mark++;
    }
    mark = 1;
    for (const Role role : {Role::server, Role::client}) {
        for (unsigned endpoint = 0; endpoint < 3; ++endpoint) {
            CHECK(theirs.slot(role, endpoint).sent == mark++);
            CHECK(theirs.counts(role, endpoint).back() == mark++);
            CHECK(theirs.uncorrected_counts(role, endpoint).front() == mark++);
        }
    }
    for (unsigned endpoint = 0; endpoint < 3; ++endpoint) {
        CHECK(theirs.stamps(endpoint).back() == mark++);
        CHECK(theirs.samples(endpoint).back().tick == mark++);
    }
}

TEST_CASE("the memory keeps its size, whatever a worker does", "[results]") {
    const ResultsMemory memory = ResultsMemory::create({}, one_tick_is_one_ns());
    CHECK(ftruncate(memory.descriptor(), 0) != 0);
    CHECK(ftruncate(memory.descriptor(), 1 << 30) != 0);
    CHECK(fcntl(memory.descriptor(), F_ADD_SEALS, F_SEAL_WRITE) != 0);
}

TEST_CASE("every part stays where it was when a worker has written over the shape", "[results]") {
    ResultsLayout layout;
    layout.endpoints = 2;
    layout.uncorrected = layout.stamp_rings = layout.sample_rings = true;
    const ResultsMemory ours = ResultsMemory::create(layout, one_tick_is_one_ns());
    const ResultsMemory theirs = ResultsMemory::open(dup(ours.descriptor()));
    const auto places = [&] {
        return std::vector<const void*>{&ours.slot(Role::client, 1), ours.counts(Role::client, 1).data(),
                                        ours.uncorrected_counts(Role::client, 1).data(), ours.stamps(1).data(),
                                        ours.samples(1).data()};
    };
    const auto before = places();
    CHECK(ours.intact());
    static_cast<ResultsShape&>(theirs.header()) = {};
    CHECK_FALSE(ours.intact());
    CHECK(places() == before);
    CHECK(ours.shape().endpoints == 2);
    CHECK(ours.scale().ns_per_tick_q32 == one_tick_is_one_ns().scale.ns_per_tick_q32);
}

TEST_CASE("memory of another shape is refused", "[results]") {
    const int descriptor = memfd_create("not-results", MFD_CLOEXEC);
    REQUIRE(ftruncate(descriptor, 1 << 20) == 0);
    CHECK_THROWS_AS(ResultsMemory::open(descriptor), RunError);
}

TEST_CASE("a recorder leaves in memory what a histogram is made of", "[results]") {
    const ResultsMemory memory = ResultsMemory::create({}, one_tick_is_one_ns());
    Slot& slot = memory.slot(Role::client, 0);
    Recorder recorder(slot, memory.counts(Role::client, 0), {}, memory.scale(), {});
    Histogram expected;
    for (std::uint64_t value : {5U, 70U, 70U, 123'456U}) {
        recorder.record(1'000'000, 1'000'000 + value, 0);
        expected.record(value);
    }
    const Histogram histogram(memory.counts(Role::client, 0), slot.latency.min_ns, slot.latency.max_ns,
                              static_cast<double>(slot.latency.sum_ns));
    CHECK(histogram.total_count() == 4);
    CHECK(slot.received == 4);
    CHECK(slot.last_receive_tick == 1'123'456);
    CHECK(histogram.min_ns() == 5);
    CHECK(histogram.max_ns() == 123'456);
    CHECK(histogram.mean_ns() == expected.mean_ns());
    CHECK(histogram.std_dev_ns() == Approx(expected.std_dev_ns()).epsilon(1e-3));
    CHECK(slot.backwards == 0);
    recorder.record(2000, 1990, 0);
    CHECK(slot.backwards == 1);
}

TEST_CASE("samples that do not fit their ring are counted, not waited for", "[results]") {
    ResultsLayout layout;
    layout.sample_rings = true;
    const ResultsMemory memory = ResultsMemory::create(layout, one_tick_is_one_ns());
    Slot& slot = memory.slot(Role::client, 0);
    Recorder recorder(slot, memory.counts(Role::client, 0), {}, memory.scale(), memory.samples(0));
    for (std::uint64_t number = 0; number < sample_ring_entries + 7; ++number)
        recorder.record(0, 10, number);
    CHECK(slot.samples_dropped == 7);
    CHECK(slot.samples_head == sample_ring_entries);
}

TEST_CASE("an envelope comes out as it went in, at every size", "[envelope]") {
    std::array<std::uint8_t, 64> message{};
    for (std::size_t size = 1; size <= message.size(); ++size) {
        const std::uint64_t sequence = 0x0102030405060708U;
        write_envelope(message.data(), size, 42, sequence);
        if (size >= envelope_bytes) {
            CHECK(read_stamp(message.data()) == 42);
            CHECK(read_sequence(message.data()) == sequence);
        } else {
            CHECK(read_short_sequence(message.data(), size, sequence) == sequence);
        }
        CHECK(is_echo(message.data(), size, size, 42, sequence));
        CHECK_FALSE(is_echo(message.data(), size, size, 42, sequence + 1));
        CHECK_FALSE(has_end_mark(message.data(), size));
        CHECK(tail_matches(message.data(), size, sequence));
        if (size >= tailed_bytes) {
            message[size - 1] ^= 1;
            CHECK_FALSE(tail_matches(message.data(), size, sequence));
        }
        write_envelope(message.data(), size, 0, sequence | end_flag);
        CHECK(has_end_mark(message.data(), size));
    }
}

TEST_CASE("a short message is the one nearest to the expected that has its low bits", "[envelope]") {
    std::array<std::uint8_t, 64> message{};
    for (const std::size_t size : {1U, 2U, 7U, 8U, 15U}) {
        for (const std::uint64_t sequence : {0ULL, 1ULL, 60ULL, 127ULL, 128ULL, 1000ULL, 1ULL << 40}) {
            write_envelope(message.data(), size, 0, sequence);
            for (const std::uint64_t behind : {0ULL, 1ULL, 63ULL}) {
                CHECK(read_short_sequence(message.data(), size, sequence + behind) == sequence);
                if (sequence >= behind)
                    CHECK(read_short_sequence(message.data(), size, sequence - behind) == sequence);
            }
        }
    }
}

TEST_CASE("what fills a message is looked at between its two ends", "[envelope]") {
    for (const std::size_t size : {1U, 16U, 24U, 25U, 200U}) {
        std::vector<std::uint8_t> message(size, message_fill);
        write_envelope(message.data(), size, 42, 7);
        CHECK(body_intact(message.data(), size));
        if (size > tailed_bytes) {
            message[envelope_bytes] ^= 1;
            CHECK_FALSE(body_intact(message.data(), size));
        }
    }
}

TEST_CASE("ticks and nanoseconds convert both ways", "[clock]") {
    const RunClock clock = set_up_clock(ClockChoice::automatic);
    CHECK(clock.info.frequency_hz > 1e6);
    CHECK(clock.info.overhead_ns > 0);
    for (std::uint64_t ns : {1000ULL, 1'000'000ULL, 3'600'000'000'000ULL})
        CHECK(static_cast<double>(clock.scale.to_ns(clock.scale.to_ticks(ns))) ==
              Approx(static_cast<double>(ns)).epsilon(1e-2));
    CHECK(set_up_clock(ClockChoice::monotonic).info.source == "monotonic");
}

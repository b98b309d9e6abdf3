// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "measure/sequence_tracker.hpp"

#include <memory>
#include <random>
#include <set>

using ipcmark::SequenceTracker;

TEST_CASE("messages in order are all new", "[sequence]") {
    SequenceTracker tracker(5);
    for (std::uint64_t sequence = 5; sequence < 1000; ++sequence)
        REQUIRE(tracker.arrived(sequence));
    CHECK(tracker.lost() == 0);
    CHECK(tracker.duplicated() == 0);
    CHECK(tracker.reordered() == 0);
}

TEST_CASE("a gap is lost until its messages come late", "[sequence]") {
    SequenceTracker tracker(0);
    tracker.arrived(0);
    CHECK(tracker.arrived(4));
    CHECK(tracker.lost() == 3);
    CHECK(tracker.arrived(2));
    CHECK(tracker.lost() == 2);
    CHECK(tracker.reordered() == 1);
    CHECK_FALSE(tracker.arrived(2));
    CHECK(tracker.duplicated() == 1);
    CHECK(tracker.arrived(1));
    CHECK(tracker.arrived(3));
    CHECK(tracker.lost() == 0);
    CHECK(tracker.reordered() == 3);
}

TEST_CASE("what the sender says it sent and did not come is lost", "[sequence]") {
    SequenceTracker tracker(0);
    tracker.arrived(0);
    tracker.ended_at(10);
    CHECK(tracker.lost() == 9);
}

TEST_CASE("any mixture is counted as a set would count it", "[sequence]") {
    std::mt19937 random(20260101);
    for (int round = 0; round < 50; ++round) {
        SequenceTracker tracker(0);
        std::set<std::uint64_t> seen;
        std::uint64_t duplicated = 0;
        std::uint64_t next = 0;
        for (int step = 0; step < 400; ++step) {
            std::uint64_t sequence = next;
            switch (random() % 8) {
            case 0: // lose up to three
                sequence = next += random() % 4;
                break;
            case 1: // something from the last 20
                sequence = next > 20 ? next - 1 - random() % 20 : next;
                break;
            default:
                break;
            }
            next = std::max(next, sequence + 1);
            const bool is_new = seen.insert(sequence).second;
            duplicated += is_new ? 0 : 1;
            REQUIRE(tracker.arrived(sequence) == is_new);
        }
        tracker.ended_at(next);
        CHECK(tracker.duplicated() == duplicated);
        CHECK(tracker.lost() == next - seen.size());
    }
}

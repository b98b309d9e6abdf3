// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ipcmark::check {

class Context;
class Channel;

// Which wait policies a test is run with: the first that was asked for, or each of them.
enum class Waits { one, each };
// Whether a test needs a peer. A module without one (IPCMARK_CAP_LOOPBACK) skips the others.
enum class Peers { needed, none };

// One test of the conformance run. `run` is called in a process of its own; where there is a `peer`, run starts further
// processes of the same program that call it (peer.hpp).
struct Test {
    const char* id;     // "group.name"
    const char* proves; // one sentence: what it proves, and why that matters
    void (*run)(Context&) = nullptr;
    void (*peer)(Context&, Channel&) = nullptr;
    std::uint32_t capabilities = 0; // IPCMARK_CAP_* that the module must claim, or the test is skipped
    const char* extension = nullptr;
    Waits waits = Waits::one;
    Peers peers = Peers::needed;
    std::chrono::seconds limit{60};
};

// The tests of one group, in the order in which they are run.
std::span<const Test> loading_tests();
std::span<const Test> options_tests();
std::span<const Test> lifecycle_tests();
std::span<const Test> messages_tests();
std::span<const Test> sizes_tests();
std::span<const Test> duplex_tests();
std::span<const Test> concurrency_tests();
std::span<const Test> interrupt_tests();
std::span<const Test> peer_death_tests();
std::span<const Test> claims_tests();
std::span<const Test> pollfd_tests();
std::span<const Test> loan_tests();
std::span<const Test> batch_tests();
std::span<const Test> short_structs_tests();
std::span<const Test> leaks_tests();
std::span<const Test> threads_tests();
std::span<const Test> waiting_tests();

// All of them.
[[nodiscard]] const std::vector<Test>& all_tests();
// Null if there is none of that id.
[[nodiscard]] const Test* find_test(const std::string& id);

} // namespace ipcmark::check

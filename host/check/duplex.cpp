// SPDX-License-Identifier: Apache-2.0
// Both directions of one endpoint.
#include "host/check/peer.hpp"

#include <array>

namespace ipcmark::check {
namespace {

void ping_pong_flow(Wire& wire, bool begins) {
    const auto most = wire.context().at_most(4096);
    for (std::uint64_t i = 0; i < wire.context().rounds(3000); ++i) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(most, 8 + i % 500));
        if (begins) {
            wire.send_message(i, size);
        }
        wire.recv_message(i, size);
        if (!begins) {
            wire.send_message(i, size);
        }
    }
}
constexpr Flow ping_pong{.spec = {}, .run = ping_pong_flow};

// Both sides send four, then both receive four: eight are under way, four each way.
void crossing_flow(Wire& wire, bool side) {
    constexpr std::uint64_t outstanding = 4;
    const std::uint64_t own = side ? 1'000'000 : 2'000'000;
    const std::uint64_t other = side ? 2'000'000 : 1'000'000;
    for (std::uint64_t round = 0; round < wire.context().rounds(500); ++round) {
        for (std::uint64_t i = 0; i < outstanding; ++i) {
            wire.send_message(own + round * outstanding + i, 100);
        }
        for (std::uint64_t i = 0; i < outstanding; ++i) {
            wire.recv_message(other + round * outstanding + i, 100);
        }
    }
}
constexpr Flow crossing{.spec = {}, .run = crossing_flow};

// A window that moves: the echo side answers each message while more come.
void window_flow(Wire& wire, bool begins) {
    constexpr std::uint64_t window = 4;
    const auto count = wire.context().rounds(4000);
    for (std::uint64_t i = 0; i < (begins ? count + window : count); ++i) {
        if (begins) {
            if (i < count) {
                wire.send_message(i, 64);
            }
            if (i >= window) {
                wire.recv_message(i - window, 64);
            }
        } else {
            wire.recv_message(i, 64);
            wire.send_message(i, 64);
        }
    }
}
constexpr Flow window{.spec = {}, .run = window_flow};

constexpr std::array tests{
    Test{.id = "duplex.ping_pong",
         .proves = "A round trip works with either side beginning, three thousand times, in all sizes; it is what is "
                   "measured most.",
         .run = run_flow<ping_pong>,
         .peer = peer_flow<ping_pong>,
         .waits = Waits::each},
    Test{.id = "duplex.crossing",
         .proves = "Messages of both directions that cross each other do not touch each other.",
         .run = run_flow<crossing>,
         .peer = peer_flow<crossing>,
         .waits = Waits::each},
    Test{.id = "duplex.window",
         .proves = "Several round trips outstanding on one endpoint keep their order.",
         .run = run_flow<window>,
         .peer = peer_flow<window>,
         .waits = Waits::each},
};

} // namespace

std::span<const Test> duplex_tests() {
    return tests;
}

} // namespace ipcmark::check

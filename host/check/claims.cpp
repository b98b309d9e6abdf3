// SPDX-License-Identifier: Apache-2.0
// Whether the capability bits are true.
#include "host/check/blocked.hpp"
#include "host/check/peer.hpp"
#include "host/check/process_state.hpp"
#include "host/check/task.hpp"
#include "host/check/waiting_call.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

// Faster than the reader for a while, in the size that fills buffers, then slower.
void reliable_flow(Wire& wire, bool sends) {
    const auto count = wire.context().rounds(30'000);
    const auto size = static_cast<std::size_t>(wire.context().at_most(1024));
    if (!sends) {
        usleep(100'000);
    }
    Bytes buffer(size + 64);
    std::vector<bool> seen(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        if (sends) {
            wire.send_message(i, size);
            continue;
        }
        const auto got = wire.recv(buffer);
        const auto number = sequence_of(got);
        require(got.size() == size && number < count && is_intact(got, number),
                fmt::format("message number {} that arrived is damaged", i));
        require(!seen[number], fmt::format("message {} arrived twice", number));
        seen[number] = true;
    }
    // The last word is the reader's, so that no end of a process hides a loss.
    sends ? wire.recv_message(count, 64) : wire.send_message(count, 64);
}
constexpr Flow reliable{.spec = {}, .run = reliable_flow};

// Order without reliability: what arrives has rising numbers.
void ordered_flow(Wire& wire, bool sends) {
    constexpr std::uint64_t count = 20'000;
    Bytes buffer(256);
    std::uint64_t last = 0;
    for (std::uint64_t i = 1; i <= count && last < count; ++i) {
        if (sends) {
            wire.send_message(i, 64 + i % 64);
            continue;
        }
        const auto number = sequence_of(wire.recv(buffer));
        require(number > last, fmt::format("message {} arrived after message {}", number, last));
        last = number;
        if (!wire.context().has(IPCMARK_CAP_RELIABLE) && i > count / 100) {
            break;
        }
    }
}
constexpr Flow ordered{.spec = {}, .run = ordered_flow};

// Each side sends on one thread and receives on another, all four at full speed.
void four_threads(Wire& wire, std::uint64_t own, std::uint64_t other) {
    const auto count = wire.context().rounds(10'000);
    const auto size = static_cast<std::size_t>(wire.context().at_most(512));
    Sandbox::step("send and recv on two threads at once");
    Task sending([&] {
        Bytes out(size);
        for (std::uint64_t i = 0; i < count; ++i) {
            fill(out, own + i);
            wire.send(out);
        }
    });
    Task receiving([&] {
        Bytes in(size + 64);
        for (std::uint64_t i = 0; i < count; ++i) {
            verify(wire.context(), wire.recv(in), other + i, size);
        }
    });
    sending.join("the sending half");
    receiving.join("the receiving half");
}

void tx_rx_flow(Wire& wire, bool side) {
    four_threads(wire, side ? 1'000'000 : 2'000'000, side ? 2'000'000 : 1'000'000);
}
constexpr Flow tx_rx{.spec = {}, .run = tx_rx_flow};

void loopback(Context& context) {
    const auto spec = fitted(context, {});
    const auto listener = context.listen(1, spec.max_message_size);
    const auto where = context.address(listener);
    for (const bool accepted : {true, false}) {
        Wire wire(context, accepted ? context.accept(listener, spec) : context.connect(where, spec));
        for (std::uint64_t i = 0; i < 5000; ++i) {
            const auto size = static_cast<std::size_t>(8 + i % 1000);
            wire.send_message(i, size);
            wire.recv_message(i, size);
        }
        for (std::uint64_t i = 0; i < 3; ++i) {
            wire.send_message(i, 64);
        }
        for (std::uint64_t i = 0; i < 3; ++i) {
            wire.recv_message(i, 64);
        }
        Bytes buffer(64);
        std::size_t size = 0;
        ipcmark_status status = IPCMARK_OK;
        Task task([&] { status = wire.try_recv(buffer, size); });
        require(!task.done_within(std::chrono::milliseconds(30)), "recv returned with nothing to receive");
        wire.interrupt(IPCMARK_CANCELLED);
        require(task.done_within(context.hang_limit()), "recv did not return after an interrupt");
        context.expect(status, IPCMARK_CANCELLED, wire.get(), "an interrupted recv");
    }
}

// Without the folder that it says it needs it must fail with words; with it, nothing may be left outside (leaks.names).
void scratch_dir(Context& context) {
    auto params = context.listen_params(1, 64);
    params.scratch_dir = nullptr;
    ListenerHandle listener;
    const auto status = context.try_listen(params, listener);
    if (status != IPCMARK_OK) {
        require(!context.describe(status, nullptr).empty(), "listen without a scratch folder fails without a text");
    }
}

// The address must mean something to a process that shares no memory, queues or files with the listener.
void cross_host(Context& context) {
    Link link(context, fitted(context, {}));
    link.wire.send_message(1, 64);
    link.wire.recv_message(2, 64);
    link.finish();
}

void cross_host_peer(Context& context, Channel& channel) {
    (void)context.module();
    const auto network_before = std::filesystem::read_symlink("/proc/self/ns/net");
    if (unshare_all_but_network()) {
        require(network_before == std::filesystem::read_symlink("/proc/self/ns/net"), "the network must be shared");
    }
    Joined joined(context, channel);
    joined.wire.recv_message(1, 64);
    joined.wire.send_message(2, 64);
    joined.finish();
}

// limits names how many messages fit into one direction; the host allows windows up to that, and one that does not fit
// would leave both sides waiting for room.
void in_flight(Context& context) {
    const auto spec = fitted(context, {.max_message_size = 1024});
    const auto params = context.listen_params(1, spec.max_message_size);
    ipcmark_limits limits{};
    limits.size = sizeof limits;
    context.expect(context.table().limits(&params, &limits), IPCMARK_OK, nullptr, "limits");
    if (limits.max_in_flight == 0) {
        skip("limits names no number of messages under way");
    }
    Link link(context, spec);
    const auto count = std::min<std::uint64_t>(limits.max_in_flight, 20'000);
    send_unreceived(link.wire, count, static_cast<std::size_t>(spec.max_message_size),
                    fmt::format("limits says that {} messages may be under way, and send waits for the receiver sooner",
                                limits.max_in_flight));
    link.finish();
}

constexpr std::array tests{
    Test{.id = "claims.reliable",
         .proves =
             "No message is lost or doubled, however much faster the sender is: else results count what never came.",
         .run = run_flow<reliable>,
         .peer = peer_flow<reliable>,
         .capabilities = IPCMARK_CAP_RELIABLE,
         .waits = Waits::each},
    Test{.id = "claims.ordered",
         .proves = "What arrives, arrives in the order of sending.",
         .run = run_flow<ordered>,
         .peer = peer_flow<ordered>,
         .capabilities = IPCMARK_CAP_ORDERED},
    Test{.id = "claims.tx_rx_threads",
         .proves =
             "Sending and receiving run on two threads of one endpoint at full speed, without a lock between them "
             "that could bring both sides to a stand.",
         .run = run_flow<tx_rx>,
         .peer = peer_flow<tx_rx>,
         .capabilities = IPCMARK_CAP_TX_RX_THREADS | IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE,
         .waits = Waits::each,
         .limit = std::chrono::seconds(180)},
    Test{.id = "claims.in_flight",
         .proves = "As many messages as limits names fit into one direction before send waits: the host believes it.",
         .run = in_flight,
         .peer = idle_peer,
         .capabilities = IPCMARK_CAP_RELIABLE},
    Test{.id = "claims.loopback",
         .proves = "What an endpoint sends it receives itself, in order, and a recv of nothing can be interrupted.",
         .run = loopback,
         .capabilities = IPCMARK_CAP_LOOPBACK,
         .waits = Waits::each,
         .peers = Peers::none},
    Test{.id = "claims.scratch_dir",
         .proves = "A module that needs a scratch folder and gets none fails with words.",
         .run = scratch_dir,
         .capabilities = IPCMARK_CAP_SCRATCH_DIR,
         .peers = Peers::none},
    Test{.id = "claims.cross_host",
         .proves = "The address works for a process that shares no shared memory, queues or mounts with the listener.",
         .run = cross_host,
         .peer = cross_host_peer,
         .capabilities = IPCMARK_CAP_CROSS_HOST},
};

} // namespace

std::span<const Test> claims_tests() {
    return tests;
}

} // namespace ipcmark::check

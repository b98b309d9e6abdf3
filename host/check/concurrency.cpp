// SPDX-License-Identifier: Apache-2.0
// Several endpoints at the same time.
#include "host/check/peer.hpp"
#include "host/check/task.hpp"

#include <array>
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

constexpr std::uint32_t dependable = IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE;
constexpr std::uint32_t wanted_endpoints = 4;

std::uint32_t endpoint_count(Context& context) {
    const auto most = context.limits().max_endpoints;
    const auto count = most == 0 ? wanted_endpoints : std::min(most, wanted_endpoints);
    if (count < 2) {
        skip("the module has only one endpoint at a time");
    }
    return count;
}

// Each endpoint has a range of numbers of its own, so that a message that goes astray is known by it.
void traffic(Wire& wire, std::uint32_t index, bool sends) {
    const std::uint64_t base = std::uint64_t{index + 1} << 32;
    const auto most = wire.context().at_most(1024);
    for (std::uint64_t i = 0; i < wire.context().rounds(1500); ++i) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(most, 64 + (i % 8) * 128));
        sends ? wire.send_message(base + i, size) : wire.recv_message(base + i, size);
        if (i % 100 == 99) {
            sends ? wire.recv_message(base + i, 64) : wire.send_message(base + i, 64);
        }
    }
}

// Larger than buffers are, so that each endpoint stops in the middle of a message while others go on; the receivers are
// slow by turns.
constexpr std::uint64_t large_size = std::uint64_t{1} << 20;
constexpr std::uint64_t large_count = 5;
void large_traffic(Wire& wire, std::uint32_t index, bool sends) {
    const std::uint64_t base = std::uint64_t{index + 1} << 32;
    const auto size = static_cast<std::size_t>(wire.context().at_most(large_size));
    for (std::uint64_t i = 0; i < large_count; ++i) {
        if (!sends && i % wanted_endpoints == index) {
            usleep(10'000);
        }
        sends ? wire.send_message(base + i, size) : wire.recv_message(base + i, size);
    }
}

struct Traffic {
    std::uint64_t max_message_size;
    void (*run)(Wire& wire, std::uint32_t index, bool sends);
};
constexpr Traffic mixed{1024, traffic};
constexpr Traffic large{large_size, large_traffic};

// One thread for each endpoint.
void all_at_once(std::vector<Wire>& wires, bool sends, const Traffic& kind) {
    std::vector<std::unique_ptr<Task>> tasks;
    for (std::uint32_t i = 0; i < wires.size(); ++i) {
        tasks.push_back(std::make_unique<Task>([&wires, i, sends, &kind] { kind.run(wires[i], i, sends); }));
    }
    for (auto& task : tasks) {
        task->join("the traffic of one endpoint");
    }
}

template <const Traffic& kind> void endpoints(Context& context) {
    const auto count = endpoint_count(context);
    for (const bool sends : {true, false}) {
        auto spec = fitted(context, {.max_message_size = kind.max_message_size});
        const auto listener = context.listen(count, spec.max_message_size);
        Peer peer(context);
        peer.channel().put(Setup{spec.mirrored(), sends ? 0U : 1U});
        peer.channel().put(count);
        peer.channel().put_bytes(context.address(listener));
        std::vector<Wire> wires;
        for (spec.index = 0; spec.index < count; ++spec.index) {
            wires.emplace_back(context, context.accept(listener, spec));
        }
        Sandbox::step("traffic on several endpoints at once");
        all_at_once(wires, sends, kind);
        peer.finish();
    }
}

template <const Traffic& kind> void endpoints_peer(Context& context, Channel& channel) {
    const auto setup = channel.get<Setup>();
    const auto count = channel.get<std::uint32_t>();
    const auto where = channel.get_bytes();
    auto spec = setup.spec;
    std::vector<Wire> wires;
    for (spec.index = 0; spec.index < count; ++spec.index) {
        wires.emplace_back(context, context.connect(where, spec));
    }
    all_at_once(wires, setup.argument != 0, kind);
    channel.signal();
    channel.wait();
}

// More than a fixed table of a few would hold, unless limits names it.
constexpr std::uint32_t many_endpoints = 64;

void many(Context& context) {
    const auto most = context.limits().max_endpoints;
    const auto count = most == 0 ? many_endpoints : std::min(most, many_endpoints);
    auto spec = fitted(context, {.max_message_size = 64});
    ListenerHandle listener;
    const auto status = context.try_listen(context.listen_params(count, spec.max_message_size), listener);
    if (status == IPCMARK_LIMIT) {
        skip(fmt::format("a limit of the system: {}", context.describe(status, nullptr)));
    }
    context.expect(status, IPCMARK_OK, nullptr, fmt::format("listen for {} endpoints", count));
    Peer peer(context);
    peer.channel().put(Setup{spec.mirrored(), count});
    peer.channel().put_bytes(context.address(listener));
    std::vector<Wire> wires;
    for (spec.index = 0; spec.index < count; ++spec.index) {
        EndpointHandle endpoint;
        const auto accepted = context.try_accept(listener, spec, endpoint);
        if (accepted == IPCMARK_LIMIT) {
            skip(fmt::format("a limit of the system: {}", context.describe(accepted, listener.get())));
        }
        context.expect(accepted, IPCMARK_OK, listener.get(),
                       fmt::format("accept number {} of {}, which limits allows", spec.index + 1, count));
        wires.emplace_back(context, std::move(endpoint));
    }
    for (std::uint64_t i = 0; i < count; ++i) {
        wires[i].send_message(i, 64);
    }
    for (std::uint64_t i = 0; i < count; ++i) {
        wires[i].recv_message(i, 64);
    }
    peer.finish();
}

void many_peer(Context& context, Channel& channel) {
    const auto setup = channel.get<Setup>();
    const auto where = channel.get_bytes();
    auto spec = setup.spec;
    std::vector<Wire> wires;
    for (spec.index = 0; spec.index < setup.argument; ++spec.index) {
        EndpointHandle endpoint;
        const auto status = context.try_connect(where, spec, endpoint);
        if (status == IPCMARK_LIMIT) {
            skip(fmt::format("a limit of the system: {}", context.describe(status, nullptr)));
        }
        context.expect(status, IPCMARK_OK, nullptr,
                       fmt::format("connect number {} of {}, which limits allows", spec.index + 1, setup.argument));
        wires.emplace_back(context, std::move(endpoint));
    }
    for (std::uint64_t i = 0; i < wires.size(); ++i) {
        wires[i].recv_message(i, 64);
        wires[i].send_message(i, 64);
    }
    channel.signal();
    channel.wait();
}

// Two listeners with a peer each, as two runs in one process.
void two_runs(Context& context) {
    Link first(context, fitted(context, {}));
    Link second(context, fitted(context, {}));
    for (std::uint64_t i = 0; i < context.rounds(500); ++i) {
        first.wire.send_message(i, 64);
        second.wire.send_message(10'000 + i, 64);
        first.wire.recv_message(i, 64);
        second.wire.recv_message(10'000 + i, 64);
    }
    first.finish();
    second.finish();
}

void echo_500_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    Bytes buffer(256);
    for (std::uint64_t i = 0; i < context.rounds(500); ++i) {
        joined.wire.send(joined.wire.recv(buffer));
    }
    joined.finish();
}

// Two processes connect to one listener at the same moment.
void two_connectors(Context& context) {
    const auto count = std::min(endpoint_count(context), 2U);
    auto spec = fitted(context, {});
    for (int round = 0; round < 5; ++round) {
        const auto listener = context.listen(count, spec.max_message_size);
        Peer first(context);
        Peer second(context);
        const auto where = context.address(listener);
        for (auto* peer : {&first, &second}) {
            peer->channel().put(Setup{spec.mirrored()});
            peer->channel().put_bytes(where);
        }
        std::vector<Wire> wires;
        for (std::uint32_t i = 0; i < count; ++i) {
            auto own = spec;
            own.index = i;
            wires.emplace_back(context, context.accept(listener, own));
        }
        for (auto* peer : {&first, &second}) {
            peer->channel().wait();
        }
        for (std::uint64_t i = 0; i < context.rounds(500); ++i) {
            for (std::uint64_t wire = 0; wire < wires.size(); ++wire) {
                wires[wire].send_message(i * 2 + wire, 64);
            }
            for (std::uint64_t wire = 0; wire < wires.size(); ++wire) {
                wires[wire].recv_message(i * 2 + wire, 64);
            }
        }
        for (auto* peer : {&first, &second}) {
            peer->finish();
        }
    }
}

constexpr std::array tests{
    Test{.id = "concurrency.endpoints",
         .proves = "Four endpoints with a thread each on both sides carry their own messages only, at the same time.",
         .run = endpoints<mixed>,
         .peer = endpoints_peer<mixed>,
         .capabilities = dependable,
         .waits = Waits::each,
         .limit = std::chrono::seconds(180)},
    Test{.id = "concurrency.large_messages",
         .proves = "Each of four endpoints remembers for itself how far its message has come, whoever has to wait.",
         .run = endpoints<large>,
         .peer = endpoints_peer<large>,
         .capabilities = dependable},
    Test{.id = "concurrency.many_endpoints",
         .proves = "Sixty-four endpoints, or as many as limits allows, are made of one listener and work.",
         .run = many,
         .peer = many_peer,
         .capabilities = dependable},
    Test{.id = "concurrency.two_runs",
         .proves = "Two listeners with a peer each work side by side in one process.",
         .run = two_runs,
         .peer = echo_500_peer},
    Test{.id = "concurrency.two_connectors",
         .proves = "Two processes that connect at the same moment get an endpoint each.",
         .run = two_connectors,
         .peer = echo_500_peer},
};

} // namespace

std::span<const Test> concurrency_tests() {
    return tests;
}

} // namespace ipcmark::check

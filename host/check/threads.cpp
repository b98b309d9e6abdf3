// SPDX-License-Identifier: Apache-2.0
// The thread tags of module.h.
#include "host/check/allocation_count.hpp"
#include "host/check/peer.hpp"
#include "host/check/silence.hpp"
#include "host/check/task.hpp"

#include <array>
#include <atomic>
#include <cstring>

#include <fmt/format.h>

namespace ipcmark::check {
namespace {

using namespace std::chrono_literals;

ipcmark_error last_error(Context& context) {
    ipcmark_error error{};
    error.size = sizeof error;
    context.table().last_error(nullptr, &error);
    return error;
}

// Two failures on two threads, one after the other: each thread is told of its own.
void last_error_of_each_thread(Context& context) {
    auto spec = fitted(context, {});
    spec.timeout_ns = 200'000'000;
    auto listener = context.listen(1, spec.max_message_size);
    const auto where = context.address(listener);
    listener.reset();

    ipcmark_error own{};
    ipcmark_status own_status = IPCMARK_OK;
    Task first([&] {
        EndpointHandle endpoint;
        own_status = context.try_connect(where, spec, endpoint);
        own = last_error(context);
    });
    first.join("connect to nobody");
    require(own_status != IPCMARK_OK, "connect to nobody returned ok");

    std::atomic<int> turn{0};
    ipcmark_error before{};
    ipcmark_error after{};
    Task second([&] {
        EndpointHandle endpoint;
        (void)context.try_connect(where, spec, endpoint);
        before = last_error(context);
        turn = 1;
        while (turn != 2) {
            std::this_thread::yield();
        }
        after = last_error(context);
    });
    while (turn != 1) {
        std::this_thread::yield();
    }
    // A failure of another kind, on this thread.
    EndpointHandle endpoint;
    const auto other_status = context.try_connect({}, spec, endpoint);
    require(other_status != IPCMARK_OK, "connect to an empty address returned ok");
    const auto other = last_error(context);
    turn = 2;
    second.join("connect to nobody");
    require(other.status == other_status, fmt::format("last_error says {} after a connect that returned {}",
                                                      status_name(other.status), status_name(other_status)));
    require(after.status == before.status && std::strcmp(after.text, before.text) == 0,
            fmt::format("a thread that failed with \"{}\" is told \"{}\", the failure of another thread", before.text,
                        after.text));
}

// Made on one thread, used on a second and third, closed on a fourth.
void moves_between_threads(Context& context) {
    Link link(context, fitted(context, {}));
    Task sending([&] {
        for (std::uint64_t i = 0; i < 100; ++i) {
            link.wire.send_message(i, 64);
        }
    });
    sending.join("send on a second thread");
    Task receiving([&] {
        for (std::uint64_t i = 0; i < 100; ++i) {
            link.wire.recv_message(i, 64);
        }
    });
    receiving.join("recv on a third thread");
    Task closing([&] { link.wire.close(); });
    closing.join("close on a fourth thread");
    link.finish();
}

void moves_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    for (std::uint64_t i = 0; i < 100; ++i) {
        joined.wire.recv_message(i, 64);
    }
    for (std::uint64_t i = 0; i < 100; ++i) {
        joined.wire.send_message(i, 64);
    }
    joined.finish();
}

// An accept that waits keeps nobody from making, using and closing other listeners and endpoints.
void control_beside_accept(Context& context) {
    const auto waiting = context.listen();
    auto spec = fitted(context, {});
    spec.timeout_ns = 0;
    ipcmark_status status = IPCMARK_OK;
    EndpointHandle nobody;
    Task accepting([&] { status = context.try_accept(waiting, spec, nobody); });
    require(!accepting.done_within(50ms), "accept returned with nobody there");
    Task working([&] { (void)context.limits(); });
    require(working.done_within(context.hang_limit()), "limits waits while another thread is in accept");
    // The peer listens, so that this side calls connect while its own accept waits.
    Peer peer(context);
    const auto common = fitted(context, {});
    peer.channel().put(Setup{common.mirrored(), 0, true});
    const auto where = peer.channel().get_bytes();
    EndpointHandle endpoint;
    Task connecting([&] { endpoint = context.connect(where, common); });
    require(connecting.done_within(context.hang_limit()), "connect waits while another thread is in accept");
    peer.channel().wait();
    Wire wire(context, std::move(endpoint));
    Task traffic([&] {
        for (std::uint64_t i = 0; i < 100; ++i) {
            wire.send_message(i, 64);
        }
        for (std::uint64_t i = 0; i < 100; ++i) {
            wire.recv_message(i, 64);
        }
        wire.close();
    });
    require(traffic.done_within(context.hang_limit()), "an endpoint is held up while another thread is in accept");
    peer.finish();
    context.table().interrupt_listener(waiting.get(), IPCMARK_CANCELLED);
    require(accepting.done_within(context.hang_limit()), "accept did not return after an interrupt");
    context.expect(status, IPCMARK_CANCELLED, waiting.get(), "an interrupted accept");
}

// One endpoint waits in recv while others come and go.
void endpoints_beside_recv(Context& context) {
    Link waiting(context, fitted(context, {}), 1);
    Bytes buffer(64);
    std::size_t size = 0;
    ipcmark_status status = IPCMARK_OK;
    Task receiving([&] { status = waiting.wire.try_recv(buffer, size); });
    require(!receiving.done_within(30ms), "recv returned with nothing to receive");
    for (int i = 0; i < 3; ++i) {
        Link other(context, fitted(context, {}));
        for (std::uint64_t number = 0; number < 100; ++number) {
            other.wire.send_message(number, 64);
        }
        for (std::uint64_t number = 0; number < 100; ++number) {
            other.wire.recv_message(number, 64);
        }
        other.finish();
    }
    waiting.wire.interrupt(IPCMARK_CANCELLED);
    require(receiving.done_within(context.hang_limit()), "recv did not return after an interrupt");
    context.expect(status, IPCMARK_CANCELLED, waiting.wire.get(), "an interrupted recv");
    waiting.finish();
}

void endpoints_beside_recv_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    for (std::uint64_t i = 0; joined.setup.argument == 0 && i < 100; ++i) {
        joined.wire.recv_message(i, 64);
    }
    for (std::uint64_t i = 0; joined.setup.argument == 0 && i < 100; ++i) {
        joined.wire.send_message(i, 64);
    }
    joined.finish();
}

// Thousands of messages: what is told of every thousandth is told in a measurement, too.
void hot_flow(Wire& wire, bool begins) {
    auto& context = wire.context();
    Silence silence;
    std::uint64_t number = 0;
    for (; number < 1000; ++number) {
        if (begins) {
            wire.send_message(number, 64);
        }
        wire.recv_message(number, 64);
        if (!begins) {
            wire.send_message(number, 64);
        }
    }
    const bool can_stream = context.has(IPCMARK_CAP_RELIABLE) && context.has(IPCMARK_CAP_ORDERED);
    for (const auto end = can_stream ? context.long_run(5000) : number; number < end; ++number) {
        begins ? wire.send_message(number, 64) : wire.recv_message(number, 64);
    }
    silence.require("send and recv");
}
constexpr Flow hot{.spec = {}, .run = hot_flow};

// A call into the module, with what it allocated.
ipcmark_status counted_send(Wire& wire, std::span<const std::byte> data, AllocationCount& count) {
    const auto send = wire.context().table().send;
    const CountAllocations counting(count);
    return send(wire.get(), data.data(), data.size());
}

ipcmark_status counted_recv(Wire& wire, std::span<std::byte> into, std::size_t& size, AllocationCount& count) {
    const auto recv = wire.context().table().recv;
    const CountAllocations counting(count);
    return recv(wire.get(), into.data(), into.size(), &size);
}

// From the very first message: module.h makes no exception of it.
void lean_flow(Wire& wire, bool begins) {
    auto& context = wire.context();
    constexpr std::uint64_t most = 1000;
    const auto count = context.rounds(most);
    AllocationCount sending;
    AllocationCount receiving;
    Bytes buffer(64);
    const auto send_one = [&](std::uint64_t i) {
        fill(buffer, i);
        context.expect(counted_send(wire, buffer, sending), IPCMARK_OK, wire.get(), "send of 64 bytes");
    };
    for (std::uint64_t i = 0; i < count; ++i) {
        if (begins) {
            send_one(i);
        }
        std::size_t size = 0;
        context.expect(counted_recv(wire, buffer, size, receiving), IPCMARK_OK, wire.get(), "recv");
        require(size == buffer.size(), fmt::format("recv gave a size of {} for a message of 64", size));
        verify(context, buffer, i, size);
        if (!begins) {
            send_one(i);
        }
    }
    require_no_allocation(sending, "send");
    require_no_allocation(receiving, "recv");
}
constexpr Flow lean{.spec = {}, .run = lean_flow};

constexpr std::array tests{
    Test{.id = "threads.last_error_of_each_thread",
         .proves = "last_error tells each thread of its own failure; another's would send the user the wrong way.",
         .run = last_error_of_each_thread},
    Test{.id = "threads.moves_between_threads",
         .proves = "An endpoint made on one thread works on another and is closed on a third, one at a time.",
         .run = moves_between_threads,
         .peer = moves_peer},
    Test{.id = "threads.control_beside_accept",
         .proves = "An accept that waits holds up neither limits nor other endpoints on other threads.",
         .run = control_beside_accept,
         .peer = moves_peer},
    Test{.id = "threads.endpoints_beside_recv",
         .proves = "Endpoints come, work and go while another one waits in recv.",
         .run = endpoints_beside_recv,
         .peer = endpoints_beside_recv_peer},
    Test{.id = "threads.hot_is_quiet",
         .proves =
             "send and recv neither log nor print, not once in seventy thousand messages: what they do is measured.",
         .run = run_flow<hot>,
         .peer = peer_flow<hot>},
    Test{.id = "threads.hot_does_not_allocate",
         .proves = "send and recv neither allocate nor free nor map memory, not even for the first message: what they "
                   "do is measured.",
         .run = run_flow<lean>,
         .peer = peer_flow<lean>,
         .waits = Waits::each},
};

} // namespace

std::span<const Test> threads_tests() {
    return tests;
}

} // namespace ipcmark::check

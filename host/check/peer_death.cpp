// SPDX-License-Identifier: Apache-2.0
// The peer is killed, closes or stops, whatever either side is doing.
#include "host/check/blocked.hpp"
#include "host/check/peer.hpp"
#include "host/check/task.hpp"

#include <array>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

using namespace std::chrono_literals;

// What the peer does until it is killed.
enum class Busy : std::uint64_t { idle, in_recv, in_send, streaming, large_message, sent_five, echo, closing };

constexpr std::uint64_t large = std::uint64_t{4} << 20;

void peer_that_dies(Context& context, Channel& channel) {
    Joined joined(context, channel);
    auto& wire = joined.wire;
    switch (static_cast<Busy>(joined.setup.argument)) {
    case Busy::idle:
        break;
    case Busy::in_recv: {
        Bytes buffer(joined.setup.spec.max_message_size);
        std::size_t size = 0;
        while (wire.try_recv(buffer, size) == IPCMARK_OK) {
        }
        break;
    }
    case Busy::in_send:
    case Busy::streaming:
        for (std::uint64_t i = 0; wire.try_send(message(i, 256)) == IPCMARK_OK; ++i) {
        }
        break;
    case Busy::large_message:
        channel.signal();
        (void)wire.try_send(message(0, static_cast<std::size_t>(joined.setup.spec.max_message_size)));
        break;
    case Busy::sent_five:
        for (std::uint64_t i = 0; i < 5; ++i) {
            wire.send_message(i, 64);
        }
        channel.signal();
        break;
    case Busy::echo:
        for (std::uint64_t i = 0; i < 300; ++i) {
            wire.recv_message(i, 64);
            wire.send_message(i, 64);
        }
        joined.finish();
        return;
    case Busy::closing:
        wire.close();
        break;
    }
    pause();
}

std::uint64_t as_argument(Busy busy) {
    return static_cast<std::uint64_t>(busy);
}

// Receives until a recv fails; every message before that must be intact and in its place.
ipcmark_status drain(Wire& wire, std::uint64_t& next, std::size_t size) {
    Bytes buffer(size + 64);
    for (;; ++next) {
        std::size_t got = 0;
        const auto status = wire.try_recv(buffer, got);
        if (status != IPCMARK_OK) {
            return status;
        }
        verify(wire.context(), std::span(buffer).first(got), next, size);
    }
}

void expect_gone(Context& context, Task& task, const ipcmark_status& status, const std::string& what) {
    require(task.done_within(context.hang_limit()), fmt::format("{} did not return after the death of the peer", what));
    context.expect(status, IPCMARK_PEER_GONE, nullptr, what);
}

void recv_waits(Context& context, Busy busy) {
    for (const auto listening : {Listening::here, Listening::peer}) {
        Link link(context, fitted(context, {}), as_argument(busy), listening);
        Bytes buffer(64);
        std::size_t size = 0;
        ipcmark_status status = IPCMARK_OK;
        Sandbox::step("recv while the peer dies");
        Task task([&] { status = link.wire.try_recv(buffer, size); });
        if (busy != Busy::closing) {
            require(!task.done_within(30ms), "recv returned with nothing to receive");
            link.peer.kill();
        }
        expect_gone(context, task, status, "a recv that waits");
        Task again([&] { status = link.wire.try_recv(buffer, size); });
        expect_gone(context, again, status, "the recv after that");
    }
}

void recv_idle(Context& context) {
    recv_waits(context, Busy::idle);
}
void recv_both_wait(Context& context) {
    recv_waits(context, Busy::in_recv);
}
void recv_closing(Context& context) {
    recv_waits(context, Busy::closing);
}

void send_waits(Context& context) {
    for (const auto listening : {Listening::here, Listening::peer}) {
        Link link(context, fitted(context, {}), as_argument(Busy::idle), listening);
        Filler filler(link.wire);
        filler.until_blocked();
        link.peer.kill();
        const auto status =
            filler.end_within(context.hang_limit(), "a send that waits did not return after the peer's death");
        context.expect(status, IPCMARK_PEER_GONE, nullptr, "a send that waits");
    }
}

void send_after(Context& context) {
    Link link(context, fitted(context, {}), as_argument(Busy::idle));
    link.peer.kill();
    Filler filler(link.wire);
    const auto status = filler.end_within(context.hang_limit(), "send to a dead peer goes on and on");
    context.expect(status, IPCMARK_PEER_GONE, nullptr, "send to a dead peer");
}

void both_sending(Context& context) {
    Link link(context, fitted(context, {}), as_argument(Busy::in_send));
    Filler filler(link.wire);
    filler.until_blocked();
    link.peer.kill();
    const auto status = filler.end_within(context.hang_limit(),
                                          "a send that waits did not return after the death of a peer that waited in "
                                          "send, too");
    context.expect(status, IPCMARK_PEER_GONE, nullptr, "a send that waits");
}

void drained(Context& context) {
    Link link(context, fitted(context, {}), as_argument(Busy::sent_five));
    link.peer.channel().wait();
    link.peer.kill();
    std::uint64_t next = 0;
    ipcmark_status status = IPCMARK_OK;
    Task task([&] { status = drain(link.wire, next, 64); });
    expect_gone(context, task, status, "recv after all was received");
    require(next == 5, fmt::format("the dead peer had sent 5 messages and {} were received before peer_gone", next));
}

void streaming(Context& context) {
    for (int round = 0; round < 6; ++round) {
        Link link(context, fitted(context, {}), as_argument(Busy::streaming));
        std::uint64_t next = 0;
        ipcmark_status status = IPCMARK_OK;
        Sandbox::step("receiving a stream whose sender dies");
        Task task([&] { status = drain(link.wire, next, 256); });
        usleep(static_cast<useconds_t>(500 + 2500 * round));
        link.peer.kill();
        expect_gone(context, task, status, "recv in a stream whose sender died");
    }
}

void stream_to_the_dead(Context& context) {
    for (int round = 0; round < 4; ++round) {
        Link link(context, fitted(context, {}), as_argument(Busy::in_recv));
        Filler filler(link.wire);
        usleep(static_cast<useconds_t>(500 + 2500 * round));
        link.peer.kill();
        const auto status =
            filler.end_within(context.hang_limit(), "send in a stream whose receiver died goes on and on");
        context.expect(status, IPCMARK_PEER_GONE, nullptr, "send in a stream whose receiver died");
    }
}

void mid_message(Context& context) {
    for (int round = 0; round < 4; ++round) {
        const auto spec = fitted(context, {.max_message_size = large});
        Link link(context, spec, as_argument(Busy::large_message));
        link.peer.channel().wait();
        usleep(static_cast<useconds_t>(10'000 + 200 * round));
        if (round % 2 == 0) {
            link.peer.kill();
        }
        std::uint64_t next = 0;
        ipcmark_status status = IPCMARK_OK;
        Task task([&] { status = drain(link.wire, next, static_cast<std::size_t>(spec.max_message_size)); });
        usleep(static_cast<useconds_t>(100 * round));
        link.peer.kill();
        expect_gone(context, task, status, "recv of a message whose sender died in its middle");
    }
}

void before_accept(Context& context) {
    auto spec = fitted(context, {});
    const auto listener = context.listen(1, spec.max_message_size);
    Peer peer(context);
    peer.channel().put(Setup{spec.mirrored(), as_argument(Busy::idle)});
    peer.channel().put_bytes(context.address(listener));
    usleep(50'000); // it has connected, or waits to be accepted
    peer.kill();
    spec.timeout_ns = 500'000'000;
    EndpointHandle endpoint;
    ipcmark_status status = IPCMARK_OK;
    Task task([&] { status = context.try_accept(listener, spec, endpoint); });
    require(task.done_within(context.hang_limit()), "accept did not return, after a peer had connected and died");
    if (status != IPCMARK_OK) {
        require(
            status == IPCMARK_TIMED_OUT || status == IPCMARK_PEER_GONE,
            fmt::format("accept of a peer that had connected and died returned {}; an endpoint that says peer_gone, "
                        "or timed_out, is right",
                        context.describe(status, listener.get())));
        return;
    }
    Wire wire(context, std::move(endpoint));
    Bytes buffer(64);
    std::size_t size = 0;
    Task receiving([&] { status = wire.try_recv(buffer, size); });
    expect_gone(context, receiving, status, "recv from a peer that had connected and died");
}

void listener_dies(Context& context) {
    auto spec = fitted(context, {});
    Peer peer(context);
    peer.channel().put(Setup{spec.mirrored(), as_argument(Busy::idle), true});
    const auto where = peer.channel().get_bytes();
    peer.kill();
    spec.timeout_ns = 500'000'000;
    EndpointHandle endpoint;
    ipcmark_status status = IPCMARK_OK;
    Task task([&] { status = context.try_connect(where, spec, endpoint); });
    require(task.done_within(context.hang_limit()), "connect to a listener that was killed did not return");
    require(status == IPCMARK_NOT_CONNECTED || status == IPCMARK_TIMED_OUT || status == IPCMARK_PEER_GONE,
            fmt::format("connect to a listener that was killed returned {}; not_connected is right",
                        context.describe(status, nullptr)));
}

void stopped(Context& context) {
    Link link(context, fitted(context, {}), as_argument(Busy::echo));
    for (std::uint64_t i = 0; i < 300; ++i) {
        if (i == 100) {
            link.peer.stop();
        }
        link.wire.send_message(i, 64);
        if (i != 100) {
            link.wire.recv_message(i, 64);
            continue;
        }
        Sandbox::step("recv while the peer is stopped");
        Task task([&] { link.wire.recv_message(i, 64); });
        require(!task.done_within(1s), "recv returned while the peer was stopped");
        link.peer.go_on();
        require(task.done_within(context.hang_limit()), "recv did not return after the peer went on");
    }
    link.finish();
}

void interrupt_after(Context& context) {
    Link link(context, fitted(context, {}), as_argument(Busy::idle));
    Bytes buffer(64);
    std::size_t size = 0;
    ipcmark_status status = IPCMARK_OK;
    Task task([&] { status = link.wire.try_recv(buffer, size); });
    link.peer.kill();
    (void)task.done_within(50ms);
    link.wire.interrupt(IPCMARK_CANCELLED);
    require(task.done_within(context.hang_limit()), "recv from a dead peer did not return after an interrupt");
    require(status == IPCMARK_PEER_GONE || status == IPCMARK_CANCELLED,
            fmt::format("recv from a dead peer returned {}", context.describe(status, link.wire.get())));
}

void others_live(Context& context) {
    Link dying(context, fitted(context, {}), as_argument(Busy::idle));
    Link living(context, fitted(context, {}), as_argument(Busy::echo));
    for (std::uint64_t i = 0; i < 300; ++i) {
        if (i == 100) {
            dying.peer.kill();
        }
        living.wire.send_message(i, 64);
        living.wire.recv_message(i, 64);
    }
    living.finish();
}

constexpr std::uint32_t sees_death = IPCMARK_CAP_PEER_DEATH;
constexpr std::uint32_t sees_death_in_order = IPCMARK_CAP_PEER_DEATH | IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE;

constexpr std::array tests{
    Test{.id = "peer_death.recv",
         .proves = "A recv that waits returns peer_gone when the peer is killed, on the listener's side and on the "
                   "connector's.",
         .run = recv_idle,
         .peer = peer_that_dies,
         .capabilities = sees_death,
         .waits = Waits::each},
    Test{.id = "peer_death.recv_of_both",
         .proves = "The same with a peer that is killed while it waits in recv itself.",
         .run = recv_both_wait,
         .peer = peer_that_dies,
         .capabilities = sees_death,
         .waits = Waits::each},
    Test{.id = "peer_death.closed",
         .proves = "A peer that closes its endpoint and lives on is gone, too.",
         .run = recv_closing,
         .peer = peer_that_dies,
         .capabilities = sees_death,
         .waits = Waits::each},
    Test{.id = "peer_death.send",
         .proves = "A send that waits for room returns peer_gone when the peer is killed, and no SIGPIPE comes.",
         .run = send_waits,
         .peer = peer_that_dies,
         .capabilities = sees_death,
         .waits = Waits::each},
    Test{.id = "peer_death.send_of_both",
         .proves = "The same with a peer that is killed while it waits in send itself.",
         .run = both_sending,
         .peer = peer_that_dies,
         .capabilities = sees_death,
         .waits = Waits::each},
    Test{.id = "peer_death.send_after",
         .proves = "Sending to a peer that is dead already ends with peer_gone.",
         .run = send_after,
         .peer = peer_that_dies,
         .capabilities = sees_death,
         .waits = Waits::each},
    Test{.id = "peer_death.drained",
         .proves = "What the dead peer had sent is received first: what was measured is kept.",
         .run = drained,
         .peer = peer_that_dies,
         .capabilities = sees_death_in_order,
         .waits = Waits::each},
    Test{.id = "peer_death.streaming",
         .proves = "A sender killed at any moment of a stream leaves no damaged message, and then peer_gone.",
         .run = streaming,
         .peer = peer_that_dies,
         .capabilities = sees_death_in_order,
         .waits = Waits::each},
    Test{.id = "peer_death.stream_to_the_dead",
         .proves = "A receiver killed at any moment of a stream ends the sender with peer_gone.",
         .run = stream_to_the_dead,
         .peer = peer_that_dies,
         .capabilities = sees_death,
         .waits = Waits::each},
    Test{.id = "peer_death.mid_message",
         .proves = "A message whose sender was killed in its middle is never handed out.",
         .run = mid_message,
         .peer = peer_that_dies,
         .capabilities = sees_death_in_order,
         .waits = Waits::each},
    Test{.id = "peer_death.before_accept",
         .proves = "A peer that connects and dies before it is accepted does not hang the listener.",
         .run = before_accept,
         .peer = peer_that_dies,
         .capabilities = sees_death},
    Test{.id = "peer_death.listener",
         .proves = "Connecting to a listener that was killed fails, and soon.",
         .run = listener_dies,
         .peer = peer_that_dies},
    Test{.id = "peer_death.stopped",
         .proves = "A peer that is stopped for a second and goes on is not dead, and nothing is lost.",
         .run = stopped,
         .peer = peer_that_dies,
         .waits = Waits::each},
    Test{.id = "peer_death.interrupt_after",
         .proves = "Whatever a transport sees of a death, an interrupt ends the call that waits for the dead.",
         .run = interrupt_after,
         .peer = peer_that_dies,
         .waits = Waits::each},
    Test{.id = "peer_death.others_live",
         .proves = "The death of one peer does not touch the endpoint of another.",
         .run = others_live,
         .peer = peer_that_dies},
};

} // namespace

std::span<const Test> peer_death_tests() {
    return tests;
}

} // namespace ipcmark::check

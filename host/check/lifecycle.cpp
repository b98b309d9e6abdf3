// SPDX-License-Identifier: Apache-2.0
// Listeners and endpoints: made, used, closed, in every order.
#include "host/check/blocked.hpp"
#include "host/check/peer.hpp"
#include "host/check/task.hpp"
#include "host/check/waiting_call.hpp"

#include <ipcmark/ext/loan.h>
#include <ipcmark/ext/pollfd.h>

#include <array>
#include <cstring>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace ipcmark::check {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::size_t small = 64;

void ping_pong(Wire& wire, bool first, std::uint64_t rounds, std::uint64_t from = 0) {
    for (std::uint64_t i = from; i < from + rounds; ++i) {
        if (first) {
            wire.send_message(i, small);
        }
        wire.recv_message(i, small);
        if (!first) {
            wire.send_message(i, small);
        }
    }
}

void limits(Context& context) {
    // Not the same each time: the memory that is available is a limit, too.
    for (int i = 0; i < 2; ++i) {
        const auto limits = context.limits();
        require(limits.max_message_size >= 1, "max_message_size is 0");
        require(std::memchr(limits.reason, '\0', sizeof limits.reason) != nullptr, "the reason has no NUL");
        require(std::strpbrk(limits.reason, "\n\r") == nullptr, "the reason has a line feed");
        require(limits.max_message_size > (std::uint64_t{1} << 40) || limits.reason[0] != '\0',
                "max_message_size is limited and no reason says by what");
    }
}

void listen_and_close(Context& context) {
    for (int i = 0; i < 20; ++i) {
        const auto listener = context.listen(4);
        (void)context.address(listener);
    }
}

void address(Context& context) {
    const auto listener = context.listen();
    const auto whole = context.address(listener);
    require(!whole.empty(), "the address is empty");
    require(whole == context.address(listener), "the address is another one the second time");
    for (const std::size_t capacity : {std::size_t{0}, whole.size() / 2, whole.size() - 1}) {
        if (capacity >= whole.size()) {
            continue;
        }
        std::array<unsigned char, IPCMARK_ADDRESS_SIZE> buffer{};
        buffer.fill(0xA5);
        std::size_t length = 0;
        const Step step("listener_address");
        const auto status = context.table().listener_address(listener.get(), buffer.data(), capacity, &length);
        for (std::size_t i = capacity; i < buffer.size(); ++i) {
            require(buffer[i] == 0xA5, fmt::format("listener_address writes past a capacity of {} bytes", capacity));
        }
        context.expect(status, IPCMARK_TRUNCATED, listener.get(),
                       fmt::format("listener_address with a capacity of {} for {} bytes", capacity, whole.size()));
    }
}

void two_listeners(Context& context) {
    const auto first = context.listen();
    const auto second = context.listen();
    require(context.address(first) != context.address(second),
            "two listeners have one address: two runs at the same time would meet");
}

// Where an address leads must not depend on who listened last: a secret in it is no help if the name behind it is the
// same.
void earlier_listener(Context& context) {
    auto spec = fitted(context, {});
    spec.timeout_ns = static_cast<std::uint64_t>(context.hang_limit().count());
    const auto first = context.listen(1, spec.max_message_size);
    const auto second = context.listen(1, spec.max_message_size);
    for (const std::uint64_t number : {2, 1}) {
        const auto& listener = number == 1 ? first : second;
        Peer peer(context);
        peer.channel().put(Setup{spec.mirrored(), number});
        peer.channel().put_bytes(context.address(listener));
        Wire wire(context, context.accept(listener, spec, fmt::format(" on listener {} of two", number)));
        ping_pong(wire, true, 5, number * 1000);
        peer.finish();
    }
}

void earlier_listener_peer(Context& context, Channel& channel) {
    const auto setup = channel.get<Setup>();
    const auto where = channel.get_bytes();
    Wire wire(context, context.connect(where, setup.spec, fmt::format(" to listener {} of two", setup.argument)));
    ping_pong(wire, false, 5, setup.argument * 1000);
    channel.signal();
    channel.wait();
}

void connect_accept(Context& context) {
    Link link(context, fitted(context, {}));
    ping_pong(link.wire, true, 3);
    link.finish();
}

void connect_accept_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    ping_pong(joined.wire, false, 3);
    joined.finish();
}

void close_null(Context& context) {
    const auto& table = context.table();
    Sandbox::step("close(NULL)");
    table.close(nullptr);
    Sandbox::step("close_listener(NULL)");
    table.close_listener(nullptr);
}

// Each number is a state in which the peer leaves its side while this side does, too.
enum class State : std::uint64_t { at_once, unread_here, unread_there, peer_first, interrupted, polled, loaned, count };

void close_states(Context& context) {
    {
        const auto listener = context.listen();
        auto spec = fitted(context, {});
        spec.timeout_ns = 20'000'000;
        EndpointHandle nobody;
        context.expect(context.try_accept(listener, spec, nobody), IPCMARK_TIMED_OUT, listener.get(),
                       "accept with nobody there");
    }
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(State::count); ++i) {
        const auto state = static_cast<State>(i);
        auto spec = fitted(context, {});
        if ((state == State::polled && context.module().extension(IPCMARK_EXT_POLLFD) == nullptr) ||
            (state == State::loaned && context.module().extension(IPCMARK_EXT_LOAN) == nullptr)) {
            continue;
        }
        spec.flags = state == State::polled   ? std::uint32_t{IPCMARK_ENDPOINT_POLLED}
                     : state == State::loaned ? std::uint32_t{IPCMARK_ENDPOINT_LOANED}
                                              : 0;
        Link link(context, spec, i);
        if (state == State::unread_there) {
            link.wire.send_message(0, small);
        } else if (state == State::unread_here || state == State::peer_first) {
            link.peer.channel().wait();
        } else if (state == State::interrupted) {
            link.wire.interrupt(IPCMARK_CANCELLED);
        }
        Sandbox::step(fmt::format("close in state {}", i));
        link.wire.close();
        link.finish();
    }
}

void close_states_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    const auto state = static_cast<State>(joined.setup.argument);
    if (state == State::unread_here) {
        joined.wire.send_message(0, small);
        channel.signal();
    } else if (state == State::peer_first) {
        joined.wire.close();
        channel.signal();
    }
    joined.finish();
}

void endpoint_outlives_listener(Context& context) {
    Link link(context, fitted(context, {}));
    link.listener.reset();
    ping_pong(link.wire, true, 50);
    link.finish();
}

void ping_pong_50_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    ping_pong(joined.wire, false, 50);
    joined.finish();
}

std::uint32_t endpoint_count(Context& context, std::uint32_t wanted) {
    const auto most = context.limits().max_endpoints;
    return most == 0 ? wanted : std::min(most, wanted);
}

// One listener, endpoints one after the other; each carries its number.
void accept_order(Context& context) {
    const auto count = endpoint_count(context, 8);
    auto spec = fitted(context, {});
    const auto listener = context.listen(count, spec.max_message_size);
    Peer peer(context);
    peer.channel().put(Setup{spec.mirrored(), count});
    peer.channel().put_bytes(context.address(listener));
    std::vector<Wire> wires;
    for (spec.index = 0; spec.index < count; ++spec.index) {
        wires.emplace_back(context, context.accept(listener, spec));
    }
    for (std::uint32_t i = 0; i < count; ++i) {
        Bytes buffer(small * 2);
        Sandbox::step(fmt::format("recv on endpoint {}", i));
        const auto got = sequence_of(wires[i].recv(buffer));
        require(got == i, fmt::format("accept number {} gave the endpoint of connect number {}: endpoints come in the "
                                      "order of their connects",
                                      i, got));
        wires[i].send_message(100 + i, small);
    }
    peer.finish();
}

void accept_order_peer(Context& context, Channel& channel) {
    const auto setup = channel.get<Setup>();
    const auto where = channel.get_bytes();
    auto spec = setup.spec;
    std::vector<Wire> wires;
    for (spec.index = 0; spec.index < setup.argument; ++spec.index) {
        wires.emplace_back(context, context.connect(where, spec));
        wires.back().send_message(spec.index, small);
    }
    for (std::uint32_t i = 0; i < setup.argument; ++i) {
        wires[i].recv_message(100 + i, small);
    }
    channel.signal();
    channel.wait();
}

void again_and_again(Context& context) {
    Peer peer(context);
    auto spec = fitted(context, {});
    for (int round = 0; round < 30; ++round) {
        const auto listener = context.listen(1, spec.max_message_size);
        peer.channel().put(Setup{spec.mirrored(), 30});
        peer.channel().put_bytes(context.address(listener));
        Wire wire(context, context.accept(listener, spec));
        ping_pong(wire, true, 2);
        peer.channel().wait();
    }
    peer.join();
}

void again_and_again_peer(Context& context, Channel& channel) {
    for (int round = 0; round < 30; ++round) {
        const auto setup = channel.get<Setup>();
        Wire wire(context, context.connect(channel.get_bytes(), setup.spec));
        ping_pong(wire, false, 2);
        channel.signal();
    }
}

void accept_timeout(Context& context) {
    auto spec = fitted(context, {});
    const auto listener = context.listen(1, spec.max_message_size);
    auto hasty = spec;
    hasty.timeout_ns = 100'000'000;
    EndpointHandle nobody;
    ipcmark_status status = IPCMARK_OK;
    const auto begin = clock::now();
    Task task([&] { status = context.try_accept(listener, hasty, nobody); });
    require(task.done_within(context.hang_limit()), "accept of 100 ms with nobody there did not return");
    const auto time = clock::now() - begin;
    context.expect(status, IPCMARK_TIMED_OUT, listener.get(), "accept of 100 ms with nobody there");
    require(time >= 90ms, "accept gave up before the time given was over");
    // The listener is as good as before.
    Peer peer(context);
    peer.channel().put(Setup{spec.mirrored()});
    peer.channel().put_bytes(context.address(listener));
    Wire wire(context, context.accept(listener, spec));
    peer.channel().wait();
    ping_pong(wire, true, 3);
    peer.finish();
}

void connect_to_nobody(Context& context) {
    auto spec = fitted(context, {});
    auto listener = context.listen(1, spec.max_message_size);
    const auto where = context.address(listener);
    listener.reset();
    spec.timeout_ns = 300'000'000;
    EndpointHandle endpoint;
    ipcmark_status status = IPCMARK_OK;
    Task task([&] { status = context.try_connect(where, spec, endpoint); });
    require(task.done_within(context.hang_limit()), "connect with a timeout of 300 ms did not return");
    require(status == IPCMARK_NOT_CONNECTED || status == IPCMARK_TIMED_OUT,
            fmt::format("connect to an address where nobody listens any more returned {}; not_connected or timed_out "
                        "is right",
                        context.describe(status, nullptr)));
}

void connect_to_garbage(Context& context) {
    auto spec = fitted(context, {});
    spec.timeout_ns = 300'000'000;
    const auto listener = context.listen(1, spec.max_message_size);
    const auto real = context.address(listener);
    const std::vector<Address> addresses{
        {},
        Address(1, std::byte{0}),
        Address(IPCMARK_ADDRESS_SIZE, std::byte{0xff}),
        Address(real.begin(), real.begin() + static_cast<std::ptrdiff_t>(real.size() / 2)),
    };
    for (const auto& garbage : addresses) {
        if (garbage == real) {
            continue;
        }
        EndpointHandle endpoint;
        Sandbox::step(fmt::format("connect to an address of {} senseless bytes", garbage.size()));
        const auto status = context.try_connect(garbage, spec, endpoint);
        require(status != IPCMARK_OK,
                fmt::format("connect to an address of {} senseless bytes returned ok", garbage.size()));
    }
}

void check_error(Context& context, ipcmark_status status, const std::string& action) {
    ipcmark_error error{};
    error.size = sizeof error;
    std::memset(error.text, 0xA5, sizeof error.text);
    context.table().last_error(nullptr, &error);
    require(error.status == status,
            fmt::format("{} returned {}, last_error says {}", action, status_name(status), status_name(error.status)));
    const auto* end = static_cast<const char*>(std::memchr(error.text, '\0', sizeof error.text));
    require(end != nullptr, fmt::format("the text of last_error after {} has no NUL", action));
    require(end != error.text, fmt::format("the text of last_error after {} is empty", action));
    require(std::strpbrk(error.text, "\n\r") == nullptr, "the text of last_error has a line feed");
}

void errors_have_text(Context& context) {
    auto spec = fitted(context, {});
    auto listener = context.listen(1, spec.max_message_size);
    const auto where = context.address(listener);
    listener.reset();
    spec.timeout_ns = 300'000'000;
    EndpointHandle endpoint;
    const auto connect_status = context.try_connect(where, spec, endpoint);
    require(connect_status != IPCMARK_OK, "connect to an address where nobody listens returned ok");
    check_error(context, connect_status, "connect to nobody");
    const auto garbage_status = context.try_connect({}, spec, endpoint);
    require(garbage_status != IPCMARK_OK, "connect to an empty address returned ok");
    check_error(context, garbage_status, "connect to an empty address");
}

// A listener that lives but accepts nobody: a host whose other side is stuck must not be stuck as well.
void connect_unaccepted(Context& context) {
    auto spec = fitted(context, {});
    const auto listener = context.listen(1, spec.max_message_size);
    const auto where = context.address(listener);
    spec.timeout_ns = 300'000'000;
    EndpointHandle endpoint;
    ipcmark_status status = IPCMARK_OK;
    Task task([&] { status = context.try_connect(where, spec, endpoint); });
    require(task.done_within(context.hang_limit()),
            "connect with a timeout of 300 ms, to a listener that accepts nobody, did not return");
    require(status == IPCMARK_OK || status == IPCMARK_TIMED_OUT,
            fmt::format("connect to a listener that accepts nobody returned {}; ok or timed_out is right",
                        context.describe(status, nullptr)));
}

// The peer is stopped with all buffers full.
void close_does_not_wait(Context& context) {
    Link link(context, fitted(context, {}));
    link.peer.stop();
    Filler filler(link.wire);
    filler.until_blocked();
    link.wire.interrupt(IPCMARK_CANCELLED);
    (void)filler.end_within(context.hang_limit(), "a send that waits did not return after an interrupt");
    Sandbox::step("close while the peer is stopped and has not read what was sent");
    Task closing([&] { link.wire.close(); });
    require(closing.done_within(context.hang_limit()), "close waits for a peer that has not read what was sent");
}

// The peer goes on sending while this side closes.
void close_under_stream(Context& context) {
    Link link(context, fitted(context, {}));
    link.wire.recv_message(0, small);
    Sandbox::step("close while the peer goes on sending");
    Task closing([&] { link.wire.close(); });
    require(closing.done_within(context.hang_limit()),
            "close does not return while the peer goes on sending: what was not received is thrown away");
    link.peer.channel().signal();
    link.finish();
}

void close_under_stream_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    Task sending([&] {
        for (std::uint64_t i = 0; joined.wire.try_send(message(i, small)) == IPCMARK_OK; ++i) {
            std::this_thread::sleep_for(1ms); // busy sides would be taken for a busy machine
        }
    });
    channel.wait(); // the other side has closed
    joined.wire.interrupt(IPCMARK_CANCELLED);
    require(sending.done_within(context.hang_limit()),
            "send did not return after an interrupt, the peer having closed");
    joined.finish();
}

// One side sits in recv, the other in no call.
void idle_endpoint(Context& context) {
    Link link(context, fitted(context, {}));
    ping_pong(link.wire, true, 4);
    link.finish();
}

void idle_endpoint_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    ping_pong(joined.wire, false, 3);
    joined.wire.recv_message(3, small);
    std::this_thread::sleep_for(long_silence);
    joined.wire.send_message(3, small);
    joined.finish();
}

void idle_listener(Context& context) {
    const auto spec = fitted(context, {});
    const auto listener = context.listen(1, spec.max_message_size);
    const auto where = context.address(listener);
    std::this_thread::sleep_for(long_silence);
    Peer peer(context);
    peer.channel().put(Setup{spec.mirrored(), 0});
    peer.channel().put_bytes(where);
    Wire wire(context, context.accept(listener, spec));
    ping_pong(wire, true, 3);
    peer.finish();
}

// Connects with `params` to a listener that need not accept; the endpoint, if there is one, is closed at once.
ipcmark_status connect_with(Context& context, const Address& where, const ipcmark_endpoint_params& params) {
    ipcmark_endpoint* endpoint = nullptr;
    const auto status = [&] {
        const Step step("connect");
        return context.table().connect(where.data(), where.size(), &params, &endpoint);
    }();
    const auto owned = context.own(endpoint);
    Context::in_set(status, "connect");
    return status;
}

// A flag asks for something to be done: ignored, it would let a host call functions that are not there.
void endpoint_flags(Context& context) {
    bool any = false;
    for (const auto& [flag, id] : {std::pair{std::uint32_t{IPCMARK_ENDPOINT_POLLED}, IPCMARK_EXT_POLLFD},
                                   std::pair{std::uint32_t{IPCMARK_ENDPOINT_LOANED}, IPCMARK_EXT_LOAN}}) {
        if (context.module().extension(id) != nullptr) {
            continue;
        }
        any = true;
        auto spec = fitted(context, {});
        const auto listener = context.listen(1, spec.max_message_size);
        spec.flags = flag;
        spec.timeout_ns = 300'000'000;
        const auto status = connect_with(context, context.address(listener), context.endpoint_params(spec));
        require(status == IPCMARK_UNSUPPORTED,
                fmt::format("connect with the flag of {}, which the module does not have, returned {}; unsupported is "
                            "right",
                            id, context.describe(status, nullptr)));
    }
    if (!any) {
        skip("the module has all extensions that endpoints are made for");
    }
}

// Only BLOCK must be taken; one that nobody knows must be refused, not replaced in silence.
void wait_policies(Context& context) {
    const auto where_spec = fitted(context, {});
    const auto listener = context.listen(1, where_spec.max_message_size);
    Peer peer(context);
    peer.channel().put(Setup{where_spec.mirrored()});
    peer.channel().put_bytes(context.address(listener));
    auto spec = where_spec;
    spec.timeout_ns = 1'000'000'000;
    EndpointHandle endpoint; // what comes of the refused connect is the module's affair
    const auto status = context.try_accept(listener, spec, endpoint);
    Context::in_set(status, "accept");
    peer.join();
}

void wait_policies_peer(Context& context, Channel& channel) {
    auto setup = channel.get<Setup>();
    const auto where = channel.get_bytes();
    auto params = context.endpoint_params(setup.spec);
    params.wait_policy = 99;
    params.timeout_ns = 1'000'000'000;
    const auto status = connect_with(context, where, params);
    require(status == IPCMARK_UNSUPPORTED || status == IPCMARK_BAD_ARGUMENT,
            fmt::format("connect with the wait policy 99, which nobody knows, returned {}; unsupported is right",
                        context.describe(status, nullptr)));
}

void sent_before_close(Context& context) {
    for (const auto listening : {Listening::here, Listening::peer}) {
        Link link(context, fitted(context, {}), 0, listening);
        link.peer.channel().wait(); // the peer has sent three and closed
        for (std::uint64_t i = 0; i < 3; ++i) {
            link.wire.recv_message(i, small);
        }
        if (context.has(IPCMARK_CAP_PEER_DEATH)) {
            Bytes buffer(small);
            std::size_t size = 0;
            context.expect(link.wire.try_recv(buffer, size), IPCMARK_PEER_GONE, link.wire.get(),
                           "recv after the peer has closed and all was received");
        }
        link.finish();
    }
}

void sent_before_close_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    for (std::uint64_t i = 0; i < 3; ++i) {
        joined.wire.send_message(i, small);
    }
    joined.wire.close();
    channel.signal();
    joined.finish();
}

constexpr std::array tests{
    Test{.id = "lifecycle.limits",
         .proves = "limits answers at once, as often as it is asked, and says what sets the largest message.",
         .run = limits,
         .peers = Peers::none},
    Test{.id = "lifecycle.listen_and_close",
         .proves = "Listeners come and go without an accept; a run may fail before anybody connects.",
         .run = listen_and_close,
         .peers = Peers::none},
    Test{.id = "lifecycle.address",
         .proves =
             "The address is stable, and one that does not fit into the buffer is refused and not written past it.",
         .run = address,
         .peers = Peers::none},
    Test{.id = "lifecycle.two_listeners",
         .proves = "Two listeners choose different addresses, so that two runs on a machine cannot collide.",
         .run = two_listeners},
    Test{.id = "lifecycle.earlier_listener",
         .proves = "An address leads to its own listener, also when another one came after it: else two runs on a "
                   "machine take each other's peers.",
         .run = earlier_listener,
         .peer = earlier_listener_peer},
    Test{.id = "lifecycle.connect_and_accept",
         .proves = "Two processes meet through the address and messages pass both ways.",
         .run = connect_accept,
         .peer = connect_accept_peer,
         .waits = Waits::each},
    Test{.id = "lifecycle.close_null",
         .proves = "Closing what is not there does nothing, so that the host needs no special case after a failure.",
         .run = close_null,
         .peers = Peers::none},
    Test{.id = "lifecycle.close_in_any_state",
         .proves =
             "An endpoint can be closed at any time: at once, with unread messages on either side, after the peer, "
             "after an interrupt.",
         .run = close_states,
         .peer = close_states_peer},
    Test{.id = "lifecycle.endpoint_outlives_listener",
         .proves = "An endpoint goes on when its listener is closed, which the host does before it measures.",
         .run = endpoint_outlives_listener,
         .peer = ping_pong_50_peer},
    Test{.id = "lifecycle.accept_order",
         .proves = "One listener accepts many endpoints, in the order of their connects, each with its own messages.",
         .run = accept_order,
         .peer = accept_order_peer},
    Test{.id = "lifecycle.again_and_again",
         .proves = "A process can listen, accept and close thirty times; a matrix of tests does that.",
         .run = again_and_again,
         .peer = again_and_again_peer},
    Test{.id = "lifecycle.accept_timeout",
         .proves = "accept gives up in the time given, no sooner and not much later, and can be called again.",
         .run = accept_timeout,
         .peer = connect_accept_peer},
    Test{.id = "lifecycle.connect_to_nobody",
         .proves = "connect to an address where nobody listens any more says so, and soon.",
         .run = connect_to_nobody},
    Test{.id = "lifecycle.connect_to_garbage",
         .proves = "An address that is none is an error with a status, never a crash.",
         .run = connect_to_garbage},
    Test{.id = "lifecycle.connect_unaccepted",
         .proves =
             "connect to a listener that accepts nobody ends in the time given, whether it needs the accept or not.",
         .run = connect_unaccepted},
    Test{.id = "lifecycle.close_does_not_wait",
         .proves = "close returns though the peer is stopped and has not read what was sent: nobody can interrupt it.",
         .run = close_does_not_wait,
         .peer = idle_peer},
    Test{.id = "lifecycle.close_under_stream",
         .proves = "close returns though the peer goes on sending: it throws away what was not received.",
         .run = close_under_stream,
         .peer = close_under_stream_peer},
    Test{.id = "lifecycle.idle_endpoint",
         .proves =
             "An endpoint on which nothing moves for three seconds works after them: the host paces, warms up and "
             "waits as long as it likes.",
         .run = idle_endpoint,
         .peer = idle_endpoint_peer},
    Test{.id = "lifecycle.idle_listener",
         .proves = "A listener to which nobody comes for three seconds accepts who comes then.",
         .run = idle_listener,
         .peer = connect_accept_peer},
    Test{.id = "lifecycle.errors_have_text",
         .proves = "last_error tells the status and one line of text after a failure, for that is all the user gets.",
         .run = errors_have_text},
    Test{.id = "lifecycle.wait_policies",
         .proves =
             "A wait policy that the module does not have is refused; replaced in silence it would falsify a result.",
         .run = wait_policies,
         .peer = wait_policies_peer},
    Test{.id = "lifecycle.endpoint_flags",
         .proves = "An endpoint for an extension that the module does not have is refused, not made without it.",
         .run = endpoint_flags},
    Test{.id = "lifecycle.sent_before_close",
         .proves = "What was sent before a close is received before the end is seen, so that the last messages count.",
         .run = sent_before_close,
         .peer = sent_before_close_peer,
         .capabilities = IPCMARK_CAP_RELIABLE},
};

} // namespace

std::span<const Test> lifecycle_tests() {
    return tests;
}

} // namespace ipcmark::check

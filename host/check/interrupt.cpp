// SPDX-License-Identifier: Apache-2.0
// interrupt and interrupt_listener: the host's only way to end a call that waits.
#include "host/check/blocked.hpp"
#include "host/check/peer.hpp"
#include "host/check/waiting_call.hpp"

#include <array>
#include <functional>

#include <fmt/format.h>

namespace ipcmark::check {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::chrono::nanoseconds promised{IPCMARK_INTERRUPT_LIMIT_NS};

// Runs `attempt` until it was within the promised time, ten times at most and each time after a longer pause: a busy
// machine may be late for a while, a module that looks too seldom is late each time. Five times are enough where there
// is no time for more.
void in_time(const Context& context, const std::function<clock::duration()>& attempt, const std::string& what) {
    clock::duration time{};
    const auto end = clock::now() + context.hang_limit();
    for (int i = 0; i < 10 && (i < 5 || clock::now() < end); ++i) {
        std::this_thread::sleep_for(i * 50ms);
        time = attempt();
        if (time <= promised) {
            return;
        }
    }
    fail(fmt::format("{} returned {} ms after the interrupt; {} ms are promised", what, time / 1ms, promised / 1ms));
}

// From an interrupt to the return of the call that it ends, without the time in which a busy machine let the threads of
// this process wait for a CPU.
class Lateness {
public:
    void interrupted() {
        before_ = Starvation::now();
        begin_ = clock::now();
    }
    // [any-thread] By the thread whose call has returned.
    void returned() {
        end_ = clock::now();
        after_ = Starvation::now();
    }
    [[nodiscard]] clock::duration time() const { return end_ - begin_ - after_.since(before_); }

private:
    Starvation before_;
    Starvation after_;
    clock::time_point begin_;
    clock::time_point end_;
};

void recv_blocked(Context& context) {
    in_time(
        context,
        [&] {
            Link link(context, fitted(context, {}));
            Bytes buffer(64);
            std::size_t size = 0;
            ipcmark_status got = IPCMARK_OK;
            Sandbox::step("recv with nothing to receive");
            Lateness lateness;
            Task task([&] {
                got = link.wire.try_recv(buffer, size);
                lateness.returned();
            });
            require(!task.done_within(60ms), "recv returned with nothing to receive");
            lateness.interrupted();
            link.wire.interrupt(IPCMARK_CANCELLED);
            require(task.done_within(context.hang_limit()), "a recv that waits did not return after the interrupt");
            context.expect(got, IPCMARK_CANCELLED, nullptr, "a recv that waits");
            link.finish();
            return lateness.time();
        },
        "recv");
}

void send_blocked(Context& context) {
    in_time(
        context,
        [&] {
            Link link(context, fitted(context, {}));
            Lateness lateness;
            Filler filler(link.wire, [&] { lateness.returned(); });
            filler.until_blocked();
            lateness.interrupted();
            link.wire.interrupt(IPCMARK_CANCELLED);
            const auto got =
                filler.end_within(context.hang_limit(), "a send that waits did not return after the interrupt");
            context.expect(got, IPCMARK_CANCELLED, nullptr, "an interrupted send");
            link.finish();
            return lateness.time();
        },
        "send");
}

void accept_blocked(Context& context) {
    in_time(
        context,
        [&] {
            const auto listener = context.listen();
            auto spec = fitted(context, {});
            spec.timeout_ns = 0;
            ipcmark_status got = IPCMARK_OK;
            EndpointHandle endpoint;
            Lateness lateness;
            Task task([&] {
                got = context.try_accept(listener, spec, endpoint);
                lateness.returned();
            });
            require(!task.done_within(60ms), "accept returned with nobody there");
            lateness.interrupted();
            context.table().interrupt_listener(listener.get(), IPCMARK_CANCELLED);
            require(task.done_within(context.hang_limit()), "accept did not return after the interrupt");
            context.expect(got, IPCMARK_CANCELLED, listener.get(), "an interrupted accept");
            // And it stays.
            context.expect(context.try_accept(listener, spec, endpoint), IPCMARK_CANCELLED, listener.get(),
                           "the accept after an interrupted one");
            return lateness.time();
        },
        "accept");
}

void expect_recv(Context& context, Wire& wire, ipcmark_status wanted, const std::string& what) {
    Bytes buffer(64);
    std::size_t size = 0;
    ipcmark_status got = IPCMARK_OK;
    Sandbox::step(what);
    Task task([&] { got = wire.try_recv(buffer, size); });
    require(task.done_within(context.hang_limit()), fmt::format("{} did not return", what));
    context.expect(got, wanted, nullptr, what);
}

void before_call(Context& context) {
    Link link(context, fitted(context, {}));
    link.wire.interrupt(IPCMARK_TIMED_OUT);
    expect_recv(context, link.wire, IPCMARK_TIMED_OUT, "a recv that begins after the interrupt");
    link.finish();
}

void sticky(Context& context) {
    Link link(context, fitted(context, {}));
    link.wire.interrupt(IPCMARK_CANCELLED);
    for (int i = 0; i < 5; ++i) {
        expect_recv(context, link.wire, IPCMARK_CANCELLED, fmt::format("recv number {} after the interrupt", i + 1));
    }
    // A send that could complete may do so first; one that has to wait returns the status.
    Filler filler(link.wire);
    const auto got = filler.end_within(context.hang_limit(), "send goes on and on after the interrupt");
    context.expect(got, IPCMARK_CANCELLED, nullptr, "a send after the interrupt");
    Filler again(link.wire);
    context.expect(again.end_within(context.hang_limit(), "send waits again after one that the interrupt has ended"),
                   IPCMARK_CANCELLED, nullptr, "the send after one that the interrupt has ended");
    link.finish();
}

void accept_before_call(Context& context) {
    const auto listener = context.listen();
    auto spec = fitted(context, {});
    spec.timeout_ns = 0;
    for (const auto status : {IPCMARK_TIMED_OUT, IPCMARK_CANCELLED}) {
        context.table().interrupt_listener(listener.get(), status);
    }
    for (int i = 0; i < 3; ++i) {
        ipcmark_status got = IPCMARK_OK;
        EndpointHandle endpoint;
        Sandbox::step("accept after an interrupt");
        Task task([&] { got = context.try_accept(listener, spec, endpoint); });
        require(task.done_within(context.hang_limit()), "an accept that begins after the interrupt did not return");
        context.expect(got, IPCMARK_TIMED_OUT, listener.get(), "an accept that begins after two interrupts");
    }
}

void first_stays(Context& context) {
    Link link(context, fitted(context, {}));
    link.wire.interrupt(IPCMARK_CANCELLED);
    link.wire.interrupt(IPCMARK_TIMED_OUT);
    link.wire.interrupt(IPCMARK_PEER_GONE);
    for (int i = 0; i < 2; ++i) {
        expect_recv(context, link.wire, IPCMARK_CANCELLED, "recv after three interrupts, the first with cancelled");
    }
    link.finish();
}

void from_many_threads(Context& context) {
    Link link(context, fitted(context, {}));
    Bytes buffer(64);
    std::size_t size = 0;
    ipcmark_status got = IPCMARK_OK;
    Task waiting([&] { got = link.wire.try_recv(buffer, size); });
    require(!waiting.done_within(30ms), "recv returned with nothing to receive");
    std::vector<std::unique_ptr<Task>> tasks;
    for (int thread = 0; thread < 4; ++thread) {
        tasks.push_back(std::make_unique<Task>([&] {
            for (int i = 0; i < 2000; ++i) {
                link.wire.interrupt(IPCMARK_CANCELLED);
            }
        }));
    }
    for (auto& task : tasks) {
        require(task->done_within(context.hang_limit()), "interrupt waits");
    }
    require(waiting.done_within(context.hang_limit()), "recv did not return after 8000 interrupts");
    context.expect(got, IPCMARK_CANCELLED, nullptr, "a recv interrupted from four threads");
    link.finish();
}

// A transfer that is under way is ended too, and the process that is not interrupted sees no damaged message.
void under_traffic(Context& context) {
    for (int round = 0; round < 5; ++round) {
        Link link(context, fitted(context, {}), 1);
        ipcmark_status got = IPCMARK_OK;
        Task task([&] {
            Bytes buffer(1024);
            std::size_t size = 0;
            while (got == IPCMARK_OK) {
                got = link.wire.try_recv(buffer, size);
            }
        });
        require(!task.done_within(std::chrono::milliseconds(2 + 3 * round)), "recv failed under traffic");
        link.wire.interrupt(IPCMARK_CANCELLED);
        require(task.done_within(context.hang_limit()), "recv goes on and on after the interrupt while the peer sends");
        context.expect(got, IPCMARK_CANCELLED, nullptr, "recv under traffic after the interrupt");
        link.peer.kill();
    }
}

void under_traffic_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    for (std::uint64_t i = 0;; ++i) {
        if (joined.wire.try_send(message(i, 512)) != IPCMARK_OK) {
            return;
        }
    }
}

void both_halves(Context& context) {
    Link link(context, fitted(context, {}));
    Bytes buffer(64);
    std::size_t size = 0;
    ipcmark_status got = IPCMARK_OK;
    Task waiting([&] { got = link.wire.try_recv(buffer, size); });
    Filler filler(link.wire);
    filler.until_blocked();
    link.wire.interrupt(IPCMARK_CANCELLED);
    require(waiting.done_within(context.hang_limit()), "the recv half did not return while the send half waited, too");
    const auto sent =
        filler.end_within(context.hang_limit(), "the send half did not return while the recv half waited, too");
    context.expect(got, IPCMARK_CANCELLED, nullptr, "recv");
    context.expect(sent, IPCMARK_CANCELLED, nullptr, "send");
    link.finish();
}

void others_go_on(Context& context) {
    Link ended(context, fitted(context, {}));
    Link living(context, fitted(context, {}), 2);
    ended.wire.interrupt(IPCMARK_CANCELLED);
    expect_recv(context, ended.wire, IPCMARK_CANCELLED, "recv on the interrupted endpoint");
    for (std::uint64_t i = 0; i < 100; ++i) {
        living.wire.send_message(i, 64);
        living.wire.recv_message(i, 64);
    }
    ended.finish();
    living.finish();
}

void others_go_on_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    for (std::uint64_t i = 0; joined.setup.argument == 2 && i < 100; ++i) {
        joined.wire.recv_message(i, 64);
        joined.wire.send_message(i, 64);
    }
    joined.finish();
}

constexpr std::array tests{
    Test{.id = "interrupt.recv",
         .proves = "A recv that waits, sleeping or spinning, returns the given status within 100 ms of an interrupt.",
         .run = recv_blocked,
         .peer = idle_peer,
         .waits = Waits::each},
    Test{.id = "interrupt.send",
         .proves = "A send that waits for room returns the given status within 100 ms of an interrupt.",
         .run = send_blocked,
         .peer = idle_peer,
         .waits = Waits::each},
    Test{.id = "interrupt.accept",
         .proves = "An accept that waits returns the given status within 100 ms, and so does the next one.",
         .run = accept_blocked},
    Test{.id = "interrupt.accept_before_call",
         .proves = "An interrupt that comes before the accept ends it just the same, and the first status given stays.",
         .run = accept_before_call},
    Test{.id = "interrupt.before_call",
         .proves = "An interrupt that comes before the call ends it just the same: else a race would hang the host.",
         .run = before_call,
         .peer = idle_peer,
         .waits = Waits::each},
    Test{.id = "interrupt.sticky",
         .proves = "Every later call returns the status, too, so that a loop of calls ends wherever it is.",
         .run = sticky,
         .peer = idle_peer,
         .waits = Waits::each},
    Test{.id = "interrupt.first_stays",
         .proves = "The first status given stays, so that the first cause is the one reported.",
         .run = first_stays,
         .peer = idle_peer},
    Test{.id = "interrupt.from_many_threads",
         .proves = "interrupt is safe from any thread at any time, and never waits itself.",
         .run = from_many_threads,
         .peer = idle_peer,
         .waits = Waits::each},
    Test{.id = "interrupt.under_traffic",
         .proves = "A recv that always finds a message is ended, too, not only one that waits.",
         .run = under_traffic,
         .peer = under_traffic_peer,
         .waits = Waits::each},
    Test{.id = "interrupt.both_halves",
         .proves = "With a recv and a send waiting at once on one endpoint, an interrupt ends both.",
         .run = both_halves,
         .peer = idle_peer,
         .capabilities = IPCMARK_CAP_TX_RX_THREADS,
         .waits = Waits::each},
    Test{.id = "interrupt.others_go_on",
         .proves = "An interrupt ends the calls of its endpoint and of no other.",
         .run = others_go_on,
         .peer = others_go_on_peer},
};

} // namespace

std::span<const Test> interrupt_tests() {
    return tests;
}

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
// Whether a call that waits does so by the wait policy that its endpoint was made with.
#include "host/check/blocked.hpp"
#include "host/check/peer.hpp"
#include "host/check/waiting_call.hpp"

#include <array>
#include <atomic>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto watched_for = 400ms;

// Watches a thread that waits in `name` for a while. What a busy machine keeps it from is neither sleep nor work.
void watch(Context& context, pid_t thread, const std::string& name) {
    const auto before = ThreadTimes::of(thread);
    const auto begin = clock::now();
    std::this_thread::sleep_for(watched_for);
    const auto after = ThreadTimes::of(thread);
    const auto time = clock::now() - begin;
    if (!before || !after) {
        skip("this kernel does not tell what a thread does with its time");
    }
    const auto ran = after->ran - before->ran;
    const auto slept = time - ran - (after->was_ready - before->was_ready);
    const auto policy = context.subject().wait;
    if (policy == WaitPolicy::spin) {
        require(slept < time / 2,
                fmt::format("{} slept for {} of {} ms with the wait policy spin: the result would be that of another "
                            "policy. One that the module does not have is refused with unsupported",
                            name, slept / 1ms, time / 1ms));
        return;
    }
    require(ran < time / 4,
            fmt::format("{} used a CPU for {} of {} ms with the wait policy {}, by which it sleeps{}", name, ran / 1ms,
                        time / 1ms, wait_name(policy), policy == WaitPolicy::adaptive ? " after spin_ns" : ""));
}

void in_recv(Context& context) {
    Link link(context, fitted(context, {}));
    Bytes buffer(64);
    std::size_t size = 0;
    std::atomic<pid_t> thread{0};
    Task task([&] {
        thread = gettid();
        (void)link.wire.try_recv(buffer, size);
    });
    require(!task.done_within(50ms), "recv returned with nothing to receive");
    watch(context, thread, "a recv that waits");
    link.wire.interrupt(IPCMARK_CANCELLED);
    require(task.done_within(hang_limit), "recv did not return after an interrupt");
    link.finish();
}

void in_send(Context& context) {
    Link link(context, fitted(context, {}));
    Filler filler(link.wire);
    filler.until_blocked();
    watch(context, filler.thread(), "a send that waits for room");
    link.wire.interrupt(IPCMARK_CANCELLED);
    (void)filler.end_within(hang_limit, "send did not return after an interrupt");
    link.finish();
}

void in_accept(Context& context) {
    const auto listener = context.listen();
    auto spec = fitted(context, {});
    spec.timeout_ns = 0;
    EndpointHandle endpoint;
    std::atomic<pid_t> thread{0};
    Task task([&] {
        thread = gettid();
        (void)context.try_accept(listener, spec, endpoint);
    });
    require(!task.done_within(50ms), "accept returned with nobody there");
    watch(context, thread, "an accept that waits");
    context.table().interrupt_listener(listener.get(), IPCMARK_CANCELLED);
    require(task.done_within(hang_limit), "accept did not return after an interrupt");
}

constexpr std::array tests{
    Test{.id = "waiting.recv",
         .proves =
             "A recv that waits sleeps or spins as its endpoint's wait policy says: the policy is part of the result.",
         .run = in_recv,
         .peer = idle_peer,
         .waits = Waits::each},
    Test{.id = "waiting.send",
         .proves = "A send that waits for room sleeps or spins as its endpoint's wait policy says.",
         .run = in_send,
         .peer = idle_peer,
         .waits = Waits::each},
    Test{.id = "waiting.accept", .proves = "An accept that waits does not use up a CPU.", .run = in_accept},
};

} // namespace

std::span<const Test> waiting_tests() {
    return tests;
}

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
// Whether a call that waits does so by the wait policy that its endpoint was made with.
#include "host/check/blocked.hpp"
#include "host/check/peer.hpp"
#include "host/check/waiting_call.hpp"
#include "result/wait_policy_names.hpp"

#include <array>
#include <atomic>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

using namespace std::chrono_literals;

constexpr int looks = 40;

// Whether a thread of this process runs or would if there were a CPU for it; not set if it is no more.
std::optional<bool> is_awake(pid_t thread) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string line;
    std::getline(file, line);
    const auto name_end = line.rfind(')'); // the name may hold anything
    if (name_end == std::string::npos || name_end + 2 >= line.size()) {
        return std::nullopt;
    }
    return line[name_end + 2] == 'R';
}

// Each thread says its number when it begins to run, which a busy machine may put off for long.
void say_number(std::atomic<pid_t>& thread) {
    thread = gettid();
    thread.notify_all();
}
pid_t number_of(const std::atomic<pid_t>& thread) {
    thread.wait(0);
    return thread;
}

// Looks at a thread that waits in `name` for a while. A thread that spins is awake each time, however little a busy
// machine lets it run.
void watch(Context& context, pid_t thread, const std::string& name) {
    int awake = 0;
    for (int look = 0; look < looks; ++look) {
        std::this_thread::sleep_for(10ms);
        const auto now = is_awake(thread);
        require(now.has_value(), name + " returned");
        awake += *now ? 1 : 0;
    }
    const auto policy = context.subject().wait;
    if (policy == WaitPolicy::spin) {
        require(awake > looks / 2,
                fmt::format("{} was asleep in {} of {} looks with the wait policy spin: the result would be that of "
                            "another policy. One that the module does not have is refused with unsupported",
                            name, looks - awake, looks));
        return;
    }
    require(awake < looks / 2,
            fmt::format("{} was awake in {} of {} looks with the wait policy {}, by which it sleeps{}", name, awake,
                        looks, wait_policy_name(policy), policy == WaitPolicy::adaptive ? " after spin_ns" : ""));
}

void in_recv(Context& context) {
    Link link(context, fitted(context, {}));
    Bytes buffer(64);
    std::size_t size = 0;
    std::atomic<pid_t> thread{0};
    Task task([&] {
        say_number(thread);
        (void)link.wire.try_recv(buffer, size);
    });
    const auto number = number_of(thread);
    require(!task.done_within(50ms), "recv returned with nothing to receive");
    watch(context, number, "a recv that waits");
    link.wire.interrupt(IPCMARK_CANCELLED);
    require(task.done_within(context.hang_limit()), "recv did not return after an interrupt");
    link.finish();
}

void in_send(Context& context) {
    Link link(context, fitted(context, {}));
    Filler filler(link.wire);
    filler.until_blocked();
    watch(context, filler.thread(), "a send that waits for room");
    link.wire.interrupt(IPCMARK_CANCELLED);
    (void)filler.end_within(context.hang_limit(), "send did not return after an interrupt");
    link.finish();
}

void in_accept(Context& context) {
    const auto listener = context.listen();
    auto spec = fitted(context, {});
    spec.timeout_ns = 0;
    EndpointHandle endpoint;
    std::atomic<pid_t> thread{0};
    Task task([&] {
        say_number(thread);
        (void)context.try_accept(listener, spec, endpoint);
    });
    const auto number = number_of(thread);
    require(!task.done_within(50ms), "accept returned with nobody there");
    watch(context, number, "an accept that waits");
    context.table().interrupt_listener(listener.get(), IPCMARK_CANCELLED);
    require(task.done_within(context.hang_limit()), "accept did not return after an interrupt");
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

// SPDX-License-Identifier: Apache-2.0
// The order in which a reactor drives endpoints, with drivers and a module that say themselves what is ready.
#include "../catch.hpp"
#include "measure/reactor.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace ipcmark;

// An endpoint as the reactor sees it: a descriptor, and what arm would say.
struct FakeEndpoint {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::uint32_t ready = 0;
    int armed = 0;
    bool ring_when_armed = false;

    FakeEndpoint() = default;
    ~FakeEndpoint() {
        if (descriptor >= 0)
            close(descriptor);
    }
    FakeEndpoint(const FakeEndpoint&) = delete;
    FakeEndpoint& operator=(const FakeEndpoint&) = delete;

    ipcmark_endpoint* handle() { return reinterpret_cast<ipcmark_endpoint*>(this); }
    void ring() const { REQUIRE(eventfd_write(descriptor, 1) == 0); }
    static FakeEndpoint& of(ipcmark_endpoint* endpoint) { return *reinterpret_cast<FakeEndpoint*>(endpoint); }
};

constexpr ipcmark_ext_pollfd fake_calls{
    .size = sizeof(ipcmark_ext_pollfd),
    .reserved0 = 0,
    .get_fd = [](ipcmark_endpoint* endpoint, std::uint32_t direction, int* descriptor,
                 short* events) -> ipcmark_status {
        *descriptor = FakeEndpoint::of(endpoint).descriptor;
        *events = direction == IPCMARK_POLL_RX ? POLLIN : POLLOUT;
        return IPCMARK_OK;
    },
    .try_send = nullptr,
    .try_recv = nullptr,
    .arm = [](ipcmark_endpoint* endpoint, std::uint32_t directions, std::uint32_t* ready) -> ipcmark_status {
        FakeEndpoint& fake = FakeEndpoint::of(endpoint);
        *ready = fake.ready & directions;
        ++fake.armed;
        if (fake.ring_when_armed)
            fake.ring();
        return IPCMARK_OK;
    },
};

class FakeDriver : public EndpointDriver {
public:
    FakeDriver(FakeEndpoint& endpoint, std::function<Need()> next)
        : EndpointDriver(endpoint.handle(), slot()), next_(std::move(next)) {}
    Need step(std::uint32_t /*ready*/) noexcept override { return next_(); }

private:
    static Slot& slot() {
        static Slot slot{};
        return slot;
    }

    std::function<Need()> next_;
};

constexpr std::uint64_t spin_ns = 1'000'000; // the scale is one

void drive(WaitPolicy wait, std::vector<EndpointDriver*> drivers) {
    Reactor reactor(fake_calls, {wait, spin_ns, ClockKind::monotonic, TickScale{}}, drivers);
    reactor.run(drivers);
}

// From now on these system calls fail in this process, as the filters of old container runtimes fail what they do not
// know. False where the system does not allow a filter.
bool refuse(std::initializer_list<long> calls) {
    std::vector<sock_filter> code{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    for (const long call : calls) {
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
        code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
    }
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum class Ended { well, badly, not_allowed };

// What becomes of `work` in a process of its own, in which these system calls fail. One that hangs is ended.
Ended ended_without(std::initializer_list<long> calls, const std::function<bool()>& work) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        alarm(60);
        if (!refuse(calls))
            _exit(static_cast<int>(Ended::not_allowed));
        _exit(static_cast<int>(work() ? Ended::well : Ended::badly));
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? static_cast<Ended>(WEXITSTATUS(status)) : Ended::badly;
}

#ifdef SYS_epoll_wait
constexpr auto all_waits = {long{SYS_epoll_wait}, long{SYS_epoll_pwait}, long{SYS_epoll_pwait2}};
#else
constexpr auto all_waits = {long{SYS_epoll_pwait}, long{SYS_epoll_pwait2}};
#endif

constexpr Need wait_to_receive{.directions = IPCMARK_POLL_RX};
constexpr Need go_on{.runnable = true};
constexpr Need done{.done = true};

// Endpoints whose peers keep up all have their turns: none has two more than another.
TEST_CASE("endpoints that are always ready take turns", "[reactor]") {
    const auto wait = GENERATE(WaitPolicy::block, WaitPolicy::adaptive, WaitPolicy::spin);
    const auto more = GENERATE(go_on, wait_to_receive);
    std::array<FakeEndpoint, 3> endpoints;
    std::array<int, 3> turns{};
    std::vector<FakeDriver> drivers;
    for (std::size_t at = 0; at < endpoints.size(); ++at) {
        endpoints[at].ready = IPCMARK_POLL_RX;
        drivers.emplace_back(endpoints[at], [&turns, at, more] {
            ++turns[at];
            const auto [least, most] = std::minmax_element(turns.begin(), turns.end());
            CHECK(*most - *least <= 1);
            return turns[at] == 100 ? done : more;
        });
    }
    drive(wait, {&drivers[0], &drivers[1], &drivers[2]});
    CHECK(turns == std::array{100, 100, 100});
}

// One that waits for its descriptor is looked at while others have work without end.
TEST_CASE("an endpoint that sleeps is woken beside a busy one", "[reactor]") {
    std::array<FakeEndpoint, 2> endpoints;
    int busy = 0;
    int woken = 0;
    FakeDriver sleeper(endpoints[0], [&] { return ++woken == 1 ? wait_to_receive : done; });
    FakeDriver worker(endpoints[1], [&] {
        if (++busy == 10)
            endpoints[0].ring();
        return woken == 2 || busy == 1000 ? done : go_on;
    });
    drive(WaitPolicy::block, {&sleeper, &worker});
    CHECK(woken == 2);
    CHECK(busy <= 12);
}

TEST_CASE("a descriptor that the module has closed ends the loop, which would sleep for ever", "[reactor]") {
    FakeEndpoint endpoint;
    const int given = endpoint.descriptor;
    int turns = 0;
    FakeDriver driver(endpoint, [&] {
        if (++turns == 1) {
            endpoint.descriptor = -1;
            close(given);
        }
        return wait_to_receive;
    });
    CHECK_THROWS_WITH(drive(WaitPolicy::block, {&driver}), Catch::Contains("module") && Catch::Contains("Bad file"));
}

// epoll is level triggered: a descriptor that stays readable tells of its endpoint in each round.
TEST_CASE("what is runnable and has an event too has one turn a round", "[reactor]") {
    std::array<FakeEndpoint, 3> endpoints;
    std::array<int, 2> turns{};
    endpoints[0].ring();
    FakeDriver readable(endpoints[0], [&] {
        CHECK(turns[0] <= turns[1] + 1);
        ++turns[0];
        return turns[0] == 1 ? wait_to_receive : turns[0] == 100 ? done : go_on;
    });
    FakeDriver plain(endpoints[1], [&] {
        if (++turns[1] != 100)
            return go_on;
        endpoints[2].ring();
        return done;
    });
    // As long as somebody sleeps epoll is asked in each round.
    FakeDriver sleeper(endpoints[2], [&] { return turns[1] == 100 ? done : wait_to_receive; });
    drive(WaitPolicy::block, {&readable, &plain, &sleeper});
    CHECK(turns == std::array{100, 100});
}

TEST_CASE("a driver is stepped again when its tick has come, also beside a busy one", "[reactor]") {
    std::array<FakeEndpoint, 2> endpoints;
    const std::uint64_t due = MonotonicClock::now() + 5'000'000;
    std::uint64_t stepped_at = 0;
    FakeDriver paced(endpoints[0], [&] {
        const std::uint64_t now = MonotonicClock::now();
        if (now < due)
            return Need{.due_tick = due};
        stepped_at = now;
        return done;
    });
    FakeDriver busy(endpoints[1], [&] { return stepped_at == 0 ? go_on : done; });
    drive(WaitPolicy::block, {&paced, &busy});
    CHECK(stepped_at >= due);
}

TEST_CASE("an adaptive reactor goes round the endpoints without the system, and sleeps after its time", "[reactor]") {
    FakeEndpoint endpoint;
    int turns = 0;
    FakeDriver impatient(endpoint, [&] { return ++turns == 50 ? done : wait_to_receive; });
    drive(WaitPolicy::adaptive, {&impatient});
    CHECK(endpoint.armed == 0);

    endpoint.ring_when_armed = true;
    const std::uint64_t begin = MonotonicClock::now();
    FakeDriver patient(endpoint, [&] { return endpoint.armed == 0 ? wait_to_receive : done; });
    drive(WaitPolicy::adaptive, {&patient});
    CHECK(endpoint.armed == 1);
    CHECK(MonotonicClock::now() - begin >= spin_ns);
}

TEST_CASE("where a container refuses the finer wait, events are seen all the same", "[reactor]") {
    const Ended ended = ended_without({SYS_epoll_pwait2}, [] {
        FakeEndpoint endpoint;
        int turns = 0;
        FakeDriver driver(endpoint, [&] {
            if (++turns == 2)
                return done;
            endpoint.ring();
            return Need{.directions = IPCMARK_POLL_RX, .due_tick = UINT64_MAX / 4}; // not in this life
        });
        drive(WaitPolicy::block, {&driver});
        return turns == 2;
    });
    if (ended == Ended::not_allowed)
        WARN("not tested: this system allows no seccomp filter");
    else
        CHECK(ended == Ended::well);
}

TEST_CASE("where nothing can be waited for, the loop ends and says so", "[reactor]") {
    const Ended ended = ended_without(all_waits, [] {
        FakeEndpoint endpoint;
        FakeDriver driver(endpoint, [] { return Need{.directions = IPCMARK_POLL_RX, .due_tick = UINT64_MAX / 4}; });
        try {
            drive(WaitPolicy::block, {&driver});
        } catch (const RunError& error) {
            return std::strstr(error.what(), "epoll_wait failed: Operation not permitted") != nullptr;
        }
        return false;
    });
    if (ended == Ended::not_allowed)
        WARN("not tested: this system allows no seccomp filter");
    else
        CHECK(ended == Ended::well);
}

} // namespace

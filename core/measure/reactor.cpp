// SPDX-License-Identifier: Apache-2.0
#include "measure/reactor.hpp"

#include "measure/pacer.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace ipcmark {
namespace {

constexpr std::uint64_t longest_sleep_ns = 50'000'000; // of a paced loop, so that it sees the stop flag

// A descriptor of an endpoint and what is asked of epoll for it now.
struct Watch {
    int descriptor = -1;
    std::uint32_t asked = 0;
    std::uint32_t rx_events = 0; // the events that this descriptor shows for each direction; 0: the other one does
    std::uint32_t tx_events = 0;
};

// Where an endpoint is between two of its steps.
enum class Place : std::uint8_t {
    asleep,   // epoll tells of it, or its due tick
    stepped,  // to be armed before the next sleep
    runnable, // has its next step without waiting
    done,
};

struct Entry {
    EndpointDriver* driver = nullptr;
    Need need;
    Place place = Place::asleep;
    std::array<Watch, 2> watches;
};

} // namespace

struct Reactor::State {
    const ipcmark_ext_pollfd& calls;
    ReactorSettings settings;
    int epoll = -1;
    std::vector<Entry> entries;
    // Those in Place::stepped and Place::runnable, each once and in the order of their turns.
    std::vector<std::size_t> stepped;
    std::vector<std::size_t> runnable;
    std::vector<std::size_t> under_way; // the one of them that is gone through: kept, so that no turn allocates
    std::size_t active = 0;
    int wait_errno = 0;       // it cannot be waited any more: the loop ends
    bool epoll_fails = false; // epoll itself, not a descriptor in it
    bool has_pwait2 = true;
    bool timed = false; // some driver has waited for a moment: the loop looks at the clock
    NapMargin margin{};

    [[nodiscard]] std::uint64_t now() const noexcept {
        return settings.clock == ClockKind::cycle_counter ? CycleClock::now() : MonotonicClock::now();
    }

    void watch(std::size_t index) {
        Entry& entry = entries[index];
        for (const std::uint32_t direction : {IPCMARK_POLL_RX, IPCMARK_POLL_TX}) {
            int descriptor = -1;
            short events = 0;
            if (calls.get_fd(entry.driver->endpoint(), direction, &descriptor, &events) != IPCMARK_OK || descriptor < 0)
                throw RunError("the module gives no descriptor to wait on");
            Watch& watch = entry.watches[0].descriptor == -1 || entry.watches[0].descriptor == descriptor
                               ? entry.watches[0]
                               : entry.watches[1];
            watch.descriptor = descriptor;
            (direction == IPCMARK_POLL_RX ? watch.rx_events : watch.tx_events) = static_cast<std::uint16_t>(events);
        }
        for (const Watch& watch : entry.watches) {
            epoll_event event{0, {.u64 = index}};
            if (watch.descriptor >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, watch.descriptor, &event) != 0)
                throw RunError(fmt::format("cannot wait on a descriptor of the module: {}", std::strerror(errno)));
        }
    }

    // Asks epoll for what the endpoint needs; a system call only when that has changed.
    void ask(std::size_t index, std::uint32_t directions) noexcept {
        for (Watch& watch : entries[index].watches) {
            if (watch.descriptor < 0)
                continue;
            const std::uint32_t wanted = ((directions & IPCMARK_POLL_RX) != 0 ? watch.rx_events : 0U) |
                                         ((directions & IPCMARK_POLL_TX) != 0 ? watch.tx_events : 0U);
            if (wanted == watch.asked)
                continue;
            epoll_event event{wanted, {.u64 = index}};
            // Nothing would wake a sleep on it. (Whoever asks for nothing needs no waking.)
            if (epoll_ctl(epoll, EPOLL_CTL_MOD, watch.descriptor, &event) != 0 && wanted != 0)
                wait_errno = errno;
            watch.asked = wanted;
        }
    }

    // One turn of an endpoint.
    void advance(std::size_t index, std::uint32_t ready) noexcept {
        Entry& entry = entries[index];
        entry.need = entry.driver->step(ready);
        timed = timed || entry.need.due_tick != 0;
        if (entry.need.done) {
            --active;
            entry.place = Place::done;
        } else {
            entry.place = entry.need.runnable ? Place::runnable : Place::stepped;
        }
    }

    void step(std::size_t index, std::uint32_t ready) noexcept {
        advance(index, ready);
        switch (entries[index].place) {
        case Place::runnable:
            runnable.push_back(index);
            break;
        case Place::stepped:
            stepped.push_back(index);
            break;
        default:
            ask(index, 0);
        }
    }

    // The others have their turn without it.
    void step_if_asleep(std::size_t index, std::uint32_t ready) noexcept {
        if (entries[index].place == Place::asleep)
            step(index, ready);
    }

    // Everything that was stepped is made ready to be slept on. What turns out to be ready already has its next turn
    // after all others that are: whoever went on with it at once would not look at the others while its peer keeps up.
    void arm_stepped() noexcept {
        for (const std::size_t index : stepped) {
            Entry& entry = entries[index];
            std::uint32_t ready = 0;
            if (entry.need.directions != 0) {
                const auto status = calls.arm(entry.driver->endpoint(), entry.need.directions, &ready);
                if (status != IPCMARK_OK)
                    ready = entry.need.directions; // the next try tells what is wrong
            }
            if (ready != 0) {
                entry.place = Place::runnable;
                runnable.push_back(index);
            } else {
                entry.place = Place::asleep;
                ask(index, entry.need.directions);
            }
        }
        stepped.clear();
    }

    [[nodiscard]] std::uint64_t earliest_due() const noexcept {
        std::uint64_t due = UINT64_MAX;
        for (const Entry& entry : entries) {
            if (entry.place == Place::asleep && entry.need.due_tick != 0)
                due = std::min(due, entry.need.due_tick);
        }
        return due;
    }

    // As epoll_wait. A failure ends the loop, which would go round without an event for ever.
    int wait(std::span<epoll_event> events, int timeout_ms) noexcept {
        const int found = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), timeout_ms);
        if (found < 0 && errno != EINTR) {
            wait_errno = errno;
            epoll_fails = true;
        }
        return found;
    }

    int wait_for(std::span<epoll_event> events, std::uint64_t sleep_ns) noexcept {
        if (has_pwait2) {
            const timespec sleep{0, static_cast<long>(sleep_ns)};
            const int found = epoll_pwait2(epoll, events.data(), static_cast<int>(events.size()), &sleep, nullptr);
            if (found >= 0 || errno == EINTR)
                return found;
            // Kernels before 5.11 do not know it, nor do the filters of some containers, which have other errors for
            // that.
            has_pwait2 = false;
        }
        return wait(events, static_cast<int>(sleep_ns / 1'000'000));
    }

    // Sleeps until an event, at most until a little before `due`; not at all while something is runnable.
    int wait_for_events(std::span<epoll_event> events, std::uint64_t due) noexcept {
        if (runnable.size() == active)
            return 0; // nobody sleeps
        if (!runnable.empty())
            return wait(events, 0);
        // A sleep with an end costs the kernel a timer in every message. Without one a stop is seen at the next
        // message, or at the interrupt that follows it where no message comes.
        if (due == UINT64_MAX)
            return wait(events, -1);
        const std::uint64_t tick = now();
        const std::uint64_t left_ns = static_cast<std::int64_t>(due - tick) <= 0 ? 0 : settings.scale.to_ns(due - tick);
        if (left_ns <= margin.ns())
            return wait(events, 0);
        const std::uint64_t sleep_ns = std::min(left_ns - margin.ns(), longest_sleep_ns);
        const int found = wait_for(events, sleep_ns);
        if (found == 0)
            margin.learn(sleep_ns, settings.scale.to_ns(now() - tick));
        return found;
    }

    void step_due() noexcept {
        const std::uint64_t tick = now();
        for (std::size_t index = 0; index < entries.size(); ++index) {
            const std::uint64_t due = entries[index].need.due_tick;
            if (due != 0 && static_cast<std::int64_t>(due - tick) <= 0)
                step_if_asleep(index, 0);
        }
    }

    void sleep_and_step() noexcept {
        arm_stepped();
        if (wait_errno != 0)
            return;
        const std::uint64_t due = timed ? earliest_due() : UINT64_MAX;
        std::array<epoll_event, 64> events;
        const int count = wait_for_events(events, due);
        under_way.swap(runnable);
        for (int number = 0; number < count; ++number) {
            // Errors and hang-ups come through both directions.
            step_if_asleep(events[static_cast<std::size_t>(number)].data.u64, IPCMARK_POLL_RX | IPCMARK_POLL_TX);
        }
        if (count == 0 && timed && under_way.empty()) {
            // Nothing for a while: let every driver see the stop flag.
            for (std::size_t index = 0; index < entries.size(); ++index)
                step_if_asleep(index, 0);
        }
        if (due != UINT64_MAX)
            step_due();
        for (const std::size_t index : under_way)
            step(index, IPCMARK_POLL_RX | IPCMARK_POLL_TX);
        under_way.clear();
    }

    // Whether a message was moved.
    bool spin_round() noexcept {
        bool moved = false;
        for (std::size_t index = 0; index < entries.size(); ++index) {
            if (entries[index].place == Place::done)
                continue;
            advance(index, IPCMARK_POLL_RX | IPCMARK_POLL_TX);
            moved |= entries[index].driver->take_moved();
        }
        spin_pause();
        return moved;
    }

    // Until nothing has moved for a while, and then everything is ready to be armed.
    void spin_before_sleep() noexcept {
        std::uint64_t idle_since = now();
        while (active != 0) {
            if (spin_round())
                idle_since = now();
            else if (now() - idle_since >= settings.spin_ticks)
                break;
        }
        stepped.clear();
        runnable.clear();
        for (std::size_t index = 0; index < entries.size(); ++index) {
            if (entries[index].place == Place::done)
                ask(index, 0);
            else
                (entries[index].place == Place::runnable ? runnable : stepped).push_back(index);
        }
    }
};

Reactor::Reactor(const ipcmark_ext_pollfd& calls, const ReactorSettings& settings,
                 std::span<EndpointDriver* const> drivers)
    : state_(std::make_unique<State>(State{calls, settings, epoll_create1(EPOLL_CLOEXEC), {}, {}, {}, {}})) {
    if (state_->epoll < 0)
        throw RunError(fmt::format("cannot make an epoll instance: {}", std::strerror(errno)));
    state_->entries.resize(drivers.size());
    for (std::size_t index = 0; index < drivers.size(); ++index) {
        state_->entries[index].driver = drivers[index];
        state_->watch(index);
    }
    state_->stepped.reserve(drivers.size());
    state_->runnable.reserve(drivers.size());
    state_->under_way.reserve(drivers.size());
}

Reactor::~Reactor() {
    if (state_->epoll >= 0)
        close(state_->epoll);
}

void Reactor::run(std::span<EndpointDriver* const> drivers) {
    State& state = *state_;
    state.active = drivers.size();
    state.timed = false;
    state.stepped.clear();
    state.runnable.clear();
    for (std::size_t index = 0; index < drivers.size(); ++index) {
        state.entries[index].driver = drivers[index];
        state.step(index, 0);
    }
    while (state.active != 0 && state.wait_errno == 0) {
        if (state.settings.wait == WaitPolicy::spin) {
            state.spin_round();
            continue;
        }
        if (state.settings.wait == WaitPolicy::adaptive)
            state.spin_before_sleep();
        if (state.active != 0)
            state.sleep_and_step();
    }
    if (state.wait_errno != 0)
        throw RunError(fmt::format("{}: {}",
                                   state.epoll_fails ? "epoll_wait failed"
                                                     : "a descriptor of the module cannot be waited on any more, which "
                                                       "is the module's fault",
                                   std::strerror(state.wait_errno)));
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
// The extension ipcmark.pollfd/1: endpoints that a reactor drives.
#include "host/check/allocation_count.hpp"
#include "host/check/blocked.hpp"
#include "host/check/peer.hpp"
#include "host/check/silence.hpp"
#include "host/check/task.hpp"
#include "host/check/waiting_call.hpp"

#include <ipcmark/ext/pollfd.h>

#include <algorithm>
#include <array>
#include <thread>

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

// One polled endpoint, driven by the rules in the header: try, arm, poll, try again.
class Polled {
public:
    explicit Polled(Wire& wire)
        : wire_(wire), table_(wire.context().extension<ipcmark_ext_pollfd>(IPCMARK_EXT_POLLFD)),
          rx_(get(IPCMARK_POLL_RX)), tx_(get(IPCMARK_POLL_TX)) {}

    [[nodiscard]] pollfd rx() const { return rx_; }
    [[nodiscard]] pollfd tx() const { return tx_; }

    [[nodiscard]] ipcmark_status try_send(std::span<const std::byte> data) {
        Sandbox::step("try_send");
        ipcmark_status status = IPCMARK_OK;
        {
            const CountAllocations counting(made_);
            status = table_.try_send(wire_.get(), data.data(), data.size());
        }
        Context::in_set(status, "try_send");
        note(status);
        return status;
    }
    [[nodiscard]] ipcmark_status try_recv(std::span<std::byte> into, std::size_t& size) {
        Sandbox::step("try_recv");
        ipcmark_status status = IPCMARK_OK;
        {
            const CountAllocations counting(made_);
            status = table_.try_recv(wire_.get(), into.data(), into.size(), &size);
        }
        Context::in_set(status, "try_recv");
        note(status);
        require(status != IPCMARK_OK || size <= into.size(), "try_recv gives a size above the capacity");
        return status;
    }
    [[nodiscard]] std::uint32_t arm(std::uint32_t directions) {
        Sandbox::step("arm");
        std::uint32_t ready = 0;
        ipcmark_status status = IPCMARK_OK;
        {
            const CountAllocations counting(made_);
            status = table_.arm(wire_.get(), directions, &ready);
        }
        wire_.context().expect(status, IPCMARK_OK, wire_.get(), "arm");
        require((ready & ~directions) == 0, "arm gives a direction as ready that was not asked for");
        return ready;
    }
    // Waits as a reactor does, but tries again without a wake-up where a call would be taken to hang. A peer may be
    // slow, so that no wake-up comes for long proves nothing; that the next try finds something which the wait did not
    // tell of does (`overslept`).
    void wait(std::uint32_t direction) {
        overslept_ = false;
        if (arm(direction) != 0) {
            return;
        }
        auto entry = direction == IPCMARK_POLL_RX ? rx_ : tx_;
        Sandbox::step("poll for a wake-up");
        overslept_ = poll_patiently({&entry, 1}, wire_.context().hang_limit()) != 1;
    }
    [[nodiscard]] Context& context() const { return wire_.context(); }
    [[nodiscard]] const AllocationCount& allocations() const { return made_; }

    // Repeats `attempt` until it need not wait.
    template <class Attempt>
    ipcmark_status complete(std::uint32_t direction, const std::string& what, Attempt attempt) {
        overslept_ = false;
        for (;;) {
            const auto status = attempt();
            if (status != IPCMARK_WOULD_BLOCK) {
                require(!overslept_,
                        fmt::format("a wake-up is lost: arm said to wait, poll slept for {} ms, and then {}",
                                    wire_.context().hang_limit() / 1ms, what));
                return status;
            }
            wait(direction);
        }
    }
    ipcmark_status send_status(std::span<const std::byte> data) {
        return complete(IPCMARK_POLL_TX, "there was room for a message at once", [&] { return try_send(data); });
    }
    ipcmark_status recv_status(std::span<std::byte> into, std::size_t& size) {
        return complete(IPCMARK_POLL_RX, "there was a message, or the end, at once",
                        [&] { return try_recv(into, size); });
    }
    void send(std::uint64_t sequence, std::size_t size) {
        buffer_.resize(std::max(buffer_.size(), size));
        const auto part = std::span(buffer_).first(size);
        fill(part, sequence);
        wire_.context().expect(send_status(part), IPCMARK_OK, wire_.get(), "try_send");
    }
    void recv(std::uint64_t sequence, std::size_t size) {
        in_.resize(std::max(in_.size(), size + 64));
        std::size_t got = 0;
        wire_.context().expect(recv_status(std::span(in_).first(size + 64), got), IPCMARK_OK, wire_.get(), "try_recv");
        verify(wire_.context(), std::span(in_).first(got), sequence, size);
    }

    // Sends until there is no room.
    void fill_up() {
        const auto data = message(0, static_cast<std::size_t>(wire_.context().at_most(4096)));
        for (std::uint64_t bytes = 0; bytes < never_blocks_bytes; bytes += data.size()) {
            const auto status = try_send(data);
            if (status == IPCMARK_WOULD_BLOCK) {
                unsent_ = data;
                return;
            }
            wire_.context().expect(status, IPCMARK_OK, wire_.get(), "try_send");
        }
        skip("try_send never says would_block on this transport, however much is under way");
    }
    // Again the message that found no room, as the rules want it.
    [[nodiscard]] ipcmark_status try_send_again() { return try_send(unsent_); }

private:
    static void note(ipcmark_status status) {
        if (status != IPCMARK_WOULD_BLOCK) {
            Sandbox::progress();
        }
    }
    pollfd get(std::uint32_t direction) {
        Sandbox::step("get_fd");
        pollfd entry{};
        int fd = -1;
        short events = 0;
        wire_.context().expect(table_.get_fd(wire_.get(), direction, &fd, &events), IPCMARK_OK, wire_.get(), "get_fd");
        require(fd >= 0 && events != 0, fmt::format("get_fd gives the descriptor {} and the events {:#x}", fd, events));
        entry.fd = fd;
        entry.events = events;
        return entry;
    }

    Wire& wire_;
    const ipcmark_ext_pollfd& table_;
    pollfd rx_;
    pollfd tx_;
    Bytes buffer_;
    Bytes in_;
    Bytes unsent_;
    bool overslept_ = false;
    AllocationCount made_;
};

constexpr EndpointSpec polled_spec{.flags = IPCMARK_ENDPOINT_POLLED};

void descriptors(Context& context) {
    Link link(context, fitted(context, polled_spec));
    Polled first(link.wire);
    Polled second(link.wire);
    require(first.rx().fd == second.rx().fd && first.tx().fd == second.tx().fd,
            "get_fd gives another descriptor the second time");
    auto entry = first.rx();
    require(poll(&entry, 1, 0) >= 0 && (entry.revents & POLLNVAL) == 0, "get_fd gives a descriptor that is not open");
    const int reactor = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    require(epoll_ctl(reactor, EPOLL_CTL_ADD, first.rx().fd, &event) == 0,
            "the descriptor of get_fd cannot be given to epoll");
    close(reactor);
    link.finish();
}

void would_block(Context& context) {
    Link link(context, fitted(context, polled_spec));
    Polled polled(link.wire);
    Bytes buffer(256);
    for (int i = 0; i < 50; ++i) {
        std::size_t size = 0;
        ipcmark_status status = IPCMARK_OK;
        Task task([&] { status = polled.try_recv(buffer, size); });
        require(task.done_within(context.hang_limit()), "try_recv with nothing to receive waits");
        context.expect(status, IPCMARK_WOULD_BLOCK, link.wire.get(), "try_recv with nothing to receive");
    }
    link.finish();
}

// An armed endpoint on which nothing happens must let its reactor sleep.
void idle(Context& context) {
    Link link(context, fitted(context, polled_spec));
    Polled polled(link.wire);
    Bytes buffer(256);
    const auto end = clock::now() + 300ms;
    int wake_ups = 0;
    while (clock::now() < end) {
        std::size_t size = 0;
        context.expect(polled.try_recv(buffer, size), IPCMARK_WOULD_BLOCK, link.wire.get(),
                       "try_recv with nothing to receive");
        if (polled.arm(IPCMARK_POLL_RX) == 0) {
            auto entry = polled.rx();
            if (poll(&entry, 1, 100) == 0) {
                continue;
            }
        }
        ++wake_ups;
        require(wake_ups < 50, "the descriptor keeps waking its reactor though there is nothing to receive: a "
                               "reactor would burn a CPU");
    }
    link.finish();
}

// One message at a time, at moments that fall before, into and after the other side's arm.
void wake_ups_flow(Wire& wire, bool begins) {
    Polled polled(wire);
    for (std::uint64_t i = 0; i < 5000; ++i) {
        if (begins) {
            for (std::uint64_t spin = 0; spin < (i % 64) * 16; ++spin) {
                asm volatile("" ::: "memory");
            }
            polled.send(i, 64);
        }
        polled.recv(i, 64);
        if (!begins) {
            polled.send(i, 64);
        }
    }
}
constexpr Flow wake_ups{.spec = polled_spec, .run = wake_ups_flow};

// As lifecycle.idle_endpoint, for whoever watches the descriptors of an endpoint.
void idle_endpoint(Context& context) {
    Link link(context, fitted(context, polled_spec));
    Polled polled(link.wire);
    for (std::uint64_t i = 0; i < 2; ++i) {
        polled.send(i, 64);
        polled.recv(i, 64);
    }
    link.finish();
}

void idle_endpoint_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    Polled polled(joined.wire);
    polled.recv(0, 64);
    polled.send(0, 64);
    polled.recv(1, 64);
    std::this_thread::sleep_for(long_silence);
    polled.send(1, 64);
    joined.finish();
}

void move_in_order(Polled& polled, bool sends) {
    for (std::uint64_t i = 0; i < polled.context().long_run(6000); ++i) {
        sends ? polled.send(i, 64) : polled.recv(i, 64);
    }
}

void order_flow(Wire& wire, bool sends) {
    Polled polled(wire);
    move_in_order(polled, sends);
}
constexpr Flow order{.spec = polled_spec, .run = order_flow};

void quiet_flow(Wire& wire, bool sends) {
    move_in_silence(wire, sends, move_in_order, "try_send, try_recv and arm");
}
constexpr Flow quiet{.spec = polled_spec, .run = quiet_flow};

// The sender fills the transport and waits for room again and again.
void room_flow(Wire& wire, bool sends) {
    Polled polled(wire);
    const auto size = static_cast<std::size_t>(wire.context().at_most(4096));
    for (std::uint64_t i = 0; i < 4000; ++i) {
        if (!sends && i % 1000 == 0) {
            usleep(30'000);
        }
        sends ? polled.send(i, size) : polled.recv(i, size);
    }
}
constexpr Flow room{.spec = polled_spec, .run = room_flow};

void lean_flow(Wire& wire, bool begins) {
    Polled polled(wire);
    const auto most = wire.context().at_most(4096);
    for (std::uint64_t i = 0; i < 300; ++i) {
        const auto size = static_cast<std::size_t>(i % 3 == 0 ? most : 64);
        if (begins) {
            polled.send(i, size);
        }
        polled.recv(i, size);
        if (!begins) {
            polled.send(i, size);
        }
    }
    require_no_allocation(polled.allocations(), "try_send, try_recv and arm");
}
constexpr Flow lean{.spec = polled_spec, .run = lean_flow};

void large_flow(Wire& wire, bool sends) {
    Polled polled(wire);
    const auto size = static_cast<std::size_t>(wire.context().at_most(std::uint64_t{3} << 20));
    for (std::uint64_t i = 0; i < 10; ++i) {
        sends ? polled.send(i, size) : polled.recv(i, size);
    }
}
constexpr Flow large{.spec = {.flags = IPCMARK_ENDPOINT_POLLED, .max_message_size = std::uint64_t{3} << 20},
                     .run = large_flow};

void interrupt(Context& context) {
    Link link(context, fitted(context, polled_spec));
    Polled polled(link.wire);
    Bytes buffer(256);
    std::size_t size = 0;
    context.expect(polled.try_recv(buffer, size), IPCMARK_WOULD_BLOCK, link.wire.get(), "try_recv");
    require(polled.arm(IPCMARK_POLL_RX) == 0, "arm says that there is something to receive, and there is not");
    auto entry = polled.rx();
    Task task([&] { (void)poll(&entry, 1, -1); });
    require(!task.done_within(30ms), "the descriptor is ready with nothing to receive");
    link.wire.interrupt(IPCMARK_CANCELLED);
    require(task.done_within(context.hang_limit()), "an interrupt does not wake a poll");
    for (int i = 0; i < 3; ++i) {
        require(polled.arm(IPCMARK_POLL_RX) == IPCMARK_POLL_RX, "arm does not give an interrupted direction as ready");
        context.expect(polled.try_recv(buffer, size), IPCMARK_CANCELLED, link.wire.get(),
                       "try_recv after an interrupt");
    }
    link.finish();
}

void peer_death(Context& context) {
    Link link(context, fitted(context, polled_spec));
    Polled polled(link.wire);
    Bytes buffer(256);
    std::size_t size = 0;
    context.expect(polled.try_recv(buffer, size), IPCMARK_WOULD_BLOCK, link.wire.get(), "try_recv");
    Task task([&] {
        const auto status = polled.recv_status(buffer, size);
        context.expect(status, IPCMARK_PEER_GONE, link.wire.get(), "try_recv after the peer's death");
    });
    require(!task.done_within(30ms), "try_recv found something to receive");
    link.peer.kill();
    require(task.done_within(context.hang_limit()), "the death of the peer ends nothing");
}

// A sender that finds no room sleeps until there is some, an interrupt comes or the peer dies; `idle_peer` reads
// nothing.
void idle_sender(Context& context) {
    Link link(context, fitted(context, polled_spec));
    Polled polled(link.wire);
    polled.fill_up();
    const auto end = clock::now() + 300ms;
    int woken = 0;
    while (clock::now() < end) {
        const auto status = polled.try_send_again();
        if (status == IPCMARK_OK) {
            polled.fill_up();
            continue;
        }
        context.expect(status, IPCMARK_WOULD_BLOCK, link.wire.get(), "try_send without room");
        if (polled.arm(IPCMARK_POLL_TX) == 0) {
            auto entry = polled.tx();
            if (poll(&entry, 1, 100) == 0) {
                continue;
            }
        }
        ++woken;
        require(woken < 50, "the descriptor keeps waking its reactor though there is no room to send: a reactor "
                            "would burn a CPU");
    }
    link.finish();
}

void end_sender(Context& context, Ending ending) {
    Link link(context, fitted(context, polled_spec));
    Polled polled(link.wire);
    polled.fill_up();
    ipcmark_status status = IPCMARK_OK;
    Task task([&] {
        do {
            status = polled.complete(IPCMARK_POLL_TX, "try_send returned another status than would_block",
                                     [&] { return polled.try_send_again(); });
        } while (status == IPCMARK_OK); // there was some room after all
    });
    require(!task.done_within(50ms), "try_send without room does not say would_block");
    if (ending == Ending::peer_death) {
        link.peer.kill();
        require(task.done_within(context.hang_limit()), "the death of the peer does not wake a poll for room");
        context.expect(status, IPCMARK_PEER_GONE, link.wire.get(), "try_send after the peer's death");
        return;
    }
    link.wire.interrupt(IPCMARK_CANCELLED);
    require(task.done_within(context.hang_limit()), "an interrupt does not wake a poll for room");
    context.expect(status, IPCMARK_CANCELLED, link.wire.get(), "try_send after an interrupt");
    require(polled.arm(IPCMARK_POLL_TX) == IPCMARK_POLL_TX, "arm does not give an interrupted direction as ready");
    link.finish();
}

void interrupt_sender(Context& context) {
    end_sender(context, Ending::interrupt);
}
void peer_death_of_sender(Context& context) {
    end_sender(context, Ending::peer_death);
}

// The message that does not fit is lost, and said to be.
void truncation_flow(Wire& wire, bool sends) {
    Polled polled(wire);
    const auto large_size = static_cast<std::size_t>(wire.context().at_most(4096));
    for (std::uint64_t i = 0; i < 10; ++i) {
        if (sends) {
            polled.send(2 * i, large_size);
            polled.send(2 * i + 1, 64);
            continue;
        }
        Bytes buffer(large_size + 64, std::byte{0xA5});
        const std::size_t capacity = i % 2 == 0 ? 16 : large_size - 1;
        std::size_t size = 0;
        const auto status = polled.recv_status(std::span(buffer).first(capacity), size);
        require(std::all_of(buffer.begin() + static_cast<std::ptrdiff_t>(capacity), buffer.end(),
                            [](std::byte byte) { return byte == std::byte{0xA5}; }),
                fmt::format("try_recv wrote past a buffer with a capacity of {}", capacity));
        wire.context().expect(status, IPCMARK_TRUNCATED, wire.get(),
                              fmt::format("try_recv of {} bytes with a capacity of {}", large_size, capacity));
        polled.recv(2 * i + 1, 64);
    }
}
constexpr Flow truncation{.spec = polled_spec, .run = truncation_flow};

// Eight endpoints in one epoll set, echoed by a peer with eight endpoints in its own.
constexpr std::uint32_t many_endpoints = 8;

void reactor(Context& context, std::vector<Wire>& wires, bool begins) {
    constexpr std::uint64_t rounds = 500;
    std::vector<std::unique_ptr<Polled>> polled;
    std::vector<pollfd> entries;
    std::vector<std::uint64_t> done(wires.size());
    Bytes buffer(256);
    for (auto& wire : wires) {
        polled.push_back(std::make_unique<Polled>(wire));
        entries.push_back(polled.back()->rx());
    }
    const auto number = [](std::size_t i, std::uint64_t round) { return (std::uint64_t{i + 1} << 32) + round; };
    for (std::size_t i = 0; begins && i < wires.size(); ++i) {
        polled[i]->send(number(i, 0), 64);
    }
    std::size_t open = wires.size();
    bool overslept = false;
    while (open > 0) {
        bool ready = false;
        bool moved = false;
        for (std::size_t i = 0; i < wires.size(); ++i) {
            std::size_t size = 0;
            ipcmark_status status = IPCMARK_OK;
            while (done[i] < rounds && (status = polled[i]->try_recv(buffer, size)) == IPCMARK_OK) {
                verify(context, std::span(buffer).first(size), number(i, done[i]), 64);
                moved = true;
                ++done[i];
                if (!begins || done[i] < rounds) {
                    polled[i]->send(number(i, begins ? done[i] : done[i] - 1), 64);
                }
                open -= done[i] == rounds ? 1 : 0;
                entries[i].fd = done[i] == rounds ? -1 : entries[i].fd;
            }
            if (done[i] < rounds) {
                context.expect(status, IPCMARK_WOULD_BLOCK, wires[i].get(), "try_recv");
                ready = polled[i]->arm(IPCMARK_POLL_RX) != 0 || ready;
            }
        }
        require(
            !overslept || !moved,
            fmt::format("a wake-up is lost: all of {} endpoints were armed, poll slept for {} ms, and then there was "
                        "a message at once",
                        wires.size(), context.hang_limit() / 1ms));
        Sandbox::step("poll for a wake-up of one of several endpoints");
        overslept = open > 0 && !ready && poll_patiently(entries, context.hang_limit()) == 0;
    }
}

// Four endpoints in one thread, each in the middle of a message larger than buffers are. The receivers are slow by
// turns.
constexpr std::uint32_t large_endpoints = 4;
constexpr std::uint64_t large_size = std::uint64_t{1} << 20;

void large_reactor(Context& context, std::vector<Wire>& wires, bool sends) {
    constexpr std::uint64_t messages = 5;
    const auto direction = sends ? IPCMARK_POLL_TX : IPCMARK_POLL_RX;
    const auto size = static_cast<std::size_t>(context.at_most(large_size));
    const auto number = [](std::size_t i, std::uint64_t done) { return (std::uint64_t{i + 1} << 32) + done; };
    std::vector<std::unique_ptr<Polled>> polled;
    std::vector<pollfd> entries;
    std::vector<Bytes> buffers;
    std::vector<std::uint64_t> done(wires.size());
    for (std::size_t i = 0; i < wires.size(); ++i) {
        polled.push_back(std::make_unique<Polled>(wires[i]));
        entries.push_back(sends ? polled[i]->tx() : polled[i]->rx());
        buffers.push_back(message(number(i, 0), size));
    }
    std::size_t open = wires.size();
    for (std::size_t turn = 0; open > 0; ++turn) {
        bool ready = false;
        for (std::size_t i = 0; i < wires.size(); ++i) {
            if (done[i] == messages) {
                continue;
            }
            if (!sends && turn / 16 % wires.size() == i) {
                ready = true; // tried later
                continue;
            }
            std::size_t got = 0;
            const auto status = sends ? polled[i]->try_send(buffers[i]) : polled[i]->try_recv(buffers[i], got);
            if (status == IPCMARK_WOULD_BLOCK) {
                ready = polled[i]->arm(direction) != 0 || ready;
                continue;
            }
            context.expect(status, IPCMARK_OK, wires[i].get(), sends ? "try_send" : "try_recv");
            if (!sends) {
                verify(context, std::span(buffers[i]).first(got), number(i, done[i]), size);
            }
            ++done[i];
            ready = true;
            if (sends) {
                fill(buffers[i], number(i, done[i]));
            }
            if (done[i] == messages) {
                --open;
                entries[i].fd = -1;
            }
        }
        if (!ready) {
            Sandbox::step("poll for a wake-up of one of several endpoints");
            (void)poll_patiently(entries, context.hang_limit());
        }
    }
}

// What goes over several endpoints of one thread: of the first process, and with `first` false of its peer.
struct Load {
    std::uint32_t endpoints;
    std::uint64_t max_message_size;
    void (*run)(Context& context, std::vector<Wire>& wires, bool first);
};
constexpr Load small_load{many_endpoints, 4096, reactor};
constexpr Load large_load{large_endpoints, large_size, large_reactor};

template <const Load& load> void many(Context& context) {
    const auto most = context.limits().max_endpoints;
    const auto count = most == 0 ? load.endpoints : std::min(most, load.endpoints);
    auto spec = fitted(context, {.flags = IPCMARK_ENDPOINT_POLLED, .max_message_size = load.max_message_size});
    const auto listener = context.listen(count, spec.max_message_size);
    Peer peer(context);
    peer.channel().put(Setup{spec.mirrored(), count});
    peer.channel().put_bytes(context.address(listener));
    std::vector<Wire> wires;
    for (spec.index = 0; spec.index < count; ++spec.index) {
        wires.emplace_back(context, context.accept(listener, spec));
    }
    load.run(context, wires, true);
    peer.finish();
}

template <const Load& load> void many_peer(Context& context, Channel& channel) {
    const auto setup = channel.get<Setup>();
    const auto where = channel.get_bytes();
    auto spec = setup.spec;
    std::vector<Wire> wires;
    for (spec.index = 0; spec.index < setup.argument; ++spec.index) {
        wires.emplace_back(context, context.connect(where, spec));
    }
    load.run(context, wires, false);
    channel.signal();
    channel.wait();
}

constexpr std::uint32_t dependable = IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE;
constexpr const char* id = IPCMARK_EXT_POLLFD;

constexpr std::array tests{
    Test{.id = "pollfd.descriptors",
         .proves = "Both directions have an open descriptor that stays the same and that epoll takes.",
         .run = descriptors,
         .peer = idle_peer,
         .extension = id},
    Test{.id = "pollfd.would_block",
         .proves = "try_recv with nothing to receive says so at once, as often as it is asked.",
         .run = would_block,
         .peer = idle_peer,
         .extension = id},
    Test{.id = "pollfd.idle",
         .proves = "An armed endpoint on which nothing happens lets its reactor sleep.",
         .run = idle,
         .peer = idle_peer,
         .extension = id},
    Test{.id = "pollfd.idle_endpoint",
         .proves = "An endpoint in a reactor on which nothing moves for three seconds works after them.",
         .run = idle_endpoint,
         .peer = idle_endpoint_peer,
         .extension = id},
    Test{.id = "pollfd.wake_ups",
         .proves =
             "No wake-up is lost, whether the message comes before, in or after arm, in five thousand round trips.",
         .run = run_flow<wake_ups>,
         .peer = peer_flow<wake_ups>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "pollfd.order",
         .proves = "Seventy thousand messages, more than sixteen bits count, arrive in the order of sending.",
         .run = run_flow<order>,
         .peer = peer_flow<order>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "pollfd.room",
         .proves = "A sender that waits for room is woken each time the reader makes some.",
         .run = run_flow<room>,
         .peer = peer_flow<room>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "pollfd.large",
         .proves = "A message larger than any buffer goes over in parts, by repeated calls, and arrives whole.",
         .run = run_flow<large>,
         .peer = peer_flow<large>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "pollfd.hot_is_quiet",
         .proves = "try_send, try_recv and arm neither log nor print: what they do is measured.",
         .run = run_flow<quiet>,
         .peer = peer_flow<quiet>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "pollfd.hot_does_not_allocate",
         .proves = "try_send, try_recv and arm neither allocate nor free nor map memory: what they do is measured.",
         .run = run_flow<lean>,
         .peer = peer_flow<lean>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "pollfd.interrupt",
         .proves = "An interrupt wakes the poll and ends every later try: it is how a host stops its reactor.",
         .run = interrupt,
         .peer = idle_peer,
         .extension = id},
    Test{.id = "pollfd.truncation",
         .proves = "try_recv writes no more than the buffer holds, and says so when a message does not fit.",
         .run = run_flow<truncation>,
         .peer = peer_flow<truncation>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "pollfd.idle_sender",
         .proves = "A sender that finds no room lets its reactor sleep.",
         .run = idle_sender,
         .peer = idle_peer,
         .extension = id},
    Test{.id = "pollfd.interrupt_sender",
         .proves =
             "An interrupt wakes a poll for room, too: else a host could not stop a reactor whose peer has stopped.",
         .run = interrupt_sender,
         .peer = idle_peer,
         .extension = id},
    Test{.id = "pollfd.peer_death_of_sender",
         .proves = "The death of the peer wakes a poll for room, which will never come.",
         .run = peer_death_of_sender,
         .peer = idle_peer,
         .capabilities = IPCMARK_CAP_PEER_DEATH,
         .extension = id},
    Test{.id = "pollfd.peer_death",
         .proves = "The death of the peer wakes the poll and is said to be peer_gone, never would_block for ever.",
         .run = peer_death,
         .peer = idle_peer,
         .capabilities = IPCMARK_CAP_PEER_DEATH,
         .extension = id},
    Test{.id = "pollfd.many",
         .proves = "Eight endpoints driven by one thread on each side starve or mix none.",
         .run = many<small_load>,
         .peer = many_peer<small_load>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "pollfd.many_large",
         .proves = "Each of four endpoints remembers for itself how far its message has come, whichever is tried next.",
         .run = many<large_load>,
         .peer = many_peer<large_load>,
         .capabilities = dependable,
         .extension = id},
};

} // namespace

std::span<const Test> pollfd_tests() {
    return tests;
}

} // namespace ipcmark::check

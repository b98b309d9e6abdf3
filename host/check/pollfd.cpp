// SPDX-License-Identifier: Apache-2.0
// The extension ipcmark.pollfd/1: endpoints that a reactor drives.
#include "host/check/peer.hpp"
#include "host/check/task.hpp"
#include "host/check/waiting_call.hpp"

#include <ipcmark/ext/pollfd.h>

#include <array>

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr int stall_ms = std::chrono::milliseconds(hang_limit).count();

// One polled endpoint, driven by the rules in the header: try, arm, poll, try again.
class Polled {
public:
    explicit Polled(Wire& wire)
        : wire_(wire), table_(wire.context().extension<ipcmark_ext_pollfd>(IPCMARK_EXT_POLLFD)),
          rx_(get(IPCMARK_POLL_RX)), tx_(get(IPCMARK_POLL_TX)) {}

    [[nodiscard]] pollfd rx() const { return rx_; }
    [[nodiscard]] pollfd tx() const { return tx_; }

    [[nodiscard]] ipcmark_status try_send(std::span<const std::byte> data) {
        const auto status = table_.try_send(wire_.get(), data.data(), data.size());
        Context::in_set(status, "try_send");
        return status;
    }
    [[nodiscard]] ipcmark_status try_recv(std::span<std::byte> into, std::size_t& size) {
        const auto status = table_.try_recv(wire_.get(), into.data(), into.size(), &size);
        Context::in_set(status, "try_recv");
        require(status != IPCMARK_OK || size <= into.size(), "try_recv gives a size above the capacity");
        return status;
    }
    [[nodiscard]] std::uint32_t arm(std::uint32_t directions) {
        std::uint32_t ready = 0;
        wire_.context().expect(table_.arm(wire_.get(), directions, &ready), IPCMARK_OK, wire_.get(), "arm");
        require((ready & ~directions) == 0, "arm gives a direction as ready that was not asked for");
        return ready;
    }
    // Waits as a reactor does; ends the test if no wake-up comes although the peer is at work.
    void wait(std::uint32_t direction, const std::string& what) {
        if (arm(direction) != 0) {
            return;
        }
        auto entry = direction == IPCMARK_POLL_RX ? rx_ : tx_;
        require(poll(&entry, 1, stall_ms) == 1, fmt::format("no wake-up within {} ms: {}", stall_ms, what));
    }
    ipcmark_status send_status(std::span<const std::byte> data) {
        for (;;) {
            const auto status = try_send(data);
            if (status != IPCMARK_WOULD_BLOCK) {
                return status;
            }
            wait(IPCMARK_POLL_TX, "a sender waits for room that the peer has made");
        }
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
        for (;;) {
            const auto status = try_recv(std::span(in_).first(size + 64), got);
            if (status != IPCMARK_WOULD_BLOCK) {
                wire_.context().expect(status, IPCMARK_OK, wire_.get(), "try_recv");
                break;
            }
            wait(IPCMARK_POLL_RX, fmt::format("a receiver waits for message {}, which was sent", sequence));
        }
        verify(wire_.context(), std::span(in_).first(got), sequence, size);
    }

private:
    pollfd get(std::uint32_t direction) {
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
        require(task.done_within(hang_limit), "try_recv with nothing to receive waits");
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
    Task task([&] { require(poll(&entry, 1, stall_ms) == 1, "an interrupt does not wake a poll"); });
    require(!task.done_within(30ms), "the descriptor is ready with nothing to receive");
    link.wire.interrupt(IPCMARK_CANCELLED);
    task.join("poll");
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
        ipcmark_status status = IPCMARK_WOULD_BLOCK;
        while (status == IPCMARK_WOULD_BLOCK) {
            polled.wait(IPCMARK_POLL_RX, "a receiver waits for a peer that died");
            status = polled.try_recv(buffer, size);
        }
        context.expect(status, IPCMARK_PEER_GONE, link.wire.get(), "try_recv after the peer's death");
    });
    require(!task.done_within(30ms), "try_recv found something to receive");
    link.peer.kill();
    require(task.done_within(hang_limit), "the death of the peer ends nothing");
}

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
    while (open > 0) {
        bool ready = false;
        for (std::size_t i = 0; i < wires.size(); ++i) {
            std::size_t size = 0;
            ipcmark_status status = IPCMARK_OK;
            while (done[i] < rounds && (status = polled[i]->try_recv(buffer, size)) == IPCMARK_OK) {
                verify(context, std::span(buffer).first(size), number(i, done[i]), 64);
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
        if (open > 0 && !ready) {
            require(poll(entries.data(), entries.size(), stall_ms) > 0,
                    fmt::format("no wake-up within {} ms on any of {} endpoints", stall_ms, wires.size()));
        }
    }
}

void many(Context& context) {
    const auto most = context.limits().max_endpoints;
    const auto count = most == 0 ? many_endpoints : std::min(most, many_endpoints);
    auto spec = fitted(context, polled_spec);
    const auto listener = context.listen(count, spec.max_message_size);
    Peer peer(context);
    peer.channel().put(Setup{spec.mirrored(), count});
    peer.channel().put_bytes(context.address(listener));
    std::vector<Wire> wires;
    for (spec.index = 0; spec.index < count; ++spec.index) {
        wires.emplace_back(context, context.accept(listener, spec));
    }
    reactor(context, wires, true);
    peer.channel().wait();
    peer.channel().signal();
    peer.join();
}

void many_peer(Context& context, Channel& channel) {
    const auto setup = channel.get<Setup>();
    const auto where = channel.get_bytes();
    auto spec = setup.spec;
    std::vector<Wire> wires;
    for (spec.index = 0; spec.index < setup.argument; ++spec.index) {
        wires.emplace_back(context, context.connect(where, spec));
    }
    reactor(context, wires, false);
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
    Test{.id = "pollfd.wake_ups",
         .proves =
             "No wake-up is lost, whether the message comes before, in or after arm, in five thousand round trips.",
         .run = run_flow<wake_ups>,
         .peer = peer_flow<wake_ups>,
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
    Test{.id = "pollfd.interrupt",
         .proves = "An interrupt wakes the poll and ends every later try: it is how a host stops its reactor.",
         .run = interrupt,
         .peer = idle_peer,
         .extension = id},
    Test{.id = "pollfd.peer_death",
         .proves = "The death of the peer wakes the poll and is said to be peer_gone, never would_block for ever.",
         .run = peer_death,
         .peer = idle_peer,
         .capabilities = IPCMARK_CAP_PEER_DEATH,
         .extension = id},
    Test{.id = "pollfd.many",
         .proves = "Eight endpoints driven by one thread on each side starve or mix none.",
         .run = many,
         .peer = many_peer,
         .capabilities = dependable,
         .extension = id},
};

} // namespace

std::span<const Test> pollfd_tests() {
    return tests;
}

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
// Whole messages, in order, undamaged.
#include "host/check/blocked.hpp"
#include "host/check/peer.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

constexpr std::uint32_t dependable = IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE;

// Small ones, the edges of words and cache lines, and sizes in no order.
std::size_t odd_size(std::uint64_t i, std::uint64_t most) {
    return static_cast<std::size_t>(8 + (i * 2654435761U >> 7) % (std::min<std::uint64_t>(most, 300) - 7));
}

void boundaries_flow(Wire& wire, bool sends) {
    const auto most = wire.context().at_most(4096);
    if (most < 16) {
        skip("messages of 16 bytes are too large for this module");
    }
    if (!sends) {
        usleep(20'000); // so that many are under way at once
    }
    for (std::uint64_t i = 0; i < wire.context().rounds(3000); ++i) {
        sends ? wire.send_message(i, odd_size(i, most)) : wire.recv_message(i, odd_size(i, most));
    }
}
constexpr Flow boundaries{.spec = {}, .run = boundaries_flow};

void order_flow(Wire& wire, bool sends) {
    for (std::uint64_t i = 0; i < wire.context().long_run(20'000); ++i) {
        sends ? wire.send_message(i, 64) : wire.recv_message(i, 64);
    }
}
constexpr Flow order{.spec = {}, .run = order_flow};

// The sender's buffer is overwritten the moment send returns.
void buffer_is_free_flow(Wire& wire, bool sends) {
    Bytes buffer(512);
    if (!sends) {
        usleep(20'000);
    }
    for (std::uint64_t i = 0; i < 500; ++i) {
        if (sends) {
            fill(buffer, i);
            wire.send(buffer);
            std::memset(buffer.data(), 0xEE, buffer.size());
        } else {
            wire.recv_message(i, buffer.size());
        }
    }
}
constexpr Flow buffer_is_free{.spec = {}, .run = buffer_is_free_flow};

// Large messages into buffers that are too small, each followed by one that fits.
void truncate(Wire& wire, bool sends, std::size_t large, std::size_t next) {
    for (std::uint64_t i = 0; i < 10; ++i) {
        if (sends) {
            wire.send_message(2 * i, large);
            wire.send_message(2 * i + 1, next);
            continue;
        }
        Bytes buffer(large + 64, std::byte{0xA5});
        const auto capacity = i % 2 == 0 ? std::size_t{16} : large - 1;
        std::size_t size = 0;
        const auto status = wire.try_recv(std::span(buffer).first(capacity), size);
        for (std::size_t at = capacity; at < buffer.size(); ++at) {
            require(buffer[at] == std::byte{0xA5},
                    fmt::format("recv wrote to byte {} of a buffer with a capacity of {}", at, capacity));
        }
        wire.context().expect(status, IPCMARK_TRUNCATED, wire.get(),
                              fmt::format("recv of {} bytes with a capacity of {}", large, capacity));
        wire.recv_message(2 * i + 1, next);
    }
}

void truncation_flow(Wire& wire, bool sends) {
    truncate(wire, sends, static_cast<std::size_t>(wire.context().at_most(4096)), 64);
}
constexpr Flow truncation{.spec = {}, .run = truncation_flow};

void truncation_fixed_flow(Wire& wire, bool sends) {
    const auto size = static_cast<std::size_t>(wire.context().at_most(1000));
    truncate(wire, sends, size, size);
}
constexpr Flow truncation_fixed{.spec = {.max_message_size = 1000, .tx_fixed_size = 1000, .rx_fixed_size = 1000},
                                .run = truncation_fixed_flow};

// Memory that ends where no memory is: what goes one byte too far crashes.
class GuardedMemory {
public:
    GuardedMemory() {
        void* pages = mmap(nullptr, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        require(pages != MAP_FAILED && mprotect(static_cast<std::byte*>(pages) + room, page, PROT_NONE) == 0,
                "no memory for the test");
        begin_ = static_cast<std::byte*>(pages);
    }
    GuardedMemory(const GuardedMemory&) = delete;
    GuardedMemory& operator=(const GuardedMemory&) = delete;
    ~GuardedMemory() { munmap(begin_, room + page); }

    [[nodiscard]] std::span<std::byte> last(std::size_t size) const { return {begin_ + room - size, size}; }
    void make(int protection) { require(mprotect(begin_, room, protection) == 0, "no memory for the test"); }

    static constexpr std::size_t page = 65536; // at least, on every machine
    static constexpr std::size_t room = page;

private:
    std::byte* begin_ = nullptr;
};

void guarded_flow(Wire& wire, bool sends) {
    auto& context = wire.context();
    GuardedMemory memory;
    std::uint64_t number = 0;
    for (std::size_t size = 1; size <= std::min<std::uint64_t>(context.at_most(5000), GuardedMemory::room);
         size += size < 100 ? 1 : 97) {
        const auto part = memory.last(size);
        if (sends) {
            fill(part, number++);
            memory.make(PROT_READ);
            Sandbox::step(fmt::format("send of {} bytes in memory that may only be read and has an end there", size));
            context.expect(context.table().send(wire.get(), part.data(), size), IPCMARK_OK, wire.get(), "send");
            Sandbox::progress();
            memory.make(PROT_READ | PROT_WRITE);
            continue;
        }
        std::size_t got = 0;
        Sandbox::step(fmt::format("recv of {} bytes into memory that has an end there", size));
        context.expect(context.table().recv(wire.get(), part.data(), size, &got), IPCMARK_OK, wire.get(), "recv");
        Sandbox::progress();
        verify(context, part.first(std::min(got, size)), number++, size);
    }
}
constexpr Flow guarded{.spec = {.max_message_size = 5000}, .run = guarded_flow};

void expect_error(Context& context, Wire& wire, ipcmark_status status, const std::string& action) {
    ipcmark_error error{};
    error.size = sizeof error;
    context.table().last_error(wire.get(), &error);
    error.text[sizeof error.text - 1] = '\0';
    require(status != IPCMARK_OK, action + " returned ok");
    require(error.status == status,
            fmt::format("{} returned {}, last_error says {}", action, status_name(status), status_name(error.status)));
    require(error.text[0] != '\0', fmt::format("the text of last_error after {} is empty", action));
}

void errors_have_text(Context& context) {
    Link link(context, fitted(context, {.max_message_size = 512}));
    auto& wire = link.wire;
    Bytes buffer(600);
    std::size_t size = 0;
    const auto send_of = [&](std::size_t bytes) { return wire.try_send(std::span(buffer).first(bytes)); };
    expect_error(context, wire, send_of(0), "a send of no bytes");
    expect_error(context, wire, send_of(static_cast<std::size_t>(context.at_most(512)) + 1), "a send that is too big");
    expect_error(context, wire, wire.try_recv(std::span(buffer).first(8), size), "a recv that is truncated");
    wire.interrupt(IPCMARK_CANCELLED);
    expect_error(context, wire, wire.try_recv(buffer, size), "an interrupted recv");
    link.finish();
}

void errors_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    joined.wire.send_message(0, 64);
    joined.finish();
}

void exact_capacity_flow(Wire& wire, bool sends) {
    for (std::uint64_t i = 0; i < 300; ++i) {
        const std::size_t size = 8 + i % 64;
        if (sends) {
            wire.send_message(i, size);
            continue;
        }
        Bytes buffer(size);
        verify(wire.context(), wire.recv(buffer), i, size);
    }
}
constexpr Flow exact_capacity{.spec = {}, .run = exact_capacity_flow};

// Different fixed sizes in the two directions.
void fixed_sizes(Context& context) {
    for (const auto listening : {Listening::here, Listening::peer}) {
        auto spec = fitted(context, {.max_message_size = 1000, .tx_fixed_size = 1000, .rx_fixed_size = 24});
        Link link(context, spec, 0, listening);
        for (std::uint64_t i = 0; i < context.rounds(500); ++i) {
            link.wire.send_message(i, spec.tx_fixed_size);
            Bytes exact(spec.rx_fixed_size);
            verify(context, link.wire.recv(exact), i, spec.rx_fixed_size);
        }
        link.finish();
    }
}

void fixed_sizes_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    const auto& spec = joined.setup.spec;
    for (std::uint64_t i = 0; i < context.rounds(500); ++i) {
        Bytes exact(spec.rx_fixed_size);
        verify(context, joined.wire.recv(exact), i, spec.rx_fixed_size);
        joined.wire.send_message(i, spec.tx_fixed_size);
    }
    joined.finish();
}

// A window of a round trip, as the host says it beforehand: a module that makes its buffers to measure has another way
// through its code, and must not have made them too small. No larger window than limits allows.
void window(Context& context) {
    const auto most = context.limits().max_in_flight;
    for (std::uint32_t in_flight : {1U, 3U, 16U}) {
        if (most != 0) {
            in_flight = static_cast<std::uint32_t>(std::min<std::uint64_t>(in_flight, most));
        }
        const auto spec = fitted(
            context, {.max_message_size = 200, .tx_fixed_size = 200, .rx_fixed_size = 200, .in_flight = in_flight});
        Link link(context, spec);
        const auto size = static_cast<std::size_t>(spec.max_message_size);
        // All of them before the peer receives any.
        send_unreceived(link.wire, in_flight, size,
                        fmt::format("the host said that {} messages of {} bytes would be under way, and send waits for "
                                    "the receiver sooner; name what fits in limits.max_in_flight",
                                    in_flight, size));
        link.peer.channel().signal();
        for (std::uint64_t i = 0; i < context.rounds(500); ++i) {
            link.wire.recv_message(i, size);
            link.wire.send_message(i + in_flight, size);
        }
        for (auto i = context.rounds(500); i < context.rounds(500) + in_flight; ++i) {
            link.wire.recv_message(i, size);
        }
        link.finish();
    }
}

void window_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    const auto& spec = joined.setup.spec;
    const auto size = static_cast<std::size_t>(spec.max_message_size);
    joined.channel.wait();
    for (std::uint64_t i = 0; i < context.rounds(500) + spec.in_flight; ++i) {
        joined.wire.recv_message(i, size);
        joined.wire.send_message(i, size);
    }
    joined.finish();
}

void slow_reader_flow(Wire& wire, bool sends) {
    const auto size = static_cast<std::size_t>(wire.context().at_most(4096));
    for (std::uint64_t i = 0; i < wire.context().rounds(1500); ++i) {
        if (!sends && i % 300 == 0) {
            usleep(20'000);
        }
        sends ? wire.send_message(i, size) : wire.recv_message(i, size);
    }
}
constexpr Flow slow_reader{.spec = {}, .run = slow_reader_flow};

void slow_writer_flow(Wire& wire, bool sends) {
    for (std::uint64_t i = 0; i < 60; ++i) {
        if (sends && i % 5 == 0) {
            usleep(5'000);
        }
        sends ? wire.send_message(i, 100) : wire.recv_message(i, 100);
    }
}
constexpr Flow slow_writer{.spec = {}, .run = slow_writer_flow};

constexpr std::array tests{
    Test{.id = "messages.boundaries",
         .proves = "Messages of all sizes sent in a row arrive one by one, each whole, none merged with its neighbour.",
         .run = run_flow<boundaries>,
         .peer = peer_flow<boundaries>,
         .capabilities = dependable,
         .waits = Waits::each},
    Test{.id = "messages.order",
         .proves = "Seventy thousand messages, more than sixteen bits count, arrive in the order of sending.",
         .run = run_flow<order>,
         .peer = peer_flow<order>,
         .capabilities = dependable,
         .waits = Waits::each,
         .limit = std::chrono::seconds(20)}, // without progress, and there is some all the time
    Test{.id = "messages.buffer_is_free",
         .proves =
             "The sender's buffer can be overwritten when send returns; the host stamps every message in one buffer.",
         .run = run_flow<buffer_is_free>,
         .peer = peer_flow<buffer_is_free>,
         .capabilities = dependable},
    Test{.id = "messages.truncation",
         .proves = "A message that does not fit is truncated, said to be so, and not written past the buffer; the next "
                   "one arrives.",
         .run = run_flow<truncation>,
         .peer = peer_flow<truncation>,
         .capabilities = dependable},
    Test{.id = "messages.truncation_fixed",
         .proves = "The same with a fixed size: a buffer is not to be trusted to have it.",
         .run = run_flow<truncation_fixed>,
         .peer = peer_flow<truncation_fixed>,
         .capabilities = dependable},
    Test{.id = "messages.guarded",
         .proves =
             "send only reads the message and neither function touches a byte beyond it: the host's next page may "
             "not be there.",
         .run = run_flow<guarded>,
         .peer = peer_flow<guarded>,
         .capabilities = dependable,
         .waits = Waits::each},
    Test{.id = "messages.errors_have_text",
         .proves = "last_error tells the status and a text after a send or recv that fails, for the host shows them.",
         .run = errors_have_text,
         .peer = errors_peer},
    Test{.id = "messages.exact_capacity",
         .proves = "A buffer of just the message's size is large enough.",
         .run = run_flow<exact_capacity>,
         .peer = peer_flow<exact_capacity>,
         .capabilities = dependable},
    Test{.id = "messages.fixed_sizes",
         .proves = "With fixed sizes, different in the two directions, every message arrives whole, header or not.",
         .run = fixed_sizes,
         .peer = fixed_sizes_peer,
         .waits = Waits::each},
    Test{.id = "messages.window",
         .proves = "As many messages may be under way as the host says when it makes the endpoint.",
         .run = window,
         .peer = window_peer,
         .capabilities = dependable,
         .waits = Waits::each},
    Test{.id = "messages.slow_reader",
         .proves = "A sender that must wait for a slow reader waits, and loses nothing.",
         .run = run_flow<slow_reader>,
         .peer = peer_flow<slow_reader>,
         .capabilities = dependable,
         .waits = Waits::each},
    Test{.id = "messages.slow_writer",
         .proves = "A reader that must wait, after spinning too, is woken by the next message.",
         .run = run_flow<slow_writer>,
         .peer = peer_flow<slow_writer>,
         .capabilities = dependable,
         .waits = Waits::each},
};

} // namespace

std::span<const Test> messages_tests() {
    return tests;
}

} // namespace ipcmark::check

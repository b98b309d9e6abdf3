// SPDX-License-Identifier: Apache-2.0
// From one byte to the limit, and one above.
#include "host/check/peer.hpp"

#include <array>
#include <vector>

#include <fmt/format.h>

namespace ipcmark::check {
namespace {

// What is tried at most; above it a machine's memory is tested, not the module.
constexpr std::uint64_t most_tried = std::uint64_t{64} << 20;

void one_byte_flow(Wire& wire, bool sends) {
    for (std::uint64_t i = 0; i < wire.context().rounds(1000); ++i) {
        sends ? wire.send_message(i, 1) : wire.recv_message(i, 1);
    }
}
constexpr Flow one_byte{.spec = {.max_message_size = 1}, .run = one_byte_flow};

std::vector<std::size_t> ladder_sizes(std::uint64_t top) {
    std::vector<std::size_t> sizes;
    for (std::uint64_t power = 1; power <= top; power *= 2) {
        for (const auto size : {power - 1, power, power + 1}) {
            if (size >= 1 && size <= top) {
                sizes.push_back(size);
            }
        }
    }
    if (sizes.back() != top) {
        sizes.push_back(top);
    }
    return sizes;
}

void ladder_flow(Wire& wire, bool sends) {
    std::uint64_t sequence = 0;
    for (const auto size : ladder_sizes(wire.context().at_most(most_tried))) {

        sends ? wire.send_message(sequence, size) : wire.recv_message(sequence, size);
        ++sequence;
    }
}
constexpr Flow ladder{.spec = {.max_message_size = most_tried}, .run = ladder_flow};

// A message of the wrong size is refused, and the next one is as if it had never been.
void refused_flow(Wire& wire, bool sends, std::size_t wrong, std::size_t right) {
    for (std::uint64_t i = 0; i < 20; ++i) {
        if (!sends) {
            wire.recv_message(i, right);
            continue;
        }
        const auto status = wire.try_send(message(999, wrong));
        require(status == IPCMARK_BAD_ARGUMENT || (status == IPCMARK_TOO_BIG && wrong > right),
                fmt::format("send of {} bytes, which is not allowed here, returned {}", wrong,
                            wire.context().describe(status, wire.get())));
        wire.send_message(i, right);
    }
}

void above_flow(Wire& wire, bool sends) {
    const auto most = static_cast<std::size_t>(wire.context().at_most(1000));
    refused_flow(wire, sends, most + 1, most);
}
constexpr Flow above{.spec = {.max_message_size = 1000}, .run = above_flow};

void above_limit(Context& context) {
    run_flow<above>(context);
    const auto limit = context.limits().max_message_size;
    if (limit >= std::uint64_t{1} << 40) {
        return; // the address space is the limit
    }
    ListenerHandle listener;
    const auto status = context.try_listen(context.listen_params(1, limit + 1), listener);
    require(status != IPCMARK_OK, fmt::format("listen with a max_message_size of {} returned ok; limits says that {} "
                                              "is the most. A size that is cut in silence falsifies a comparison",
                                              limit + 1, limit));
}

void zero_flow(Wire& wire, bool sends) {
    refused_flow(wire, sends, 0, 8);
}
constexpr Flow zero{.spec = {}, .run = zero_flow};

void not_the_fixed_one_flow(Wire& wire, bool sends) {
    refused_flow(wire, sends, 63, 64);
}
constexpr Flow not_the_fixed_one{.spec = {.tx_fixed_size = 64, .rx_fixed_size = 64}, .run = not_the_fixed_one_flow};

// Every size of a range, so that the edges of headers, cells and pages are among them.
void every_size_flow(Wire& wire, bool sends) {
    const auto most = wire.context().at_most(4200);
    for (std::uint64_t size = 1; size <= most; size += size < 300 ? 1 : 13) {
        sends ? wire.send_message(size, size) : wire.recv_message(size, size);
    }
}
constexpr Flow every_size{.spec = {.max_message_size = 4200}, .run = every_size_flow};

// The host measures with fixed sizes, where a byte stream has no headers and another way through the code, and says
// that a round trip has one message under way.
constexpr std::array<std::uint64_t, 14> fixed_steps{1,    7,     16,    17,    64,    4095,    4096,
                                                    4097, 65535, 65536, 65537, 99999, 1 << 20, (1 << 22) + 1};

void fixed(Context& context) {
    const auto most = context.limits().max_message_size;
    for (const auto size : fixed_steps) {
        if (size > most) {
            break;
        }
        Link link(context, {.max_message_size = size, .tx_fixed_size = size, .rx_fixed_size = size, .in_flight = 1},
                  size);
        for (std::uint64_t i = 0; i < 5; ++i) {
            link.wire.send_message(i, size);
            link.wire.recv_message(i, size);
        }
        link.finish();
    }
}

void fixed_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    for (std::uint64_t i = 0; i < 5; ++i) {
        joined.wire.recv_message(i, joined.setup.argument);
        joined.wire.send_message(i, joined.setup.argument);
    }
    joined.finish();
}

constexpr std::uint32_t dependable = IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE;

constexpr std::array tests{
    Test{.id = "sizes.one_byte",
         .proves = "A message may be one byte; the smallest is where headers and alignment go wrong.",
         .run = run_flow<one_byte>,
         .peer = peer_flow<one_byte>,
         .capabilities = dependable,
         .waits = Waits::each},
    Test{.id = "sizes.every",
         .proves = "Every size from 1 to 300 bytes, and many to 4200, arrives undamaged on one endpoint.",
         .run = run_flow<every_size>,
         .peer = peer_flow<every_size>,
         .capabilities = dependable},
    Test{.id = "sizes.ladder",
         .proves = "Each power of two, one less and one more, up to the limit that the module names (64 MiB at most), "
                   "arrives undamaged.",
         .run = run_flow<ladder>,
         .peer = peer_flow<ladder>,
         .capabilities = dependable,
         .waits = Waits::each,
         .limit = std::chrono::seconds(180)},
    Test{.id = "sizes.fixed",
         .proves = "With a fixed size, which is how the host measures, messages from one byte to four megabytes arrive "
                   "undamaged.",
         .run = fixed,
         .peer = fixed_peer,
         .capabilities = dependable},
    Test{.id = "sizes.above_limit",
         .proves = "One byte more than allowed is refused, never cut in silence, and the next message passes.",
         .run = above_limit,
         .peer = peer_flow<above>,
         .capabilities = dependable},
    Test{.id = "sizes.zero",
         .proves = "A message of no bytes is a bad argument on every transport, for some cannot tell it from the end.",
         .run = run_flow<zero>,
         .peer = peer_flow<zero>,
         .capabilities = dependable},
    Test{.id = "sizes.not_the_fixed_one",
         .proves = "A message of another than the fixed size is refused; sent, it would shift all that follow.",
         .run = run_flow<not_the_fixed_one>,
         .peer = peer_flow<not_the_fixed_one>,
         .capabilities = dependable},
};

} // namespace

std::span<const Test> sizes_tests() {
    return tests;
}

} // namespace ipcmark::check

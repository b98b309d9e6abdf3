// SPDX-License-Identifier: Apache-2.0
// The extension ipcmark.batch/1: several messages a call.
#include "host/check/allocation_count.hpp"
#include "host/check/peer.hpp"
#include "host/check/silence.hpp"
#include "host/check/task.hpp"
#include "host/check/waiting_call.hpp"

#include <ipcmark/ext/batch.h>

#include <array>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

using namespace std::chrono_literals;

class Batcher {
public:
    explicit Batcher(Wire& wire)
        : wire_(wire), table_(wire.context().extension<ipcmark_ext_batch>(IPCMARK_EXT_BATCH)) {}

    [[nodiscard]] std::size_t best() const { return std::min<std::size_t>(table_.max_batch, 64); }

    [[nodiscard]] ipcmark_status try_send(std::span<const ipcmark_tx_message> messages, std::size_t& sent) {
        Sandbox::step("send_batch");
        const auto status =
            counted([&] { return table_.send_batch(wire_.get(), messages.data(), messages.size(), &sent); });
        Context::in_set(status, "send_batch");
        Sandbox::progress();
        require(status != IPCMARK_WOULD_BLOCK, "send_batch returned would_block");
        require(status != IPCMARK_OK || (sent >= 1 && sent <= messages.size()),
                fmt::format("send_batch of {} messages returned ok and says that it sent {}", messages.size(), sent));
        return status;
    }
    [[nodiscard]] ipcmark_status try_recv(std::span<ipcmark_rx_message> messages, std::size_t& received) {
        Sandbox::step("recv_batch");
        const auto status =
            counted([&] { return table_.recv_batch(wire_.get(), messages.data(), messages.size(), &received); });
        Context::in_set(status, "recv_batch");
        Sandbox::progress();
        require(status != IPCMARK_WOULD_BLOCK, "recv_batch returned would_block");
        require(status != IPCMARK_OK || (received >= 1 && received <= messages.size()),
                fmt::format("recv_batch of up to {} messages returned ok and says that it received {}", messages.size(),
                            received));
        return status;
    }

    [[nodiscard]] Context& context() const { return wire_.context(); }
    [[nodiscard]] const AllocationCount& allocations() const { return made_; }

    // Sends messages `from` to `from + count - 1` in as few calls as it takes; each has the size that `size` gives.
    template <class Size> void send(std::uint64_t from, std::size_t count, Size size) {
        std::vector<Bytes> bodies;
        std::vector<ipcmark_tx_message> messages;
        for (std::size_t i = 0; i < count; ++i) {
            bodies.push_back(message(from + i, size(from + i)));
            messages.push_back({bodies.back().data(), bodies.back().size()});
        }
        for (std::size_t done = 0; done < count;) {
            std::size_t sent = 0;
            wire_.context().expect(try_send(std::span(messages).subspan(done), sent), IPCMARK_OK, wire_.get(),
                                   "send_batch");
            done += sent;
        }
    }
    // Receives up to `count` messages in one call and returns how many.
    template <class Size> std::size_t recv(std::uint64_t from, std::size_t count, std::size_t capacity, Size size) {
        std::vector<Bytes> bodies(count, Bytes(capacity));
        std::vector<ipcmark_rx_message> messages;
        for (auto& body : bodies) {
            messages.push_back({body.data(), body.size(), 0});
        }
        std::size_t received = 0;
        wire_.context().expect(try_recv(messages, received), IPCMARK_OK, wire_.get(), "recv_batch");
        for (std::size_t i = 0; i < received; ++i) {
            require(messages[i].size <= capacity, "recv_batch gives a size above the capacity");
            verify(wire_.context(), std::span(bodies[i]).first(messages[i].size), from + i, size(from + i));
        }
        return received;
    }

private:
    template <class Call> ipcmark_status counted(Call call) {
        const CountAllocations counting(made_);
        return call();
    }
    Wire& wire_;
    const ipcmark_ext_batch& table_;
    AllocationCount made_;
};

std::size_t mixed_size(std::uint64_t i) {
    return 1 + static_cast<std::size_t>(i * 7919 % 500);
}

void move_in_order(Batcher& batcher, bool sends) {
    const auto count = batcher.context().long_run(6000);
    const auto largest = static_cast<std::size_t>(batcher.context().at_most(4096));
    const auto fit = [&](std::uint64_t i) { return std::min(mixed_size(i), largest); };
    std::uint64_t done = 0;
    for (std::size_t turn = 0; done < count; ++turn) {
        // First all counts, then many calls.
        const auto most = turn < 256 ? 2 * batcher.best() : 16;
        const auto wanted = std::min<std::size_t>(1 + turn % most, count - done);
        if (sends) {
            batcher.send(done, wanted, fit);
            done += wanted;
        } else {
            done += batcher.recv(done, wanted, 4096, fit);
        }
    }
}

void order_flow(Wire& wire, bool sends) {
    Batcher batcher(wire);
    move_in_order(batcher, sends);
}
constexpr Flow order{.spec = {}, .run = order_flow};

void quiet_flow(Wire& wire, bool sends) {
    move_in_silence(wire, sends, move_in_order, "send_batch and recv_batch");
}
constexpr Flow quiet{.spec = {}, .run = quiet_flow};

void lean_flow(Wire& wire, bool sends) {
    Batcher batcher(wire);
    const auto same = [](std::uint64_t) { return std::size_t{64}; };
    for (std::uint64_t done = 0; done < 640;) {
        if (sends) {
            batcher.send(done, 64, same);
            done += 64;
        } else {
            done += batcher.recv(done, std::min<std::size_t>(64, 640 - done), 128, same);
        }
    }
    require_no_allocation(batcher.allocations(), sends ? "send_batch" : "recv_batch");
}
constexpr Flow lean{.spec = {}, .run = lean_flow};

// A batch that does not fit goes over in parts: what is said to be sent is sent, and no more.
void partial_flow(Wire& wire, bool sends) {
    Batcher batcher(wire);
    const std::uint64_t count = 100 * wire.context().rounds(20);
    const auto size = static_cast<std::size_t>(wire.context().at_most(4096));
    const auto same = [size](std::uint64_t) { return size; };
    for (std::uint64_t done = 0; done < count;) {
        if (sends) {
            batcher.send(done, 100, same);
            done += 100;
        } else {
            if (done % 100 == 0) {
                usleep(5'000);
            }
            done += batcher.recv(done, 1 + done % 30, size + 1, same);
        }
    }
    sends ? wire.recv_message(count, 64) : wire.send_message(count, 64);
}
constexpr Flow partial{.spec = {}, .run = partial_flow};

// Single calls on one side, batches on the other.
void mixed_flow(Wire& wire, bool sends) {
    Batcher batcher(wire);
    constexpr std::uint64_t count = 1000;
    const auto same = [](std::uint64_t) { return std::size_t{64}; };
    for (std::uint64_t done = 0; done < count;) {
        const bool single = done / 100 % 2 == 0;
        if (sends) {
            single ? wire.send_message(done, 64) : batcher.send(done, 10, same);
            done += single ? 1 : 10;
        } else if (single) {
            done += batcher.recv(done, 10, 128, same);
        } else {
            wire.recv_message(done, 64);
            ++done;
        }
    }
}
constexpr Flow mixed{.spec = {}, .run = mixed_flow};

void does_not_wait(Context& context) {
    for (const auto listening : {Listening::here, Listening::peer}) {
        Link link(context, fitted(context, {}), 0, listening);
        Batcher batcher(link.wire);
        link.peer.channel().wait(); // three are sent
        std::size_t done = 0;
        Task task([&] {
            const auto same = [](std::uint64_t) { return std::size_t{64}; };
            while (done < 3) {
                done += batcher.recv(done, 10, 128, same);
            }
        });
        require(task.done_within(context.hang_limit()),
                "recv_batch waits for more messages than there are: it waits for one and takes what is there");
        link.finish();
    }
}

void does_not_wait_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    for (std::uint64_t i = 0; i < 3; ++i) {
        joined.wire.send_message(i, 64);
    }
    channel.signal();
    joined.finish();
}

// A message that is refused does not take those before it along.
void too_big_inside(Context& context) {
    Link link(context, fitted(context, {.max_message_size = 512}));
    Batcher batcher(link.wire);
    const auto most = static_cast<std::size_t>(context.at_most(512));
    const auto good = message(0, 64);
    const Bytes bad(most + 1);
    const std::array messages{ipcmark_tx_message{good.data(), good.size()}, ipcmark_tx_message{bad.data(), bad.size()},
                              ipcmark_tx_message{good.data(), good.size()}};
    std::size_t sent = 0;
    const auto status = batcher.try_send(messages, sent);
    require(status == IPCMARK_OK && sent == 1,
            fmt::format("send_batch of a good message, one that is too big and a good one returned {} and sent {}; ok "
                        "and 1 is right: it fails only if the first cannot be sent",
                        context.describe(status, link.wire.get()), sent));
    std::size_t sent_after = 0;
    const auto second = batcher.try_send(std::span(messages).subspan(1), sent_after);
    require(
        second == IPCMARK_TOO_BIG || second == IPCMARK_BAD_ARGUMENT,
        fmt::format("send_batch of a message that is too big returned {}", context.describe(second, link.wire.get())));
    link.wire.send_message(1, 64);
    link.finish();
}

void too_big_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    joined.wire.recv_message(0, 64);
    joined.wire.recv_message(1, 64);
    joined.finish();
}

// It would fit the buffer of the one that does not: if that was lost in silence, this one shows it.
std::size_t size_after(std::uint64_t /*number*/) {
    return 8;
}

// One that does not fit its buffer, among others that are all there: those before it come first, it is told by the call
// that begins with it, and the one after it comes next.
void truncation(Context& context) {
    Link link(context, fitted(context, {}));
    Batcher batcher(link.wire);
    const auto large = static_cast<std::size_t>(context.at_most(4096));
    for (std::uint64_t round = 0; round < 10; ++round) {
        const auto first = round * 3;
        link.peer.channel().wait(); // three are sent
        Bytes before(128);
        Bytes small(round % 2 == 0 ? 16 : large - 1);
        Bytes after(128);
        std::array buffers{ipcmark_rx_message{before.data(), before.size(), 0},
                           ipcmark_rx_message{small.data(), small.size(), 0},
                           ipcmark_rx_message{after.data(), after.size(), 0}};
        std::size_t received = 0;
        auto status = batcher.try_recv(buffers, received);
        require(status == IPCMARK_OK && received == 1,
                fmt::format("recv_batch, of a message of 64 bytes and one of {} for which there is a buffer of {}, "
                            "returned {} and received {}; ok and 1 is right",
                            large, small.size(), context.describe(status, link.wire.get()), received));
        verify(context, std::span(before).first(std::min<std::size_t>(buffers[0].size, before.size())), first, 64);
        status = batcher.try_recv(std::span(buffers).subspan(1), received);
        context.expect(
            status, IPCMARK_TRUNCATED, link.wire.get(),
            fmt::format("recv_batch where a message of {} bytes comes into a buffer of {}", large, small.size()));
        (void)batcher.recv(first + 2, 1, 128, size_after);
        link.peer.channel().signal();
    }
    link.finish();
}

void truncation_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    const auto large = static_cast<std::size_t>(context.at_most(4096));
    for (std::uint64_t round = 0; round < 10; ++round) {
        for (std::uint64_t i = 0; i < 3; ++i) {
            joined.wire.send_message(round * 3 + i, i == 0 ? 64 : i == 1 ? large : size_after(i));
        }
        channel.signal();
        channel.wait();
    }
    joined.finish();
}

ipcmark_status receive_nothing(Wire& wire) {
    Bytes buffer(128);
    std::array messages{ipcmark_rx_message{buffer.data(), 64, 0}, ipcmark_rx_message{buffer.data() + 64, 64, 0}};
    std::size_t received = 0;
    return Batcher(wire).try_recv(messages, received);
}
void interrupt(Context& context) {
    end_waiting_call(context, {}, Ending::interrupt, "recv_batch", receive_nothing);
}
ipcmark_status send_two(Wire& wire, std::size_t bytes) {
    const auto body = message(0, bytes / 2);
    const std::array messages{ipcmark_tx_message{body.data(), body.size()},
                              ipcmark_tx_message{body.data(), body.size()}};
    std::size_t sent = 0;
    return Batcher(wire).try_send(messages, sent);
}
void interrupt_sender(Context& context) {
    end_waiting_send(context, {}, Ending::interrupt, "send_batch", send_two);
}
void peer_death_of_sender(Context& context) {
    end_waiting_send(context, {}, Ending::peer_death, "send_batch", send_two);
}
void peer_death(Context& context) {
    end_waiting_call(context, {}, Ending::peer_death, "recv_batch", receive_nothing);
}

constexpr std::uint32_t dependable = IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE;
constexpr const char* id = IPCMARK_EXT_BATCH;

constexpr std::array tests{
    Test{
        .id = "batch.order",
        .proves =
            "Batches of all counts, larger than the best one too, with mixed sizes, arrive whole and in order, in five "
            "thousand calls.",
        .run = run_flow<order>,
        .peer = peer_flow<order>,
        .capabilities = dependable,
        .extension = id,
        .waits = Waits::each},
    Test{.id = "batch.partial",
         .proves =
             "Of a batch that does not fit, just as many messages as the call says are sent: none twice, none lost.",
         .run = run_flow<partial>,
         .peer = peer_flow<partial>,
         .capabilities = dependable,
         .extension = id,
         .waits = Waits::each},
    Test{.id = "batch.mixed_with_single",
         .proves = "Single calls and batches mix on one endpoint.",
         .run = run_flow<mixed>,
         .peer = peer_flow<mixed>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "batch.does_not_wait_for_more",
         .proves = "recv_batch waits for one message and takes what else is there; waiting for all would add latency.",
         .run = does_not_wait,
         .peer = does_not_wait_peer,
         .capabilities = dependable,
         .extension = id,
         .waits = Waits::each},
    Test{.id = "batch.too_big_inside",
         .proves = "A message that is too big is refused and touches neither those before it nor those after.",
         .run = too_big_inside,
         .peer = too_big_peer,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "batch.truncation",
         .proves =
             "Of a batch with a message that does not fit its buffer no other is lost, and that one not in silence.",
         .run = truncation,
         .peer = truncation_peer,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "batch.hot_is_quiet",
         .proves = "send_batch and recv_batch neither log nor print: what they do is measured.",
         .run = run_flow<quiet>,
         .peer = peer_flow<quiet>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "batch.hot_does_not_allocate",
         .proves = "send_batch and recv_batch neither allocate nor free nor map memory: what they do is measured.",
         .run = run_flow<lean>,
         .peer = peer_flow<lean>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "batch.interrupt_sender",
         .proves = "A send_batch that waits for room returns the status of an interrupt.",
         .run = interrupt_sender,
         .peer = idle_peer,
         .extension = id,
         .waits = Waits::each},
    Test{.id = "batch.peer_death_of_sender",
         .proves = "A send_batch that waits for room returns peer_gone when the peer is killed.",
         .run = peer_death_of_sender,
         .peer = idle_peer,
         .capabilities = IPCMARK_CAP_PEER_DEATH,
         .extension = id,
         .waits = Waits::each},
    Test{.id = "batch.interrupt",
         .proves = "A recv_batch that waits returns the status of an interrupt.",
         .run = interrupt,
         .peer = idle_peer,
         .extension = id,
         .waits = Waits::each},
    Test{.id = "batch.peer_death",
         .proves = "A recv_batch that waits returns peer_gone when the peer is killed.",
         .run = peer_death,
         .peer = idle_peer,
         .capabilities = IPCMARK_CAP_PEER_DEATH,
         .extension = id,
         .waits = Waits::each},
};

} // namespace

std::span<const Test> batch_tests() {
    return tests;
}

} // namespace ipcmark::check

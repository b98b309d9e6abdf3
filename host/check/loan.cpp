// SPDX-License-Identifier: Apache-2.0
// The extension ipcmark.loan/1: messages written and read in place.
#include "host/check/allocation_count.hpp"
#include "host/check/peer.hpp"
#include "host/check/silence.hpp"
#include "host/check/waiting_call.hpp"

#include <ipcmark/ext/loan.h>

#include <array>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

using namespace std::chrono_literals;

class Lender {
public:
    explicit Lender(Wire& wire) : wire_(wire), table_(wire.context().extension<ipcmark_ext_loan>(IPCMARK_EXT_LOAN)) {}

    [[nodiscard]] ipcmark_status try_loan(std::size_t size, ipcmark_loan& out) {
        return counted("loan", [&] { return table_.loan(wire_.get(), size, &out); });
    }
    [[nodiscard]] ipcmark_status try_commit(std::uint64_t token, std::size_t size) {
        return counted("commit", [&] { return table_.commit(wire_.get(), token, size); });
    }
    [[nodiscard]] ipcmark_status try_discard(std::uint64_t token) {
        return counted("discard", [&] { return table_.discard(wire_.get(), token); });
    }
    [[nodiscard]] ipcmark_status try_take(ipcmark_taken& out) {
        return counted("take", [&] { return table_.take(wire_.get(), &out); });
    }
    [[nodiscard]] ipcmark_status try_release(std::uint64_t token) {
        return counted("release", [&] { return table_.release(wire_.get(), token); });
    }
    [[nodiscard]] Context& context() const { return wire_.context(); }
    [[nodiscard]] const AllocationCount& allocations() const { return made_; }

    ipcmark_loan loan(std::size_t size) {
        ipcmark_loan out{};
        ok(try_loan(size, out), fmt::format("loan of {} bytes", size));
        require(out.token != 0, "loan gives the token 0");
        require(out.data != nullptr && out.size >= size,
                fmt::format("loan of {} bytes gives {} bytes", size, out.size));
        require(reinterpret_cast<std::uintptr_t>(out.data) % 16 == 0, "a loan is not aligned to 16 bytes");
        return out;
    }
    void send(std::uint64_t sequence, std::size_t size, std::size_t spare = 0) {
        const auto out = loan(size + spare);
        fill(std::span(static_cast<std::byte*>(out.data), size), sequence);
        ok(try_commit(out.token, size), "commit");
    }
    ipcmark_taken take() {
        ipcmark_taken out{};
        ok(try_take(out), "take");
        require(out.token != 0, "take gives the token 0");
        require(out.data != nullptr, "take gives no data");
        require(reinterpret_cast<std::uintptr_t>(out.data) % 16 == 0, "a taken message is not aligned to 16 bytes");
        return out;
    }
    [[nodiscard]] static std::span<const std::byte> bytes(const ipcmark_taken& taken) {
        return {static_cast<const std::byte*>(taken.data), static_cast<std::size_t>(taken.size)};
    }
    void recv(std::uint64_t sequence, std::size_t size) {
        const auto taken = take();
        verify(wire_.context(), bytes(taken), sequence, size);
        ok(try_release(taken.token), "release");
    }
    void ok(ipcmark_status status, const std::string& what) {
        wire_.context().expect(status, IPCMARK_OK, wire_.get(), what);
    }
    static void refused(ipcmark_status status, const std::string& what) {
        require(status != IPCMARK_OK, what + " returned ok");
    }

private:
    template <class Call> ipcmark_status counted(const char* what, Call call) {
        Sandbox::step(what);
        ipcmark_status status = IPCMARK_OK;
        {
            const CountAllocations counting(made_);
            status = call();
        }
        Context::in_set(status, what);
        Sandbox::progress();
        require(status != IPCMARK_WOULD_BLOCK, fmt::format("{} returned would_block", what));
        return status;
    }
    Wire& wire_;
    const ipcmark_ext_loan& table_;
    AllocationCount made_;
};

constexpr EndpointSpec loaned_spec{.flags = IPCMARK_ENDPOINT_LOANED};

void in_place_flow(Wire& wire, bool begins) {
    Lender lender(wire);
    const auto most = wire.context().at_most(4096);
    for (std::uint64_t i = 0; i < wire.context().rounds(3000); ++i) {
        const auto size = static_cast<std::size_t>(1 + i * 37 % most);
        if (begins) {
            lender.send(i, size);
        }
        lender.recv(i, size);
        if (!begins) {
            lender.send(i, size);
        }
    }
}
constexpr Flow in_place{.spec = loaned_spec, .run = in_place_flow};

void move_stream(Lender& lender, bool sends) {
    const auto size = static_cast<std::size_t>(lender.context().at_most(1024));
    for (std::uint64_t i = 0; i < lender.context().rounds(10'000); ++i) {
        sends ? lender.send(i, size) : lender.recv(i, size);
    }
}

void stream_flow(Wire& wire, bool sends) {
    Lender lender(wire);
    move_stream(lender, sends);
}
constexpr Flow stream{.spec = loaned_spec, .run = stream_flow};

void quiet_flow(Wire& wire, bool sends) {
    move_in_silence(wire, sends, move_stream, "the functions of the loan extension");
}
constexpr Flow quiet{.spec = loaned_spec, .run = quiet_flow};

void lean_flow(Wire& wire, bool begins) {
    Lender lender(wire);
    const auto most = wire.context().at_most(4096);
    for (std::uint64_t i = 0; i < wire.context().rounds(300); ++i) {
        const auto size = static_cast<std::size_t>(i % 3 == 0 ? most : 64);
        if (begins) {
            const auto unsent = lender.loan(size);
            lender.ok(lender.try_discard(unsent.token), "discard");
            lender.send(i, size);
        }
        lender.recv(i, size);
        if (!begins) {
            lender.send(i, size);
        }
    }
    require_no_allocation(lender.allocations(), "the functions of the loan extension");
}
constexpr Flow lean{.spec = loaned_spec, .run = lean_flow};

constexpr std::uint64_t most_tried = std::uint64_t{16} << 20;

void sizes_flow(Wire& wire, bool sends) {
    Lender lender(wire);
    const auto top = wire.context().at_most(most_tried);
    std::uint64_t sequence = 0;
    for (std::uint64_t size = 1; size < top; size = size * 3 + 1) {
        sends ? lender.send(sequence, size) : lender.recv(sequence, size);
        ++sequence;
    }
    sends ? lender.send(sequence, top) : lender.recv(sequence, top);
}
constexpr Flow sizes{.spec = {.flags = IPCMARK_ENDPOINT_LOANED, .max_message_size = most_tried}, .run = sizes_flow};

void smaller_commit_flow(Wire& wire, bool sends) {
    Lender lender(wire);
    const auto half = static_cast<std::size_t>(wire.context().at_most(2048) / 2);
    for (std::uint64_t i = 0; i < 500; ++i) {
        sends ? lender.send(i, half, half) : lender.recv(i, half);
    }
}
constexpr Flow smaller_commit{.spec = {.flags = IPCMARK_ENDPOINT_LOANED, .max_message_size = 2048},
                              .run = smaller_commit_flow};

void one_at_a_time_flow(Wire& wire, bool sends) {
    Lender lender(wire);
    Context& context = wire.context();
    if (sends) {
        const auto first = lender.loan(64);
        ipcmark_loan second{};
        context.expect(lender.try_loan(64, second), IPCMARK_LIMIT, wire.get(), "a second loan");
        fill(std::span(static_cast<std::byte*>(first.data), 64), 0);
        lender.ok(lender.try_commit(first.token, 64), "commit of the first loan");
        lender.send(1, 64);
        return;
    }
    const auto first = lender.take();
    verify(context, Lender::bytes(first), 0, 64);
    ipcmark_taken second{};
    context.expect(lender.try_take(second), IPCMARK_LIMIT, wire.get(), "a second take");
    verify(context, Lender::bytes(first), 0, 64);
    lender.ok(lender.try_release(first.token), "release");
    lender.recv(1, 64);
}
constexpr Flow one_at_a_time{.spec = loaned_spec, .run = one_at_a_time_flow};

// A token is consumed by the call that gives it back, whatever the status.
void tokens_flow(Wire& wire, bool sends) {
    Lender lender(wire);
    if (sends) {
        const auto committed = lender.loan(64);
        fill(std::span(static_cast<std::byte*>(committed.data), 64), 0);
        lender.ok(lender.try_commit(committed.token, 64), "commit");
        Lender::refused(lender.try_commit(committed.token, 64), "commit of a token that was committed");
        Lender::refused(lender.try_discard(committed.token), "discard of a token that was committed");
        const auto discarded = lender.loan(64);
        lender.ok(lender.try_discard(discarded.token), "discard");
        Lender::refused(lender.try_commit(discarded.token, 64), "commit of a token that was discarded");
        Lender::refused(lender.try_commit(0, 64), "commit of the token 0");
        Lender::refused(lender.try_commit(0xDEADBEEF, 64), "commit of a token that never was");
        const auto too_much = lender.loan(64);
        const auto status = lender.try_commit(too_much.token, static_cast<std::size_t>(too_much.size) + 1);
        Lender::refused(status, "commit of more than was lent");
        Lender::refused(lender.try_commit(too_much.token, 64), "commit of a token whose commit had failed");
        lender.send(1, 64);
        return;
    }
    const auto taken = lender.take();
    verify(wire.context(), Lender::bytes(taken), 0, 64);
    lender.ok(lender.try_release(taken.token), "release");
    Lender::refused(lender.try_release(taken.token), "release of a token that was released");
    Lender::refused(lender.try_release(0), "release of the token 0");
    lender.recv(1, 64);
}
constexpr Flow tokens{.spec = loaned_spec, .run = tokens_flow};

void discard_flow(Wire& wire, bool sends) {
    Lender lender(wire);
    for (std::uint64_t i = 0; i < 500; ++i) {
        if (!sends) {
            lender.recv(i, 64);
            continue;
        }
        const auto unsent = lender.loan(128);
        fill(std::span(static_cast<std::byte*>(unsent.data), 128), 999'999);
        lender.ok(lender.try_discard(unsent.token), "discard");
        lender.send(i, 64);
    }
}
constexpr Flow discard{.spec = loaned_spec, .run = discard_flow};

// The taken message stays as it is until release, though the sender goes on as far as it can.
void stays_flow(Wire& wire, bool sends) {
    Lender lender(wire);
    for (std::uint64_t i = 0; i < 200; ++i) {
        if (sends) {
            lender.send(i, 256);
            continue;
        }
        const auto taken = lender.take();
        if (i % 50 == 0) {
            usleep(20'000);
        }
        verify(wire.context(), Lender::bytes(taken), i, 256);
        lender.ok(lender.try_release(taken.token), "release");
    }
}
constexpr Flow stays{.spec = loaned_spec, .run = stays_flow};

void too_large(Context& context) {
    Link link(context, fitted(context, {.flags = IPCMARK_ENDPOINT_LOANED, .max_message_size = 512}));
    Lender lender(link.wire);
    const auto most = static_cast<std::size_t>(context.at_most(512));
    ipcmark_loan out{};
    const auto status = lender.try_loan(most + 1, out);
    require(status == IPCMARK_TOO_BIG || status == IPCMARK_BAD_ARGUMENT,
            fmt::format("loan of one byte more than max_message_size returned {}",
                        context.describe(status, link.wire.get())));
    lender.send(0, most);
    link.finish();
}

void too_large_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    Lender(joined.wire).recv(0, static_cast<std::size_t>(context.at_most(512)));
    joined.finish();
}

// Closing consumes what is out.
void close_with_tokens(Context& context) {
    Link link(context, fitted(context, loaned_spec));
    Lender lender(link.wire);
    (void)lender.loan(64);
    const auto taken = lender.take();
    verify(context, Lender::bytes(taken), 0, 64);
    Sandbox::step("close with a loan and a taken message out");
    link.wire.close();
    link.finish();
}

void close_with_tokens_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    Lender(joined.wire).send(0, 64);
    joined.finish();
}

ipcmark_status take_nothing(Wire& wire) {
    ipcmark_taken out{};
    return Lender(wire).try_take(out);
}
void interrupt(Context& context) {
    end_waiting_call(context, loaned_spec, Ending::interrupt, "take", take_nothing);
}
ipcmark_status lend_one(Wire& wire, std::size_t bytes) {
    Lender lender(wire);
    ipcmark_loan out{};
    const auto status = lender.try_loan(bytes, out);
    return status != IPCMARK_OK ? status : lender.try_commit(out.token, bytes);
}
void interrupt_sender(Context& context) {
    end_waiting_send(context, loaned_spec, Ending::interrupt, "loan or commit", lend_one);
}
void peer_death_of_sender(Context& context) {
    end_waiting_send(context, loaned_spec, Ending::peer_death, "loan or commit", lend_one);
}
void peer_death(Context& context) {
    end_waiting_call(context, loaned_spec, Ending::peer_death, "take", take_nothing);
}

constexpr std::uint32_t dependable = IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE;
constexpr const char* id = IPCMARK_EXT_LOAN;

constexpr std::array tests{
    Test{.id = "loan.in_place",
         .proves =
             "Messages written into a loan are read in place on the other side, aligned, both ways, in all sizes.",
         .run = run_flow<in_place>,
         .peer = peer_flow<in_place>,
         .capabilities = dependable,
         .extension = id,
         .waits = Waits::each},
    Test{.id = "loan.stream",
         .proves = "Ten thousand loans one after the other: room comes back when a message is released.",
         .run = run_flow<stream>,
         .peer = peer_flow<stream>,
         .capabilities = dependable,
         .extension = id,
         .waits = Waits::each},
    Test{.id = "loan.sizes",
         .proves = "Loans from one byte to the limit (16 MiB at most) arrive undamaged.",
         .run = run_flow<sizes>,
         .peer = peer_flow<sizes>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "loan.smaller_commit",
         .proves = "Less than was lent can be sent, and just that arrives.",
         .run = run_flow<smaller_commit>,
         .peer = peer_flow<smaller_commit>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "loan.too_large",
         .proves = "A loan above the limit is refused, and the next one is given.",
         .run = too_large,
         .peer = too_large_peer,
         .extension = id},
    Test{.id = "loan.one_at_a_time",
         .proves = "A second loan or take while one is out is refused with limit, and the first stays whole.",
         .run = run_flow<one_at_a_time>,
         .peer = peer_flow<one_at_a_time>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "loan.tokens",
         .proves = "A token is consumed by the call that gives it back, whatever its status; a stale one is refused.",
         .run = run_flow<tokens>,
         .peer = peer_flow<tokens>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "loan.discard",
         .proves = "A discarded loan is never sent.",
         .run = run_flow<discard>,
         .peer = peer_flow<discard>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "loan.stays",
         .proves = "A taken message stays readable and unchanged until it is released.",
         .run = run_flow<stays>,
         .peer = peer_flow<stays>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "loan.close_with_tokens",
         .proves = "An endpoint can be closed while a loan and a taken message are out.",
         .run = close_with_tokens,
         .peer = close_with_tokens_peer,
         .extension = id},
    Test{.id = "loan.hot_is_quiet",
         .proves = "The functions of the loan extension neither log nor print: what they do is measured.",
         .run = run_flow<quiet>,
         .peer = peer_flow<quiet>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "loan.hot_does_not_allocate",
         .proves = "Lending and taking neither allocate nor free nor map memory: what they do is measured.",
         .run = run_flow<lean>,
         .peer = peer_flow<lean>,
         .capabilities = dependable,
         .extension = id},
    Test{.id = "loan.interrupt_sender",
         .proves = "A loan or commit that waits for room returns the status of an interrupt.",
         .run = interrupt_sender,
         .peer = idle_peer,
         .extension = id,
         .waits = Waits::each},
    Test{.id = "loan.peer_death_of_sender",
         .proves = "A loan or commit that waits for room returns peer_gone when the peer is killed.",
         .run = peer_death_of_sender,
         .peer = idle_peer,
         .capabilities = IPCMARK_CAP_PEER_DEATH,
         .extension = id,
         .waits = Waits::each},
    Test{.id = "loan.interrupt",
         .proves = "A take that waits returns the status of an interrupt.",
         .run = interrupt,
         .peer = idle_peer,
         .extension = id,
         .waits = Waits::each},
    Test{.id = "loan.peer_death",
         .proves = "A take that waits returns peer_gone when the peer is killed.",
         .run = peer_death,
         .peer = idle_peer,
         .capabilities = IPCMARK_CAP_PEER_DEATH,
         .extension = id,
         .waits = Waits::each},
};

} // namespace

std::span<const Test> loan_tests() {
    return tests;
}

} // namespace ipcmark::check

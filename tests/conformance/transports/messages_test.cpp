// SPDX-License-Identifier: Apache-2.0
#include "../../unit/catch.hpp"
#include "pair.hpp"

#include <algorithm>
#include <array>
#include <thread>

using namespace transports;

namespace {

const std::array<std::size_t, 14> sizes{1, 2, 7, 8, 15, 16, 17, 1000, 4096, 65535, 65536, 65537, 262144, 1 << 20};

int echo(Endpoint& end, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        end.must_send(end.must_recv());
    }
    return 0;
}

} // namespace

TEST_CASE("messages of each fixed size go there and back whole", "[messages]") {
    for (const auto& transport : all()) {
        for (const auto wait : {IPCMARK_WAIT_BLOCK, IPCMARK_WAIT_ADAPTIVE, IPCMARK_WAIT_SPIN}) {
            for (const auto size : sizes) {
                INFO(transport.label() << ", wait policy " << wait << ", size " << size);
                const Shape shape{size, size, size, static_cast<std::uint32_t>(wait), 0};
                Listening listening(transport, size);
                // Spinning beside other tests is slow: a few sizes will do.
                const bool skipped = wait == IPCMARK_WAIT_SPIN && size != 1 && size != 4096 && size != (1 << 20);
                if (size > std::min(listening.limit(), transport.largest) || skipped) {
                    continue;
                }
                Child peer([&] { return echo(*listening.connect(shape), 3); });
                const auto end = listening.accept(shape);
                for (unsigned i = 0; i < 3; ++i) {
                    const auto message = pattern(size, i);
                    end->must_send(message);
                    REQUIRE(end->must_recv() == message);
                }
                REQUIRE(peer.join() == 0);
                // Everything was received: now the end of the peer is seen, and stays.
                CHECK(end->recv().status == IPCMARK_PEER_GONE);
                CHECK(end->recv().status == IPCMARK_PEER_GONE);
            }
        }
    }
}

TEST_CASE("messages of changing sizes keep their boundaries", "[messages]") {
    for (const auto& transport : all()) {
        for (const auto wait : {IPCMARK_WAIT_BLOCK, IPCMARK_WAIT_ADAPTIVE}) {
            INFO(transport.label() << ", wait policy " << wait);
            Listening listening(transport);
            const Shape shape{std::min(listening.limit(), transport.largest), 0, 0, static_cast<std::uint32_t>(wait),
                              0};
            Child peer([&] { return echo(*listening.connect(shape), sizes.size() * 3); });
            const auto end = listening.accept(shape);
            for (unsigned i = 0; i < sizes.size() * 3; ++i) {
                const auto message = pattern(std::min<std::size_t>(sizes[i * 5 % sizes.size()], shape.max_size), i);
                end->must_send(message);
                REQUIRE(end->must_recv() == message);
            }
            CHECK(peer.join() == 0);
        }
    }
}

TEST_CASE("both directions carry messages at the same time", "[messages]") {
    constexpr unsigned count = 300;
    const auto run = [](Endpoint& end, bool fixed, std::size_t largest) {
        const auto size_of = [&](unsigned i) { return fixed ? std::size_t{3000} : 1 + i * 977 % largest; };
        std::thread sender([&] {
            for (unsigned i = 0; i < count; ++i) {
                end.must_send(pattern(size_of(i), i));
            }
        });
        bool right = true;
        for (unsigned i = 0; i < count; ++i) {
            right = end.must_recv() == pattern(size_of(i), i) && right;
        }
        sender.join();
        return right ? 0 : 1;
    };
    for (const auto& transport : all()) {
        for (const bool fixed : {true, false}) {
            for (const auto wait : {IPCMARK_WAIT_BLOCK, IPCMARK_WAIT_ADAPTIVE}) {
                INFO(transport.label() << ", fixed " << fixed << ", wait policy " << wait);
                const std::uint64_t size = fixed ? 3000 : 0;
                const auto largest = std::min<std::uint64_t>(100'000, transport.largest);
                const Shape shape{largest, size, size, static_cast<std::uint32_t>(wait), 0};
                Listening listening(transport, shape.max_size);
                if (!listening.module().has(IPCMARK_CAP_TX_RX_THREADS)) {
                    continue;
                }
                Child peer([&] { return run(*listening.connect(shape), fixed, largest); });
                const auto end = listening.accept(shape);
                CHECK(run(*end, fixed, largest) == 0);
                CHECK(peer.join() == 0);
            }
        }
    }
}

TEST_CASE("a size that an endpoint does not take is refused and sends nothing", "[messages]") {
    for (const auto& transport : all()) {
        INFO(transport.label());
        const Shape shape{1000, 0, 100, IPCMARK_WAIT_BLOCK, 0};
        Listening listening(transport, shape.max_size);
        const auto there = listening.connect(shape);
        const auto here = listening.accept(shape);
        CHECK(here->send({}) == IPCMARK_BAD_ARGUMENT);
        CHECK(here->send(pattern(1001, 0)) == IPCMARK_TOO_BIG);
        CHECK(here->error().find("max_message_size") != std::string::npos);
        CHECK(there->send(pattern(99, 0)) == IPCMARK_BAD_ARGUMENT);
        CHECK(there->send(pattern(1001, 0)) == IPCMARK_TOO_BIG);
        here->must_send(pattern(1000, 1));
        here->must_send(pattern(10, 2));
        // The large one does not fit, is lost, and nothing else is.
        std::array<unsigned char, 999> small{};
        std::size_t size = 0;
        CHECK(there->table().recv(there->handle(), small.data(), small.size(), &size) == IPCMARK_TRUNCATED);
        CHECK(there->must_recv() == pattern(10, 2));
    }
}

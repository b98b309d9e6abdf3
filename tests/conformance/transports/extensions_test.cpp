// SPDX-License-Identifier: Apache-2.0
#include "../../unit/catch.hpp"
#include "pair.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <thread>

#include <unistd.h>

using namespace transports;
using namespace std::chrono_literals;

TEST_CASE("polled endpoints carry messages of all sizes in both directions", "[extensions]") {
    for (const auto& transport : all()) {
        const auto largest = std::min<std::uint64_t>(300'000, transport.largest);
        for (const std::uint64_t fixed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{5000}, largest}) {
            INFO(transport.label() << ", fixed size " << fixed);
            const Shape shape{largest, fixed, fixed, IPCMARK_WAIT_BLOCK, IPCMARK_ENDPOINT_POLLED};
            Listening listening(transport, shape.max_size);
            const auto size_of = [&](unsigned i) { return fixed != 0 ? fixed : 1 + i * 7919 % largest; };
            Child peer([&] {
                const auto end = listening.connect(shape);
                for (unsigned i = 0; i < 60; ++i) {
                    if (end->polled_send(pattern(size_of(i), i)) != IPCMARK_OK) {
                        return 1;
                    }
                }
                for (unsigned i = 0; i < 60; ++i) {
                    if (end->polled_recv().data != pattern(size_of(i), i)) {
                        return 2;
                    }
                }
                return 0;
            });
            const auto end = listening.accept(shape);
            REQUIRE(end->pollfd() != nullptr);
            for (unsigned i = 0; i < 60; ++i) {
                REQUIRE(end->polled_recv().data == pattern(size_of(i), i));
            }
            for (unsigned i = 0; i < 60; ++i) {
                REQUIRE(end->polled_send(pattern(size_of(i), i)) == IPCMARK_OK);
            }
            CHECK(peer.join() == 0);
            CHECK(end->polled_recv().status == IPCMARK_PEER_GONE);
        }
    }
}

TEST_CASE("a poll is woken by an interrupt and by the end of the peer", "[extensions]") {
    for (const auto& transport : all()) {
        for (const bool killed : {false, true}) {
            for (const bool sending : {false, true}) {
                INFO(transport.label() << ", killed " << killed << ", sending " << sending);
                const Shape shape{1000, 1000, 1000, IPCMARK_WAIT_BLOCK, IPCMARK_ENDPOINT_POLLED};
                Listening listening(transport, shape.max_size);
                Child peer([&] {
                    const auto connected = listening.connect(shape);
                    return ::pause();
                });
                const auto end = listening.accept(shape);
                std::thread other([&] {
                    std::this_thread::sleep_for(20ms);
                    if (killed) {
                        peer.kill();
                    } else {
                        end->table().interrupt(end->handle(), IPCMARK_CANCELLED);
                    }
                });
                auto status = static_cast<ipcmark_status>(IPCMARK_OK);
                while (status == IPCMARK_OK) {
                    status = sending ? end->polled_send(pattern(1000, 0)) : end->polled_recv().status;
                }
                CHECK(status == (killed ? IPCMARK_PEER_GONE : IPCMARK_CANCELLED));
                other.join();
            }
        }
    }
}

TEST_CASE("batches of any count carry every message in order", "[extensions]") {
    for (const auto& transport : all()) {
        for (const auto wait : {IPCMARK_WAIT_BLOCK, IPCMARK_WAIT_ADAPTIVE}) {
            for (const std::uint64_t fixed : {0, 1, 64, 3000, 20'000}) {
                INFO(transport.label() << ", wait policy " << wait << ", fixed size " << fixed);
                const std::size_t total = fixed < 3000 ? 2000 : 300;
                if (transport.module == "pmq") { // no batch extension
                    continue;
                }
                const Shape shape{20'000, fixed, fixed, static_cast<std::uint32_t>(wait), 0};
                Listening listening(transport, shape.max_size);
                const auto size_of = [&](std::size_t i) { return fixed != 0 ? fixed : 1 + i * 797 % 5000; };
                Child peer([&] {
                    const auto end = listening.connect(shape);
                    std::size_t next = 0;
                    for (std::size_t round = 0; next < total; ++round) {
                        const auto count = std::min<std::size_t>(1 + round * 13 % 400, total - next);
                        std::vector<Bytes> bodies;
                        std::vector<ipcmark_tx_message> messages;
                        for (std::size_t i = 0; i < count; ++i) {
                            bodies.push_back(pattern(size_of(next + i), static_cast<unsigned>(next + i)));
                            messages.push_back({bodies.back().data(), bodies.back().size()});
                        }
                        std::size_t sent = 0;
                        if (end->batch()->send_batch(end->handle(), messages.data(), count, &sent) != IPCMARK_OK ||
                            sent == 0 || sent > count) {
                            return 1;
                        }
                        next += sent;
                    }
                    return 0;
                });
                const auto end = listening.accept(shape);
                std::vector<Bytes> buffers(97, Bytes(20'000));
                std::size_t next = 0;
                bool right = true;
                for (std::size_t round = 0; next < total; ++round) {
                    if (round % 5 == 4) { // recv and recv_batch may be mixed
                        right = end->must_recv() == pattern(size_of(next), static_cast<unsigned>(next)) && right;
                        ++next;
                        continue;
                    }
                    const auto count = std::min<std::size_t>(1 + round * 7 % 97, total - next);
                    std::vector<ipcmark_rx_message> messages;
                    for (std::size_t i = 0; i < count; ++i) {
                        messages.push_back({buffers[i].data(), buffers[i].size(), 0});
                    }
                    std::size_t received = 0;
                    REQUIRE(end->batch()->recv_batch(end->handle(), messages.data(), count, &received) == IPCMARK_OK);
                    REQUIRE(received >= 1);
                    REQUIRE(received <= count);
                    for (std::size_t i = 0; i < received; ++i, ++next) {
                        const Bytes body(buffers[i].begin(),
                                         buffers[i].begin() + static_cast<std::ptrdiff_t>(messages[i].size));
                        right = body == pattern(size_of(next), static_cast<unsigned>(next)) && right;
                    }
                }
                CHECK(right);
                CHECK(peer.join() == 0);
                std::array<ipcmark_rx_message, 2> rest{
                    {{buffers[0].data(), buffers[0].size(), 0}, {buffers[1].data(), buffers[1].size(), 0}}};
                std::size_t received = 0;
                CHECK(end->batch()->recv_batch(end->handle(), rest.data(), rest.size(), &received) ==
                      IPCMARK_PEER_GONE);
            }
        }
    }
}

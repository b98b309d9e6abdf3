// SPDX-License-Identifier: Apache-2.0
#include "../../unit/catch.hpp"
#include "pair.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include <unistd.h>

using namespace transports;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::nanoseconds promised{IPCMARK_INTERRUPT_LIMIT_NS};
constexpr ipcmark_status policies[] = {IPCMARK_WAIT_BLOCK, IPCMARK_WAIT_ADAPTIVE, IPCMARK_WAIT_SPIN};

void for_each_case(const std::function<void(const Transport&, const Shape&)>& body) {
    for (const auto& transport : all()) {
        for (const auto wait : policies) {
            for (const std::uint64_t fixed : {1000, 0}) {
                INFO(transport.label() << ", wait policy " << wait << ", fixed size " << fixed);
                body(transport, {1000, fixed, fixed, static_cast<std::uint32_t>(wait), 0});
            }
        }
    }
}

// Sends until that ends with another status.
ipcmark_status flood(Endpoint& end) {
    const auto message = pattern(1000, 0);
    for (;;) {
        if (const auto status = end.send(message); status != IPCMARK_OK) {
            return status;
        }
    }
}

} // namespace

TEST_CASE("what a killed peer had sent is received, then its end is told", "[faults]") {
    for_each_case([](const Transport& transport, const Shape& shape) {
        Listening listening(transport, shape.max_size);
        Child peer([&] {
            const auto end = listening.connect(shape);
            for (unsigned i = 0; i < 4; ++i) { // fits the smallest buffer
                end->must_send(pattern(1000, i));
            }
            return ::raise(SIGKILL);
        });
        const auto end = listening.accept(shape);
        // Left unread over there, and sent to nobody: neither may cost what came before the end.
        (void)end->send(pattern(1000, 0));
        REQUIRE(peer.join() == -SIGKILL);
        (void)end->send(pattern(1000, 0));
        for (unsigned i = 0; i < 4; ++i) {
            REQUIRE(end->must_recv() == pattern(1000, i));
        }
        CHECK(end->recv().status == IPCMARK_PEER_GONE);
        CHECK(flood(*end) == IPCMARK_PEER_GONE);
    });
}

TEST_CASE("a call that waits returns when the peer is killed", "[faults]") {
    for_each_case([](const Transport& transport, const Shape& shape) {
        for (const bool sending : {false, true}) {
            Listening listening(transport, shape.max_size);
            Child peer([&] {
                const auto end = listening.connect(shape);
                return ::pause();
            });
            const auto end = listening.accept(shape);
            std::thread killer([&] {
                std::this_thread::sleep_for(20ms);
                peer.kill();
            });
            CHECK((sending ? flood(*end) : end->recv().status) == IPCMARK_PEER_GONE);
            killer.join();
        }
    });
}

TEST_CASE("an interrupt ends the present call and every later one with its first status", "[faults]") {
    for_each_case([](const Transport& transport, const Shape& shape) {
        for (const bool sending : {false, true}) {
            for (const bool before : {false, true}) {
                Listening listening(transport, shape.max_size);
                const auto there = listening.connect(shape);
                const auto here = listening.accept(shape);
                const auto interrupt = [&] {
                    here->table().interrupt(here->handle(), IPCMARK_CANCELLED);
                    here->table().interrupt(here->handle(), IPCMARK_TIMED_OUT);
                };
                std::thread other([&] {
                    std::this_thread::sleep_for(before ? 0ms : 20ms);
                    interrupt();
                });
                if (before) {
                    other.join();
                }
                CHECK((sending ? flood(*here) : here->recv().status) == IPCMARK_CANCELLED);
                CHECK(here->recv().status == IPCMARK_CANCELLED);
                CHECK(flood(*here) == IPCMARK_CANCELLED);
                if (!before) {
                    other.join();
                }
            }
        }
    });
}

TEST_CASE("an interrupt is quick", "[faults]") {
    for_each_case([](const Transport& transport, const Shape& shape) {
        // The machine may be busy and late now and then; what looks too seldom is late each time.
        auto least = std::chrono::steady_clock::duration::max();
        for (int attempt = 0; attempt < 10 && least > promised; ++attempt) {
            Listening listening(transport, shape.max_size);
            const auto there = listening.connect(shape);
            const auto here = listening.accept(shape);
            std::chrono::steady_clock::time_point raised;
            std::thread other([&] {
                std::this_thread::sleep_for(5ms * (attempt + 1));
                raised = std::chrono::steady_clock::now();
                here->table().interrupt(here->handle(), IPCMARK_CANCELLED);
            });
            CHECK(here->recv().status == IPCMARK_CANCELLED);
            const auto returned = std::chrono::steady_clock::now();
            other.join();
            least = std::min(least, returned - raised);
        }
        CHECK(least <= promised);
    });
}

TEST_CASE("an accept can be interrupted, and gives up in time", "[faults]") {
    for (const auto& transport : all()) {
        INFO(transport.label());
        Listening listening(transport);
        std::unique_ptr<Endpoint> none;
        CHECK(listening.try_accept({}, none, 10ms) == IPCMARK_TIMED_OUT);
        std::thread other([&] {
            std::this_thread::sleep_for(10ms);
            listening.module().table().interrupt_listener(listening.handle(), IPCMARK_CANCELLED);
        });
        CHECK(listening.try_accept({}, none, hang_limit) == IPCMARK_CANCELLED);
        other.join();
        CHECK(listening.try_accept({}, none, hang_limit) == IPCMARK_CANCELLED);
    }
}

TEST_CASE("a peer that was stopped for a while loses nothing", "[faults]") {
    for_each_case([](const Transport& transport, const Shape& shape) {
        if (shape.wait == IPCMARK_WAIT_SPIN) {
            return; // the same path as the other two, and slow beside other tests
        }
        constexpr unsigned count = 3000;
        Listening listening(transport, shape.max_size);
        Child peer([&] {
            const auto end = listening.connect(shape);
            ::raise(SIGSTOP);
            for (unsigned i = 0; i < count; ++i) {
                if (end->must_recv() != pattern(1000, i)) {
                    return 1;
                }
            }
            return 0;
        });
        const auto end = listening.accept(shape);
        std::thread other([&] {
            peer.await_stop();
            std::this_thread::sleep_for(30ms);
            peer.go_on();
        });
        for (unsigned i = 0; i < count; ++i) {
            end->must_send(pattern(1000, i));
        }
        other.join();
        CHECK(peer.join() == 0);
    });
}

TEST_CASE("nobody at an address is told as such", "[faults]") {
    for (const auto& transport : all()) {
        INFO(transport.label());
        Listening first(transport);
        Listening second(transport);
        first.close();
        try {
            (void)first.connect({transport.largest});
            FAIL("connected to nobody");
        } catch (const ipcmark::ModuleFailure& failure) {
            CHECK(failure.status() == IPCMARK_NOT_CONNECTED);
        }
    }
}

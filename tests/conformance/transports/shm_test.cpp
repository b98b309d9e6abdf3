// SPDX-License-Identifier: Apache-2.0
// What only the shared-memory module has: loans, memory that the peer can write to, pieces of long messages.
#include "../../unit/catch.hpp"
#include "pair.hpp"

#include <ipcmark/ext/loan.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

using namespace transports;
using namespace std::chrono_literals;

namespace {

const Transport shm{"shm", {}};
constexpr std::uint32_t policies[] = {IPCMARK_WAIT_BLOCK, IPCMARK_WAIT_ADAPTIVE, IPCMARK_WAIT_SPIN};

const ipcmark_ext_loan& loans_of(const Endpoint& end) {
    return *static_cast<const ipcmark_ext_loan*>(end.table().get_extension(IPCMARK_EXT_LOAN));
}

ipcmark_status send_in_place(Endpoint& end, const Bytes& message) {
    ipcmark_loan loan{};
    if (const auto status = loans_of(end).loan(end.handle(), message.size(), &loan); status != IPCMARK_OK) {
        return status;
    }
    std::memcpy(loan.data, message.data(), message.size());
    return loans_of(end).commit(end.handle(), loan.token, message.size());
}

Received receive_in_place(Endpoint& end) {
    ipcmark_taken taken{};
    Received received;
    received.status = loans_of(end).take(end.handle(), &taken);
    if (received.status == IPCMARK_OK) {
        const auto* const bytes = static_cast<const unsigned char*>(taken.data);
        received.data.assign(bytes, bytes + taken.size);
        received.status = loans_of(end).release(end.handle(), taken.token);
    }
    return received;
}

Shape loaned(std::uint64_t max, std::uint64_t fixed, std::uint32_t wait = IPCMARK_WAIT_ADAPTIVE) {
    return {max, fixed, fixed, wait, IPCMARK_ENDPOINT_LOANED};
}

// Every mapping of the memfd of an endpoint in this process.
struct Mapping {
    unsigned char* begin;
    std::size_t size;
};
std::vector<Mapping> mappings() {
    std::vector<Mapping> found;
    std::ifstream maps("/proc/self/maps");
    for (std::string text; std::getline(maps, text);) {
        unsigned long begin = 0;
        unsigned long end = 0;
        if (text.find("memfd:ipcmark") != std::string::npos &&
            std::sscanf(text.c_str(), "%lx-%lx", &begin, &end) == 2) {
            found.push_back({reinterpret_cast<unsigned char*>(begin), end - begin});
        }
    }
    return found;
}

} // namespace

TEST_CASE("messages are written and read in place in every size", "[shm]") {
    for (const auto wait : policies) {
        for (const std::size_t size : {1, 7, 8, 16, 17, 64, 255, 256, 4096, 16385, 1 << 20, 64 << 20}) {
            for (const bool fixed : {true, false}) {
                // Slow beside other tests, and no other way through the code.
                if ((wait == IPCMARK_WAIT_SPIN && size > 4096) || (wait == IPCMARK_WAIT_BLOCK && size > 1 << 20)) {
                    continue;
                }
                INFO("wait policy " << wait << ", size " << size << ", fixed " << fixed);
                auto shape = loaned(size, fixed ? size : 0, wait);
                shape.in_flight = fixed ? 1 : 0; // slots, where they are small
                Listening listening(shm, size);
                Child peer([&] {
                    const auto end = listening.connect(shape);
                    for (unsigned i = 0; i < 5; ++i) {
                        if (send_in_place(*end, receive_in_place(*end).data) != IPCMARK_OK) {
                            return 1;
                        }
                    }
                    return 0;
                });
                const auto end = listening.accept(shape);
                for (unsigned i = 0; i < 5; ++i) {
                    const auto message = pattern(fixed ? size : std::max<std::size_t>(size - i * size / 7, 1), i);
                    REQUIRE(send_in_place(*end, message) == IPCMARK_OK);
                    REQUIRE(receive_in_place(*end).data == message);
                }
                CHECK(peer.join() == 0);
                CHECK(receive_in_place(*end).status == IPCMARK_PEER_GONE);
            }
        }
    }
}

TEST_CASE("loans of changing sizes, some given back or committed smaller, keep the order through many laps", "[shm]") {
    constexpr unsigned count = 20'000;
    const auto shape = loaned(9000, 0);
    Listening listening({"shm", {{"buffer-size", "65536"}}}, shape.max_size);
    const auto size_of = [](unsigned i) { return std::size_t{1} + i * 7919U % 9000U; };
    Child peer([&] {
        const auto end = listening.connect(shape);
        for (unsigned i = 0; i < count; ++i) {
            ipcmark_loan loan{};
            if (i % 3 == 0) {
                if (loans_of(*end).loan(end->handle(), 9000, &loan) != IPCMARK_OK ||
                    loans_of(*end).discard(end->handle(), loan.token) != IPCMARK_OK) {
                    return 1;
                }
            }
            const auto lent = i % 2 == 0 ? size_of(i) : 9000;
            if (loans_of(*end).loan(end->handle(), lent, &loan) != IPCMARK_OK || loan.size < lent ||
                reinterpret_cast<std::uintptr_t>(loan.data) % 16 != 0) {
                return 2;
            }
            const auto message = pattern(size_of(i), i);
            std::memcpy(loan.data, message.data(), message.size());
            if (loans_of(*end).commit(end->handle(), loan.token, message.size()) != IPCMARK_OK) {
                return 3;
            }
        }
        return 0;
    });
    const auto end = listening.accept(shape);
    bool right = true;
    for (unsigned i = 0; i < count; ++i) {
        ipcmark_taken taken{};
        REQUIRE(loans_of(*end).take(end->handle(), &taken) == IPCMARK_OK);
        const auto message = pattern(size_of(i), i);
        right = right && taken.size == message.size() && reinterpret_cast<std::uintptr_t>(taken.data) % 16 == 0 &&
                std::memcmp(taken.data, message.data(), message.size()) == 0;
        REQUIRE(loans_of(*end).release(end->handle(), taken.token) == IPCMARK_OK);
    }
    CHECK(right);
    CHECK(peer.join() == 0);
}

TEST_CASE("a token is good once, and one loan and one message are out at a time", "[shm]") {
    const auto shape = loaned(1000, 0);
    Listening listening(shm, shape.max_size);
    const auto there = listening.connect(shape);
    const auto here = listening.accept(shape);
    const auto& loans = loans_of(*here);
    ipcmark_loan loan{};
    ipcmark_loan second{};
    CHECK(loans.loan(here->handle(), 0, &loan) == IPCMARK_BAD_ARGUMENT);
    CHECK(loans.loan(here->handle(), 1001, &loan) == IPCMARK_TOO_BIG);
    REQUIRE(loans.loan(here->handle(), 100, &loan) == IPCMARK_OK);
    CHECK(loan.token != 0);
    CHECK(loans.loan(here->handle(), 100, &second) == IPCMARK_LIMIT);
    CHECK(loans.commit(here->handle(), loan.token + 1, 100) == IPCMARK_BAD_ARGUMENT);
    CHECK(loans.commit(here->handle(), loan.token, 101) == IPCMARK_TOO_BIG); // consumed whatever the status
    CHECK(loans.commit(here->handle(), loan.token, 100) == IPCMARK_BAD_ARGUMENT);
    CHECK(loans.discard(here->handle(), loan.token) == IPCMARK_BAD_ARGUMENT);
    CHECK(loans.discard(here->handle(), 0) == IPCMARK_BAD_ARGUMENT);
    REQUIRE(send_in_place(*here, pattern(100, 1)) == IPCMARK_OK);
    REQUIRE(here->send(pattern(50, 2)) == IPCMARK_OK); // copied into the same ring

    const auto& takes = loans_of(*there);
    ipcmark_taken taken{};
    ipcmark_taken other{};
    REQUIRE(takes.take(there->handle(), &taken) == IPCMARK_OK);
    CHECK(taken.size == 100);
    CHECK(takes.take(there->handle(), &other) == IPCMARK_LIMIT);
    CHECK(takes.release(there->handle(), taken.token + 1) == IPCMARK_BAD_ARGUMENT);
    CHECK(takes.release(there->handle(), taken.token) == IPCMARK_OK);
    CHECK(takes.release(there->handle(), taken.token) == IPCMARK_BAD_ARGUMENT);
    CHECK(there->must_recv() == pattern(50, 2));

    // A loan and a taken message that are out do not outlive the endpoint.
    REQUIRE(loans.loan(here->handle(), 100, &loan) == IPCMARK_OK);
}

TEST_CASE("an endpoint that was not made for loans refuses them", "[shm]") {
    Listening listening(shm, 1000);
    const auto there = listening.connect({1000});
    const auto here = listening.accept({1000});
    ipcmark_loan loan{};
    ipcmark_taken taken{};
    CHECK(loans_of(*here).loan(here->handle(), 100, &loan) == IPCMARK_BAD_ARGUMENT);
    CHECK(loans_of(*here).take(here->handle(), &taken) == IPCMARK_BAD_ARGUMENT);
}

TEST_CASE("a message of 64 MiB goes there and back whole, also through a ring of 64 KiB", "[shm]") {
    for (const auto* ring : {"0", "65536"}) {
        for (const bool polled : {false, true}) {
            INFO("buffer-size " << ring << ", polled " << polled);
            constexpr std::size_t size = 64 << 20;
            const Shape shape{size, size, size, IPCMARK_WAIT_ADAPTIVE,
                              polled ? std::uint32_t{IPCMARK_ENDPOINT_POLLED} : 0};
            Listening listening({"shm", {{"buffer-size", ring}}}, size);
            Child peer([&] {
                const auto end = listening.connect(shape);
                if (polled) {
                    return end->polled_send(end->polled_recv().data) == IPCMARK_OK ? 0 : 1;
                }
                end->must_send(end->must_recv());
                return 0;
            });
            const auto end = listening.accept(shape);
            const auto message = pattern(size, 3);
            if (polled) {
                REQUIRE(end->polled_send(message) == IPCMARK_OK);
                CHECK(end->polled_recv().data == message);
            } else {
                end->must_send(message);
                CHECK(end->must_recv() == message);
            }
            CHECK(peer.join() == 0);
        }
    }
}

TEST_CASE("a peer killed in the middle of a message is told after the whole ones", "[shm]") {
    for (const auto wait : policies) {
        INFO("wait policy " << wait);
        constexpr std::size_t size = 1 << 20;
        const Shape shape{size, 0, 0, wait, 0};
        Listening listening({"shm", {{"buffer-size", "65536"}}}, size);
        Child peer([&] {
            const auto end = listening.connect(shape);
            end->must_send(pattern(100, 1));
            std::thread killer([] {
                std::this_thread::sleep_for(50ms);
                ::raise(SIGKILL);
            });
            end->must_send(pattern(size, 2)); // waits for room: nobody receives yet
            return 0;
        });
        const auto end = listening.accept(shape);
        REQUIRE(peer.join() == -SIGKILL);
        CHECK(end->must_recv() == pattern(100, 1));
        CHECK(end->recv().status == IPCMARK_PEER_GONE);
        CHECK(end->recv().status == IPCMARK_PEER_GONE);
    }
}

TEST_CASE("a receiver killed in the middle of a message lets the sender go", "[shm]") {
    for (const auto wait : policies) {
        INFO("wait policy " << wait);
        constexpr std::size_t size = 256 << 20;
        const Shape shape{size, 0, 0, wait, 0};
        Listening listening({"shm", {{"buffer-size", "65536"}}}, size);
        Child peer([&] {
            const auto end = listening.connect(shape);
            std::thread killer([] {
                std::this_thread::sleep_for(10ms);
                ::raise(SIGKILL);
            });
            for (;;) {
                (void)end->recv();
            }
            return 0;
        });
        const auto end = listening.accept(shape);
        const auto message = pattern(size, 2);
        auto status = static_cast<ipcmark_status>(IPCMARK_OK);
        while (status == IPCMARK_OK) {
            status = end->send(message);
        }
        CHECK(status == IPCMARK_PEER_GONE);
        CHECK(peer.join() == -SIGKILL);
    }
}

// Two reactors, each polled whenever there is nothing to do, with delays that put a poll before, into and after the
// other's step. polled_recv and polled_send throw if a poll is not woken.
TEST_CASE("no wake-up is lost between an arming and a step of the peer", "[shm]") {
    // Records in a large and a small ring, and slots.
    for (const auto& [ring, in_flight] : {std::pair{"0", 0U}, {"4096", 0U}, {"0", 8U}}) {
        INFO("buffer-size " << ring << ", under way " << in_flight);
        constexpr unsigned count = 20'000;
        const Shape shape{300, 300, 300, IPCMARK_WAIT_BLOCK, IPCMARK_ENDPOINT_POLLED, in_flight};
        Listening listening({"shm", {{"buffer-size", ring}}}, shape.max_size);
        const auto dally = [](std::minstd_rand& random) {
            for (auto turns = random() % 300; turns > 0; --turns) {
                std::atomic_signal_fence(std::memory_order_seq_cst);
            }
        };
        Child peer([&] {
            std::minstd_rand random(1);
            const auto end = listening.connect(shape);
            for (unsigned i = 0; i < count; ++i) {
                dally(random);
                if (end->polled_send(end->polled_recv().data) != IPCMARK_OK) {
                    return 1;
                }
            }
            return 0;
        });
        std::minstd_rand random(2);
        const auto end = listening.accept(shape);
        bool right = true;
        unsigned received = 0;
        for (unsigned sent = 0; sent < count || received < count;) {
            // Up to 12 under way, more than the small rings hold.
            if (sent < count && sent - received < 1 + sent % 12) {
                dally(random);
                REQUIRE(end->polled_send(pattern(300, sent++)) == IPCMARK_OK);
            } else {
                right = end->polled_recv().data == pattern(300, received++) && right;
            }
        }
        CHECK(right);
        CHECK(peer.join() == 0);
    }
}

TEST_CASE("no wake-up is lost between falling asleep and a step of the peer", "[shm]") {
    // Records of all sizes, and slots, of which there are fewer than messages under way.
    for (const auto& [wait, slots] : {std::pair{IPCMARK_WAIT_BLOCK, 0U},
                                      {IPCMARK_WAIT_ADAPTIVE, 0U},
                                      {IPCMARK_WAIT_BLOCK, 2U},
                                      {IPCMARK_WAIT_ADAPTIVE, 1U}}) {
        INFO("wait policy " << wait << ", slots " << slots);
        constexpr unsigned count = 30'000;
        const auto fixed = slots != 0 ? std::uint64_t{200} : 0;
        const Shape shape{200, fixed, fixed, static_cast<std::uint32_t>(wait), 0, slots};
        Listening listening({"shm", {{"buffer-size", slots != 0 ? "0" : "4096"}}}, shape.max_size);
        // Each side sends and receives on a thread of its own, in bursts, so that both ends of both rings sleep.
        const auto size_of = [fixed](unsigned i) { return fixed != 0 ? fixed : 1 + i % 200; };
        const auto run = [&](Endpoint& end, unsigned seed) {
            std::thread sender([&] {
                std::minstd_rand random(seed);
                for (unsigned i = 0; i < count; ++i) {
                    end.must_send(pattern(size_of(i), i));
                    if (random() % 64 == 0) {
                        std::this_thread::sleep_for(std::chrono::microseconds(random() % 100));
                    }
                }
            });
            bool right = true;
            for (unsigned i = 0; i < count; ++i) {
                right = end.must_recv() == pattern(size_of(i), i) && right;
            }
            sender.join();
            return right ? 0 : 1;
        };
        Child peer([&] { return run(*listening.connect(shape), 5); });
        const auto end = listening.accept(shape);
        CHECK(run(*end, 6) == 0);
        CHECK(peer.join() == 0);
    }
}

TEST_CASE("whatever a peer writes into the memory, a call ends in an error at worst", "[shm]") {
    // Each child overwrites the memory while this side sends and receives: at the beginning, where the positions are,
    // and all over.
    for (unsigned seed = 0; seed < 90; ++seed) {
        const bool direct = seed % 3 == 0;
        const bool slots = seed >= 60;
        INFO("seed " << seed);
        const auto fixed = slots ? std::uint64_t{3000} : 0;
        const Shape shape{
            3000,           fixed, fixed, IPCMARK_WAIT_SPIN, direct ? std::uint32_t{IPCMARK_ENDPOINT_LOANED} : 0,
            slots ? 2U : 0U};
        Listening listening({"shm", {{"buffer-size", slots ? "0" : "16384"}}}, shape.max_size);
        Child peer([&] {
            std::mt19937_64 random(seed);
            const auto end = listening.connect(shape);
            end->must_send(pattern(slots ? 3000 : 100, 1));
            const auto memory = mappings().at(0);
            for (unsigned i = 0;; ++i) {
                const auto reach = seed % 2 == 0 ? std::size_t{4096} : memory.size;
                const auto at = random() % (reach / 8) * 8;
                auto value = random();
                switch (random() % 4) {
                case 0:
                    value = ~std::uint64_t{0};
                    break;
                case 1:
                    value %= 20'000;
                    break;
                case 2:
                    value |= std::uint64_t{1} << 63;
                    break;
                default:
                    break;
                }
                std::memcpy(memory.begin + at, &value, sizeof value);
            }
            return 0;
        });
        const auto end = listening.accept(shape);
        std::thread stop([&] {
            std::this_thread::sleep_for(20ms);
            end->table().interrupt(end->handle(), IPCMARK_CANCELLED);
        });
        for (const bool sending : {false, true}) {
            auto status = static_cast<ipcmark_status>(IPCMARK_OK);
            while (status == IPCMARK_OK || status == IPCMARK_TRUNCATED) {
                if (direct) {
                    status = sending ? send_in_place(*end, pattern(3000, 0)) : receive_in_place(*end).status;
                } else {
                    status = sending ? end->send(pattern(3000, 0)) : end->recv().status;
                }
            }
            CHECK((status == IPCMARK_SYSTEM || status == IPCMARK_CANCELLED));
        }
        stop.join();
    }
}

TEST_CASE("the peer cannot cut the memory off", "[shm]") {
    Listening listening(shm, 1000);
    const auto there = listening.connect({1000});
    const auto here = listening.accept({1000});
    unsigned found = 0;
    for (int fd = 3; fd < 256; ++fd) {
        const int seals = ::fcntl(fd, F_GET_SEALS);
        if (seals >= 0) {
            ++found;
            CHECK(::ftruncate(fd, 0) != 0);
            CHECK(::ftruncate(fd, 1 << 30) != 0);
        }
    }
    CHECK(found == 2);
}

TEST_CASE("rings that cannot be are refused with the reason", "[shm]") {
    const auto refusal = [](const Transport& transport, const Shape& shape) -> std::string {
        try {
            Listening listening(transport, shape.max_size);
            (void)listening.connect(shape);
        } catch (const ipcmark::ModuleFailure& failure) {
            return failure.what();
        }
        return "none";
    };
    CHECK(refusal({"shm", {{"buffer-size", "100"}}}, {64}).find("at least 4K") != std::string::npos);
    CHECK(refusal({"shm", {{"buffer-size", "65536"}}}, loaned(1 << 20, 0)).find("buffer-size 65536") !=
          std::string::npos);
    CHECK(refusal({"shm", {{"numa-node", "1000"}}}, {64}).find("no NUMA node 1000") != std::string::npos);
    const auto too_much = refusal({"shm", {{"buffer-size", "1000000000000"}}}, {64});
    CHECK(too_much.find("MiB are available") != std::string::npos);
    const auto free_huge_pages = [] {
        std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
        unsigned count = 0;
        file >> count;
        return count;
    };
    if (free_huge_pages() < 2) {
        CHECK(refusal({"shm", {{"huge-pages", "2M"}}}, {64}).find("nr_hugepages") != std::string::npos);
    }
}

TEST_CASE("the rings are where and what the options say", "[shm]") {
    Listening listening({"shm", {{"buffer-size", "3M"}, {"numa-node", "0"}}}, 1000);
    const auto there = listening.connect({1000});
    const auto here = listening.accept({1000});
    for (const auto* end : {there.get(), here.get()}) {
        ipcmark_value value{};
        REQUIRE(end->table().effective_option(end->handle(), 0, &value) == IPCMARK_OK);
        CHECK(value.as.u64 >= (3U << 20) - 64);
        CHECK(value.as.u64 <= 3U << 20);
        REQUIRE(end->table().effective_option(end->handle(), 1, &value) == IPCMARK_OK);
        CHECK(value.as.u64 == 0);
        REQUIRE(end->table().effective_option(end->handle(), 2, &value) == IPCMARK_OK);
        CHECK(value.as.i64 == 0);
    }
}

// The smallest rings, and the largest one that is still made to measure: a receiver that is behind by all that may be
// under way has given as little back as it can.
TEST_CASE("what is under way fits into the ring at any time", "[shm]") {
    for (const std::uint32_t in_flight : {1U, 2U, 3U, 16U, 200U}) {
        for (const std::size_t size : {1U, 7U, 64U, 250U, 300U, 1000U, 4096U, 5000U, 20000U}) {
            for (const bool fixed : {true, false}) {
                INFO(in_flight << " messages of " << size << (fixed ? " bytes, always" : " bytes"));
                const std::uint64_t always = fixed ? size : 0;
                const Shape shape{size, always, always, IPCMARK_WAIT_BLOCK, IPCMARK_ENDPOINT_POLLED, in_flight};
                Listening listening(shm, size);
                const auto there = listening.connect(shape);
                const auto here = listening.accept(shape);
                const auto message = pattern(size, 1);
                const auto try_send = [&] {
                    return there->pollfd()->try_send(there->handle(), message.data(), message.size());
                };
                for (unsigned i = 0; i < in_flight; ++i) {
                    REQUIRE(try_send() == IPCMARK_OK);
                }
                for (unsigned i = 0; i < 500; ++i) {
                    const auto got = here->polled_recv();
                    REQUIRE(got.status == IPCMARK_OK);
                    REQUIRE(got.data == message);
                    REQUIRE(try_send() == IPCMARK_OK);
                }
            }
        }
    }
}

TEST_CASE("slots in one direction and records in the other", "[shm]") {
    for (const auto wait : policies) {
        INFO("wait policy " << wait);
        constexpr unsigned count = 3000;
        // Small messages there, long ones back, that fit into no slots.
        const Shape shape{20'000, 64, 20'000, wait, 0, 1};
        Listening listening(shm, shape.max_size);
        Child peer([&] {
            const auto end = listening.connect(shape);
            for (unsigned i = 0; i < count; ++i) {
                if (end->must_recv() != pattern(64, i)) {
                    return 1;
                }
                end->must_send(pattern(20'000, i));
            }
            return 0;
        });
        const auto end = listening.accept(shape);
        bool right = true;
        for (unsigned i = 0; i < count; ++i) {
            end->must_send(pattern(64, i));
            right = end->must_recv() == pattern(20'000, i) && right;
        }
        CHECK(right);
        CHECK(peer.join() == 0);
    }
}

TEST_CASE("nothing is sent past a loan that is out", "[shm]") {
    for (const auto in_flight : {0U, 1U}) {
        auto shape = loaned(64, 64);
        shape.in_flight = in_flight;
        Listening listening(shm, shape.max_size);
        const auto there = listening.connect(shape);
        const auto here = listening.accept(shape);
        ipcmark_loan loan{};
        REQUIRE(loans_of(*here).loan(here->handle(), 64, &loan) == IPCMARK_OK);
        CHECK(here->send(pattern(64, 1)) == IPCMARK_LIMIT);
        const auto message = pattern(64, 2);
        std::memcpy(loan.data, message.data(), 64);
        REQUIRE(loans_of(*here).commit(here->handle(), loan.token, 64) == IPCMARK_OK);
        CHECK(receive_in_place(*there).data == message);
        CHECK(here->send(pattern(64, 3)) == IPCMARK_OK);
        CHECK(receive_in_place(*there).data == pattern(64, 3));
    }
}

TEST_CASE("small round trips have a small ring, streams and large messages one beyond the second-level cache",
          "[shm]") {
    const auto ring_of = [](const Shape& shape, std::uint32_t endpoints = 1) {
        Listening listening(shm, shape.max_size, endpoints);
        const auto there = listening.connect(shape);
        const auto here = listening.accept(shape);
        ipcmark_value value{};
        REQUIRE(here->table().effective_option(here->handle(), 0, &value) == IPCMARK_OK);
        return value.as.u64;
    };
    CHECK(ring_of({64, 64, 64, IPCMARK_WAIT_SPIN, 0, 1}) < 1024);
    CHECK(ring_of({4096, 4096, 4096, IPCMARK_WAIT_SPIN, 0, 1}) <= 16 * 1024);
    CHECK(ring_of({64, 64, 64, IPCMARK_WAIT_SPIN, 0, 0}) >= (4U << 20) - 64);
    CHECK(ring_of({16384, 16384, 16384, IPCMARK_WAIT_SPIN, 0, 1}) >= (4U << 20) - 64);
    CHECK(ring_of({64, 64, 64, IPCMARK_WAIT_SPIN, 0, 1000}) >= (4U << 20) - 64);
    // All of them together stay in the shared cache.
    CHECK(ring_of({64, 64, 64, IPCMARK_WAIT_SPIN, 0, 0}, 4) >= (4U << 20) - 64);
    const auto one_of_64 = ring_of({64, 64, 64, IPCMARK_WAIT_SPIN, 0, 0}, 64);
    CHECK(one_of_64 <= 256 * 1024);
    CHECK(one_of_64 > 255 * 1024);
    CHECK(ring_of({64, 64, 64, IPCMARK_WAIT_SPIN, 0, 0}, 100'000) > 63 * 1024);
    CHECK(ring_of({64, 64, 64, IPCMARK_WAIT_SPIN, 0, 1}, 64) < 1024);
    CHECK(ring_of({65536, 65536, 65536, IPCMARK_WAIT_SPIN, 0, 0}, 64) >= (4U << 20) - 64);
}

// SPDX-License-Identifier: Apache-2.0
#include "../../unit/catch.hpp"
#include "pair.hpp"

#include <ipcmark/module_kit/greeting.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <future>
#include <system_error>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

using namespace transports;
using namespace std::chrono_literals;
using ipcmark::kit::Fd;
using ipcmark::kit::GreetingHead;
using ipcmark::kit::Token;

namespace {

// Where a listener is met: a token and a socket address. For shm the number of endpoints stands before it.
Bytes meeting_of(const Transport& transport, const Listening& listening) {
    const auto& address = listening.address();
    return {address.begin() + (transport.module == "shm" ? sizeof(std::uint32_t) : 0), address.end()};
}

Fd stranger(const Bytes& address) {
    sockaddr_storage name{};
    std::memcpy(&name, address.data() + sizeof(Token), address.size() - sizeof(Token));
    Fd socket(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // No REQUIRE: it is the main thread's alone.
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name),
                  static_cast<socklen_t>(address.size() - sizeof(Token))) != 0) {
        throw std::system_error(errno, std::generic_category(), "a stranger cannot connect");
    }
    return socket;
}

void say(const Fd& socket, const void* what, std::size_t size) {
    (void)::send(socket.get(), what, size, MSG_NOSIGNAL);
}

GreetingHead greeting_of(const Bytes& address) {
    GreetingHead head;
    std::memcpy(head.token.data(), address.data(), sizeof head.token);
    return head;
}

// All but the last byte of a greeting, each with as many descriptors as a whole greeting may have. Nothing on TCP.
void pass_descriptors_with_every_byte(const Fd& socket, const Bytes& address) {
    constexpr std::size_t count = ipcmark::kit::max_greeting_descriptors;
    const auto head = greeting_of(address);
    const std::vector<int> descriptors(count, socket.get());
    for (std::size_t at = 0; at + 1 < sizeof head; ++at) {
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * count)] = {};
        iovec part{const_cast<char*>(reinterpret_cast<const char*>(&head)) + at, 1};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        auto* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof(int) * count);
        (void)::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
    }
}

// As long as it lives, this process may have so many descriptors more than it has now.
class FewDescriptors {
public:
    explicit FewDescriptors(rlim_t more = 100) {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        const Fd next(::dup(STDERR_FILENO));
        const rlimit few{static_cast<rlim_t>(next.get()) + more, before_.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    }
    ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;

private:
    rlimit before_{};
};

struct Kind {
    const char* name;
    std::function<void(Fd&, const Bytes&)> act;
};

const std::vector<Kind> kinds{
    {"silent", [](Fd&, const Bytes&) {}},
    {"garbage", [](Fd& socket, const Bytes&) { say(socket, pattern(5000, 3).data(), 5000); }},
    {"http", [](Fd& socket, const Bytes&) { say(socket, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35); }},
    {"gone at once", [](Fd& socket, const Bytes&) { socket.reset(); }},
    {"half a greeting",
     [](Fd& socket, const Bytes& address) {
         const auto head = greeting_of(address);
         say(socket, &head, sizeof head / 2);
     }},
    {"half a greeting, then gone",
     [](Fd& socket, const Bytes& address) {
         const auto head = greeting_of(address);
         say(socket, &head, sizeof head / 2);
         socket.reset();
     }},
    {"wrong token",
     [](Fd& socket, const Bytes& address) {
         auto head = greeting_of(address);
         head.token[15] ^= std::byte{1};
         say(socket, &head, sizeof head);
     }},
    {"too large a payload",
     [](Fd& socket, const Bytes& address) {
         auto head = greeting_of(address);
         head.payload_size = 0xffffffff;
         say(socket, &head, sizeof head);
     }},
    {"descriptors that are not there",
     [](Fd& socket, const Bytes& address) {
         auto head = greeting_of(address);
         head.descriptor_count = 3;
         say(socket, &head, sizeof head);
     }},
};

// How long the listener's side had to wait.
std::chrono::steady_clock::duration check_that_peers_meet(Listening& listening, const Shape& shape) {
    Child peer([&] {
        const auto end = listening.connect(shape);
        end->must_send(end->must_recv());
        return 0;
    });
    const auto start = std::chrono::steady_clock::now();
    const auto end = listening.accept(shape);
    const auto waited = std::chrono::steady_clock::now() - start;
    end->must_send(pattern(100, 1));
    CHECK(end->must_recv() == pattern(100, 1));
    CHECK(peer.join() == 0);
    return waited;
}

// Of peers that meet while a stranger is there. A silent one alone is borne for five seconds: whoever waits for that
// is as late each time, and a machine without a CPU to spare only now and then.
void check_that_nobody_waits(const std::function<std::chrono::steady_clock::duration()>& meet) {
    auto least = std::chrono::steady_clock::duration::max();
    for (int attempt = 0; attempt < 5 && least >= 4s; ++attempt) {
        least = std::min(least, meet());
    }
    CHECK(least < 4s);
}

} // namespace

TEST_CASE("a stranger of any kind is turned away and disturbs nobody", "[strangers]") {
    const Shape shape{1000, 100, 100, IPCMARK_WAIT_BLOCK, 0};
    for (const auto& transport : all()) {
        for (const auto& kind : kinds) {
            INFO(transport.label() << ", " << kind.name);
            check_that_nobody_waits([&] {
                Listening listening(transport, shape.max_size, 3);
                auto first = stranger(meeting_of(transport, listening));
                kind.act(first, meeting_of(transport, listening));
                const auto waited = check_that_peers_meet(listening, shape);
                // One that comes while the listener waits.
                auto late = std::async(std::launch::async, [&] {
                    std::this_thread::sleep_for(5ms);
                    auto second = stranger(meeting_of(transport, listening));
                    kind.act(second, meeting_of(transport, listening));
                    std::this_thread::sleep_for(50ms);
                });
                std::unique_ptr<Endpoint> none;
                CHECK(listening.try_accept(shape, none, 100ms) == IPCMARK_TIMED_OUT);
                late.get();
                return std::max(waited, check_that_peers_meet(listening, shape));
            });
        }
    }
}

TEST_CASE("a crowd of silent strangers does not keep a peer out", "[strangers]") {
    const Shape shape{1000, 100, 100, IPCMARK_WAIT_BLOCK, 0};
    for (const auto& transport : all()) {
        INFO(transport.label());
        check_that_nobody_waits([&] {
            Listening listening(transport, shape.max_size, 3);
            std::vector<Fd> crowd;
            for (int i = 0; i < 300; ++i) {
                crowd.push_back(stranger(meeting_of(transport, listening)));
            }
            const auto waited = check_that_peers_meet(listening, shape);
            return std::max(waited, check_that_peers_meet(listening, shape));
        });
    }
}

TEST_CASE("a crowd takes no more descriptors than a few", "[strangers]") {
    const Shape shape{1000, 100, 100, IPCMARK_WAIT_BLOCK, 0};
    for (const auto& transport : all()) {
        INFO(transport.label());
        Listening listening(transport, shape.max_size, 2);
        std::vector<Fd> crowd;
        for (int i = 0; i < 300; ++i) {
            crowd.push_back(stranger(meeting_of(transport, listening)));
        }
        const FewDescriptors few; // enough for those that are listened to, not for the crowd once more
        check_that_peers_meet(listening, shape);
    }
}

TEST_CASE("a crowd leaves descriptors to the rest of the process", "[strangers]") {
    const Shape shape{1000, 100, 100, IPCMARK_WAIT_BLOCK, 0};
    for (const auto& transport : all()) {
        INFO(transport.label());
        Listening listening(transport, shape.max_size, 2);
        std::vector<Fd> crowd;
        for (int i = 0; i < 50; ++i) {
            crowd.push_back(stranger(meeting_of(transport, listening)));
        }
        const FewDescriptors few(40);
        std::unique_ptr<Endpoint> none;
        REQUIRE(listening.try_accept(shape, none, 100ms) == IPCMARK_TIMED_OUT);
        std::vector<Fd> free;
        while (free.size() < 40 && (free.empty() || free.back())) {
            free.emplace_back(::dup(STDERR_FILENO));
        }
        const auto left = free.size();
        free.clear(); // a sanitizer needs some to look at what is compared
        CHECK(left > 10);
        check_that_peers_meet(listening, shape);
    }
}

TEST_CASE("with the last endpoint that was promised the strangers go", "[strangers]") {
    const Shape shape{1000, 100, 100, IPCMARK_WAIT_BLOCK, 0};
    for (const auto& transport : all()) {
        INFO(transport.label());
        Listening listening(transport, shape.max_size, 1);
        std::vector<Fd> crowd;
        for (int i = 0; i < 10; ++i) {
            crowd.push_back(stranger(meeting_of(transport, listening)));
        }
        const auto there = listening.connect(shape); // behind the crowd
        const auto here = listening.accept(shape);
        for (const auto& each : crowd) {
            pollfd end{each.get(), POLLIN, 0};
            REQUIRE(::poll(&end, 1, static_cast<int>(std::chrono::milliseconds(hang_limit).count())) == 1);
        }
        there->must_send(pattern(100, 1));
        CHECK(here->must_recv() == pattern(100, 1));
    }
}

TEST_CASE("a stranger who sends descriptors with every byte does not use ours up", "[strangers]") {
    const Shape shape{1000, 100, 100, IPCMARK_WAIT_BLOCK, 0};
    for (const auto& transport : all()) {
        INFO(transport.label());
        Listening listening(transport, shape.max_size, 2);
        const auto generous = stranger(meeting_of(transport, listening));
        pass_descriptors_with_every_byte(generous, meeting_of(transport, listening));
        const FewDescriptors few;
        check_that_peers_meet(listening, shape);
    }
}

TEST_CASE("peers are accepted in the order in which they connected", "[strangers]") {
    const Shape shape{1000, 100, 100, IPCMARK_WAIT_BLOCK, 0};
    for (const auto& transport : all()) {
        INFO(transport.label());
        Listening listening(transport, shape.max_size, 20);
        std::vector<std::unique_ptr<Endpoint>> there;
        for (unsigned i = 0; i < 20; ++i) {
            there.push_back(listening.connect(shape));
            there.back()->must_send(pattern(100, i)); // before it was accepted
        }
        for (unsigned i = 0; i < 20; ++i) {
            CHECK(listening.accept(shape)->must_recv() == pattern(100, i));
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "run/control_address.hpp"
#include "run/control_channel.hpp"

#include <ipcmark/run.hpp>

#include <chrono>

#include <sys/socket.h>
#include <sys/time.h>

using namespace ipcmark;
using namespace std::chrono_literals;

TEST_CASE("a peer that reads nothing ends the connection", "[control]") {
    ControlPair pair = make_control_pair();
    const timeval soon{0, 50'000};
    REQUIRE(setsockopt(pair.ours.get(), SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon) == 0);
    ControlChannel channel(std::move(pair.ours));
    // More than a socket's buffer holds.
    CHECK_FALSE(channel.send({{"type", "log"}, {"text", std::string(std::size_t{16} << 20, 'x')}}));
    CHECK_FALSE(channel.receive(60s));
    CHECK(channel.closed());
}

TEST_CASE("the socket of a control connection has a limit for what is not read, and the kernel looks after its peer",
          "[control]") {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    watch_connection(socket.get());
    timeval limit{};
    socklen_t size = sizeof limit;
    REQUIRE(getsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, &size) == 0);
    CHECK(limit.tv_sec > 0);
    int on = 0;
    size = sizeof on;
    REQUIRE(getsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, &size) == 0);
    CHECK(on == 1);
}

TEST_CASE("a message that is longer than is expected is not waited for", "[control]") {
    ControlPair pair = make_control_pair();
    ControlChannel theirs(std::move(pair.theirs));
    ControlChannel ours(std::move(pair.ours));
    ours.limit_messages(100);
    REQUIRE(theirs.send({{"type", "hello"}}));
    CHECK(ours.receive(60s));
    REQUIRE(theirs.send({{"type", "hello"}, {"text", std::string(100, 'x')}}));
    CHECK_THROWS_AS(ours.receive(60s), RunError);
}

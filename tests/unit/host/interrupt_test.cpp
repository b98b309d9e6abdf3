// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "host/interrupt.hpp"

#include <ipcmark/run.hpp>

#include <chrono>
#include <cstring>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ipcmark::host;

namespace {

bool stops_soon(const std::stop_token& token) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (!token.stop_requested() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return token.stop_requested();
}

} // namespace

TEST_CASE("the first signal asks for a stop") {
    for (const int signal : {SIGINT, SIGTERM}) {
        const Interrupt interrupt;
        CHECK(interrupt.signal() == 0);
        CHECK_FALSE(interrupt.token().stop_requested());
        ::raise(signal);
        CHECK(stops_soon(interrupt.token()));
        CHECK(interrupt.signal() == signal);
    }
}

TEST_CASE("without a signal there is no stop") {
    std::stop_token token;
    {
        const Interrupt interrupt;
        token = interrupt.token();
    }
    CHECK_FALSE(token.stop_requested());
}

TEST_CASE("the second signal ends the process at once") {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const Interrupt interrupt;
        ::raise(SIGTERM);
        ::raise(SIGINT);
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == exit_by_signal(SIGINT));
}

TEST_CASE("where no thread can be started, what is short of is said") {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        // The limit does not hold for root.
        if (::geteuid() == 0 && ::setuid(65534) != 0)
            ::_exit(2);
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_NPROC, &none);
        try {
            const Interrupt interrupt;
        } catch (const ipcmark::RunError& error) {
            ::_exit(std::strstr(error.what(), "ulimit -u") != nullptr ? 0 : 1);
        }
        ::_exit(3);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("afterwards signals do what they did before") {
    struct sigaction before {};
    struct sigaction after {};
    ::sigaction(SIGINT, nullptr, &before);
    { const Interrupt interrupt; }
    ::sigaction(SIGINT, nullptr, &after);
    CHECK(before.sa_handler == after.sa_handler);
}

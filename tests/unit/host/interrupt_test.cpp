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

// How a child ends, as waitpid tells it, that does `work`; with 0, if it is done.
int status_of_child(void (*work)()) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        work();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status;
}

// Returns when both have been dealt with.
void be_signalled_twice(int second) {
    const Interrupt interrupt(std::chrono::hours(1)); // whatever this machine does meanwhile
    ::kill(::getpid(), SIGTERM);
    if (!stops_soon(interrupt.token()))
        ::_exit(1);
    ::kill(::getpid(), second);
    sigset_t pending;
    do {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        ::sigpending(&pending);
    } while (sigismember(&pending, second) == 1);
}

} // namespace

TEST_CASE("the first signal asks for a stop") {
    for (const int signal : {SIGINT, SIGTERM}) {
        const Interrupt interrupt;
        CHECK(interrupt.signal() == 0);
        CHECK_FALSE(interrupt.token().stop_requested());
        ::kill(::getpid(), signal);
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

TEST_CASE("a second signal ends the process at once") {
    const int status = status_of_child([] {
        const Interrupt interrupt(std::chrono::nanoseconds(0)); // however soon it comes
        ::kill(::getpid(), SIGTERM);
        if (!stops_soon(interrupt.token()))
            ::_exit(0);
        ::kill(::getpid(), SIGINT);
        std::this_thread::sleep_for(std::chrono::seconds(120));
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == exit_by_signal(SIGINT));
}

TEST_CASE("where no thread can be started, what is short of is said") {
    const int status = status_of_child([] {
        // The limit does not hold for root.
        if (::geteuid() == 0 && ::setuid(65534) != 0)
            ::_exit(2);
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_NPROC, &none);
        try {
            const Interrupt interrupt;
        } catch (const ipcmark::RunError& error) {
            ::_exit(std::strstr(error.what(), "ulimit -u, -v, -d") != nullptr ? 0 : 1);
        }
        ::_exit(3);
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

// timeout(1) sends its signal to the process, and then to the group that it is in.
TEST_CASE("a signal that is sent twice is one") {
    for (const int status :
         {status_of_child([] { be_signalled_twice(SIGTERM); }), status_of_child([] { be_signalled_twice(SIGINT); })}) {
        REQUIRE(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 0);
    }
}

TEST_CASE("what is ignored stays ignored, but for an interrupt and an end") {
    for (const int signal : {SIGHUP, SIGTSTP}) {
        const auto before = ::signal(signal, SIG_IGN);
        {
            const Interrupt interrupt;
            ::kill(::getpid(), signal);
            ::kill(::getpid(), SIGINT);
            CHECK(stops_soon(interrupt.token()));
            CHECK(interrupt.signal() == SIGINT);
        }
        ::signal(signal, before);
    }
}

TEST_CASE("afterwards signals do what they did before") {
    const int status = status_of_child([] {
        ::signal(SIGTERM, SIG_DFL);
        { const Interrupt interrupt; }
        ::kill(::getpid(), SIGTERM);
    });
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGTERM);
}

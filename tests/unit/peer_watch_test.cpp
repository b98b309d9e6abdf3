// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"

#include <ipcmark/module_kit/peer_watch.hpp>

#include <cstdio>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ipcmark;

namespace {

struct Ignores : kit::PeerWatch::Listener {
    void peer_left() noexcept override {}
};

// Of a process that may start no thread: 0 if that is what the error says.
int without_threads() {
    const rlimit none{0, 0};
    // The limit is none of root's.
    if (::setrlimit(RLIMIT_NPROC, &none) != 0 || (::getuid() == 0 && ::setresuid(23456, 23456, 23456) != 0)) {
        return 77;
    }
    Ignores listener;
    try {
        const kit::PeerWatch::Registration watch(STDIN_FILENO, listener);
        return 1;
    } catch (const kit::Error& error) {
        const std::string text = error.what();
        const bool right = error.status() == IPCMARK_LIMIT && text.starts_with("cannot start a thread") &&
                           text.find("ulimit -u, -v, -d") != std::string::npos;
        std::fprintf(stderr, "%s", right ? "" : (text + "\n").c_str());
        return right ? 0 : 2;
    }
}

} // namespace

TEST_CASE("a watch whose thread cannot be started says so, and which limit to raise") {
    const pid_t child = ::fork();
    if (child == 0) {
        int code = 3; // another exception
        try {
            code = without_threads();
        } catch (...) {
        }
        ::_exit(code);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    const int code = WEXITSTATUS(status);
    if (code == 77) {
        WARN("skipped: no user here but root");
        return;
    }
    CHECK(code == 0);
}

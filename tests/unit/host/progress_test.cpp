// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "host/progress.hpp"

#include <ipcmark/module.h>

using namespace ipcmark;
using namespace ipcmark::host;
using namespace std::chrono_literals;

TEST_CASE("the progress line tells test, bar, rate and time left") {
    TestPlan test;
    test.mechanism = "tcp";
    test.concurrency = 4;
    Progress progress;
    progress.test_index = 1;
    progress.test_count = 8;
    progress.direction = Direction::round_trip;
    progress.fraction = 0.5;
    progress.messages_per_second = 412'000;
    progress.remaining = 2100ms;
    CHECK(progress_line(test, progress, 200) ==
          "[2/8] tcp 1 KiB round trip x4 [============>           ]  50 %  412k msg/s  3 s left");
    CHECK(progress_line(test, progress, 40).size() == 39);
    CHECK(progress_line(test, progress, 0).empty());
    progress.fraction = 1.2;
    progress.remaining = 90min;
    CHECK(progress_line(test, progress, 200) ==
          "[2/8] tcp 1 KiB round trip x4 [========================] 100 %  412k msg/s  1:30 h left");
}

TEST_CASE("progress costs nothing where it is not shown") {
    Log log("test", std::nullopt, 0, Quiet::yes);
    CHECK_FALSE(ProgressObserver(log, ShowProgress::no).wants_progress());
    CHECK(ProgressObserver(log, ShowProgress::yes).wants_progress());
}

TEST_CASE("what the log shows") {
    CHECK(Log("test", std::nullopt, 0, Quiet::no).shows(IPCMARK_LOG_WARNING));
    CHECK_FALSE(Log("test", std::nullopt, 0, Quiet::no).shows(IPCMARK_LOG_INFO));
    CHECK_FALSE(Log("test", std::nullopt, 0, Quiet::yes).shows(IPCMARK_LOG_WARNING));
    CHECK(Log("test", std::nullopt, 0, Quiet::yes).shows(IPCMARK_LOG_ERROR));
    CHECK(Log("test", std::nullopt, 1, Quiet::no).shows(IPCMARK_LOG_INFO));
    CHECK(Log("test", std::nullopt, 2, Quiet::no).shows(IPCMARK_LOG_DEBUG));
    CHECK(Log("test", "stderr", 0, Quiet::no).shows(IPCMARK_LOG_INFO));
    CHECK_THROWS_AS(Log("test", "/no/such/folder/log", 0, Quiet::no), UsageError);
    CHECK(one_line("a\nb\n") == "a b");
}

// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "run/module_log.hpp"

#include <ipcmark/module.h>

#include <utility>

using namespace ipcmark;

namespace {

struct Lines : Observer {
    void log(int level, const std::string& text) override { lines.emplace_back(level, text); }
    std::vector<std::pair<int, std::string>> lines;
};

} // namespace

TEST_CASE("what a module says often is passed on once, and counted") {
    Lines seen;
    ModuleLog log(seen);
    for (int endpoint = 0; endpoint < 3; ++endpoint) {
        log.write("uds", IPCMARK_LOG_WARNING, "small");
        log.write("uds", IPCMARK_LOG_WARNING, "cut");
    }
    log.write("uds", IPCMARK_LOG_ERROR, "broken");
    log.write("uds", IPCMARK_LOG_DEBUG, "detail");
    log.write("uds", IPCMARK_LOG_DEBUG, "detail");
    using Line = std::pair<int, std::string>;
    CHECK(seen.lines == std::vector<Line>{{IPCMARK_LOG_INFO, "module uds: small"},
                                          {IPCMARK_LOG_INFO, "module uds: cut"},
                                          {IPCMARK_LOG_ERROR, "module uds: broken"},
                                          {IPCMARK_LOG_DEBUG, "module uds: detail"},
                                          {IPCMARK_LOG_DEBUG, "module uds: detail"}});
    const auto warnings = log.take_warnings();
    REQUIRE(warnings.size() == 3);
    CHECK(warnings[0].code == "module-warning");
    CHECK(warnings[0].cause == "module uds: small (3 times)");
    CHECK(warnings[2].cause == "module uds: broken");
    CHECK(log.take_warnings().empty());
}

TEST_CASE("each test has the warning, the log has it once in a run") {
    Lines seen;
    ModuleLog log(seen);
    for (int test = 0; test < 2; ++test) {
        log.write("uds", IPCMARK_LOG_WARNING, "small");
        CHECK(log.take_warnings().size() == 1);
    }
    log.write("tcp", IPCMARK_LOG_WARNING, "small");
    CHECK(seen.lines.size() == 2);
}

TEST_CASE("a module that never says the same twice fills no memory") {
    Lines seen;
    ModuleLog log(seen);
    for (int number = 0; number < 1000; ++number)
        log.write("odd", IPCMARK_LOG_WARNING, std::to_string(number));
    CHECK(seen.lines.size() == 32);
    const auto warnings = log.take_warnings();
    CHECK(warnings.size() == 33);
    CHECK(warnings.back().cause == "968 more lines of the module's");
}

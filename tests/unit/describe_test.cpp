// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "fixture_path.hpp"
#include "module/describe_text.hpp"

#include <ipcmark/modules.hpp>
#include <ipcmark/run.hpp>

#include <sys/wait.h>

using namespace ipcmark;

namespace {

ModuleFile fixture(const std::string& fault) {
    ModuleFile file;
    file.path = fixture_path(fault);
    file.id = "fixture";
    file.version = "1.2.3";
    return file;
}

std::string failure_of(const std::string& fault) {
    try {
        (void)describe(fixture(fault));
    } catch (const RunError& error) {
        return error.what();
    }
    return "described";
}

bool has_children() {
    return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD;
}

} // namespace

TEST_CASE("a module is described by a child process", "[describe]") {
    const ModuleDescription described = describe(fixture("none"));
    CHECK(described.file.id == "fixture");
    CHECK(described.display_name == "Fixture");
    CHECK(described.result_name == "Fixture");
    CHECK(described.description == "Moves nothing.");
    CHECK(described.licence == "Apache-2.0");
    CHECK(described.capabilities == std::vector<std::string>{"ordered", "reliable"});
    CHECK(described.extensions == std::vector<std::string>{"ipcmark.batch/1"});
    REQUIRE(described.options.size() == 7);
    CHECK(described.options[1].minimum == "-5");
    CHECK(described.options[3].type == "bytes");
    CHECK(described.options[3].default_text == "64K");
    CHECK(described.options[3].minimum == "1KiB");
    CHECK(described.options[3].maximum == "1MiB");
    CHECK(described.options[3].unit == "bytes");
    CHECK(described.options[4].minimum.empty());
    REQUIRE(described.options[5].choices.size() == 3);
    CHECK(described.options[5].choices[1] == std::pair<std::string, std::string>("second", "the second"));
    CHECK(described.max_message_size_bytes == 65'536);
    CHECK(described.max_in_flight == 10);
    CHECK(described.max_endpoints == 7);
    CHECK(described.limit_reason == "a fixture's limit");
    CHECK_FALSE(has_children());
}

TEST_CASE("a module that fails is blamed by name, cause and place", "[describe]") {
    const std::string who = "module fixture (";
    for (const auto& [fault, cause] : std::vector<std::pair<std::string, std::string>>{
             {"crash-when-loaded", "crashed with signal 6 (Aborted) when it was loaded"},
             {"crash-in-limits", "crashed with signal 6 (Aborted) in limits; it said: limits goes wrong"},
             {"exit-when-loaded", "ended its process with exit code 0 when it was loaded"},
             {"bad-default", "has an option 'kind'"},
             {"wrong-major", "is built for version 2"},
             {"undefined-symbol", "nobody_defines_this"}}) {
        const std::string failure = failure_of(fault);
        INFO(failure);
        CHECK(failure.find(fault + ".so") != std::string::npos);
        CHECK(failure.find(cause) != std::string::npos);
        CHECK(failure.find('\n') == std::string::npos);
    }
    CHECK_FALSE(has_children());
}

TEST_CASE("a module that hangs is given up", "[describe][slow]") {
    const std::string failure = failure_of("hang-when-loaded");
    INFO(failure);
    CHECK(failure.find("hangs when it was loaded: no answer within 10 s") != std::string::npos);
    CHECK_FALSE(has_children());
}

TEST_CASE("a rejected file is not described", "[describe]") {
    ModuleFile file = fixture("none");
    file.rejected = "is writable by others";
    CHECK_THROWS_AS(describe(file), RunError);
}

TEST_CASE("what a description does not say is not made up", "[describe]") {
    for (const char* text : {"", "{", "{}", "[]", "null", R"({"display_name":1})"})
        CHECK_THROWS(description_from_text(text));
}

TEST_CASE("a description of any bytes arrives as it was", "[describe]") {
    ModuleDescription odd;
    odd.display_name = "n\xFFme";
    odd.description = "cut in the middle: \xE2\x82";
    const auto read = description_from_text(description_to_text(odd));
    CHECK(read.display_name == odd.display_name);
    CHECK(read.description == odd.description);
}

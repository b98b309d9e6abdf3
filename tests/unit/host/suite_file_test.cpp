// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "request_of.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace ipcmark;
using namespace ipcmark::host;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

class TemporaryFile {
public:
    TemporaryFile(const std::string& name, const std::string& text) {
        std::string folder = (std::filesystem::temp_directory_path() / "ipcmark-suite-XXXXXX").string();
        REQUIRE(mkdtemp(folder.data()) != nullptr);
        folder_ = folder;
        path_ = folder_ / name;
        std::ofstream(path_) << text;
    }
    ~TemporaryFile() { std::filesystem::remove_all(folder_); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    std::filesystem::path folder_;
    std::filesystem::path path_;
};

RunRequest suite_of(const std::string& text, const std::string& more = "", const std::string& name = "suite.yaml") {
    const TemporaryFile file(name, text);
    return run_of("--suite " + file.path() + " " + more);
}

// Without the folder's name.
std::string suite_error(const std::string& text, const std::string& more = "", const std::string& name = "suite.yaml") {
    const auto error = usage_error([&] { return suite_of(text, more, name); });
    const auto at = error.find(name);
    return at == std::string::npos ? error : error.substr(at);
}

} // namespace

TEST_CASE("a suite has defaults, tests and outputs") {
    const auto request = suite_of(R"(
size: [64, 1K]
warmup: 5
output-file: suite.json
continue-on-error: true
tests:
  - mechanism: [uds, shm]
    one-way: true
  - mechanism: tcp
    size: 4K
    duration: 500ms
    percentiles: [50, 99.9]
    module-option: {nodelay: false, tcp: {quickack: true}}
)");
    const auto& tests = request.plan.tests;
    REQUIRE(tests.size() == 5);
    CHECK(tests[1].mechanism == "uds");
    CHECK(tests[1].message_size_bytes == 1024);
    CHECK(tests[3].directions == std::vector{Direction::one_way});
    CHECK(tests[4].message_size_bytes == 4096);
    CHECK(tests[4].duration == 500ms);
    CHECK(tests[4].warmup_messages == 5);
    CHECK(tests[4].options == std::map<std::string, std::string>{{"nodelay", "false"}, {"quickack", "true"}});
    CHECK(request.output_file == "suite.json");
    CHECK(request.plan.on_error == OnError::go_on);
}

TEST_CASE("the command line wins over the suite") {
    const auto* text = "duration: 5s\nsize: 64\noutput-file: a.json\ntests:\n  - one-way: true\n  - size: 128\n";
    const auto request = suite_of(text, "-i 7 -o b.json --round-trip");
    REQUIRE(request.plan.tests.size() == 2);
    CHECK(request.plan.tests[0].message_count == 7);
    CHECK_FALSE(request.plan.tests[0].duration);
    CHECK(request.plan.tests[0].directions == std::vector{Direction::round_trip});
    CHECK(request.plan.tests[1].message_size_bytes == 128);
    CHECK(request.output_file == "b.json");
    CHECK(suite_of(text, "-s 1").plan.tests[1].message_size_bytes == 1);
}

TEST_CASE("a configuration file in JSON or TOML, with the predecessor's names") {
    const auto* json = R"({"mechanisms": ["uds", "tcp"], "message_size": 4096, "msg_count": 50, "one_way": true,
                           "round_trip": true, "percentiles": [50.0, 99.9], "output_file": "results.json"})";
    const auto* toml = "mechanisms = [\"uds\", \"tcp\"]\nmessage_size = 4096\nmsg_count = 50\none_way = true\n"
                       "round_trip = true\npercentiles = [50.0, 99.9]\noutput_file = \"results.json\"\n";
    for (const auto& request : {suite_of(json, "", "config.json"), suite_of(toml, "", "config.toml")}) {
        REQUIRE(request.plan.tests.size() == 2);
        CHECK(request.plan.tests[1].mechanism == "tcp");
        CHECK(request.plan.tests[1].message_size_bytes == 4096);
        CHECK(request.plan.tests[1].message_count == 50);
        CHECK(request.plan.tests[1].directions.size() == 2);
        CHECK(request.plan.tests[1].percentiles == std::vector<double>{50, 99.9});
        CHECK(request.output_file == "results.json");
    }
    const TemporaryFile file("config.json", json);
    CHECK(drop_in_of("--config " + file.path() + " --concurrency 8").plan.tests.at(0).concurrency == 8);
}

TEST_CASE("what is wrong in a suite is named with its line") {
    CHECK_THAT(suite_error("size: 64\nsise: 5\n"),
               StartsWith("suite.yaml:2: unknown key 'sise'") && Contains("'size'"));
    CHECK_THAT(suite_error("tests:\n  - mechanism: uds\n    szie: 5\n"),
               StartsWith("suite.yaml:3: unknown key 'szie'"));
    CHECK_THAT(suite_error("test: 5\n"), StartsWith("suite.yaml:1: unknown key 'test'") && Contains("'tests'"));
    CHECK_THAT(suite_error("tests:\n  - size: 0\n"), StartsWith("suite.yaml:2: size '0'") && Contains("at least 1"));
    CHECK_THAT(suite_error("tests:\n  - output-file: x\n"), Contains("about the whole run"));
    CHECK_THAT(suite_error("size: 1\nmessage-size: 2\n"), StartsWith("suite.yaml:2: 'message-size' is given twice"));
    CHECK_THAT(suite_error("tests: []\n"), StartsWith("suite.yaml:1: 'tests' must be a list of at least one test"));
    CHECK_THAT(suite_error("tests: 5\n"), Contains("must be a list"));
    CHECK_THAT(suite_error("tests:\n  - uds\n"), StartsWith("suite.yaml:2: expected 'key: value' lines"));
    CHECK_THAT(suite_error("size: [\n"), StartsWith("suite.yaml:"));
    CHECK_THAT(suite_error("size: []\n"), StartsWith("suite.yaml:1: the list of 'size' is empty"));
    CHECK_THAT(suite_error("duration: [1s, 2s]\n"), Contains("takes one value"));
    CHECK_THAT(suite_error("size: {a: 1}\n"), Contains("not a mapping"));
    CHECK_THAT(suite_error("size:\n"), StartsWith("suite.yaml:1: 'size' needs a value"));
    CHECK_THAT(suite_error(""), Contains("the file is empty"));
    CHECK_THAT(suite_error("suite: other.yaml\n"), Contains("unknown key 'suite'"));
    CHECK_THAT(suite_error("tests:\n  - size: 1\n  - rate: 5\n    send-delay: 1ms\n"),
               StartsWith("suite.yaml:3: --rate and --send-delay"));
    CHECK_THAT(suite_error("[tests]\nsize = 5\n", "", "suite.toml"), Contains("tables"));
    CHECK_THAT(suite_error("sise = 5\n", "", "suite.toml"), Contains("unknown key 'sise'"));
    CHECK_THAT(run_error("--suite /no/such/file"), Contains("'/no/such/file': No such file or directory"));
    CHECK_THAT(run_error("--suite /tmp"), Contains("it is a folder"));
    CHECK_THAT(run_error("--suite /proc/self/exe"), Contains("/proc/self/exe is no suite file: it is not text"));
    CHECK_THAT(run_error("--suite /dev/zero"), Contains("it is not text"));
    CHECK_THAT(suite_error("async: true\nblocking: true\n"), StartsWith("suite.yaml:2: blocking contradicts --async"));
}

TEST_CASE("nothing in a suite is passed over") {
    CHECK_THAT(suite_error("tests:\n  - one-way: true\nsize: 64\ntests:\n  - round-trip: true\n"),
               StartsWith("suite.yaml:4: 'tests' is given twice"));
    CHECK_THAT(suite_error("size: 64\nsize: 64\n"), StartsWith("suite.yaml:2: 'size' is given twice"));
    CHECK_THAT(suite_error("tests:\n  - {size: 64, size: 1K}\n"), StartsWith("suite.yaml:2: 'size' is given twice"));
    CHECK_THAT(suite_error("module-option: {type: stream, type: datagram}\n"),
               StartsWith("suite.yaml:1: 'type' is given twice in 'module-option'"));
    CHECK_THAT(suite_error("module-option:\n  uds: {type: stream, type: datagram}\n"),
               StartsWith("suite.yaml:1: 'uds.type' is given twice"));
    CHECK_THAT(suite_error("size: 64\n---\nsize: 1K\n"), StartsWith("suite.yaml:3: a second document"));
    CHECK_THAT(suite_error("size: 64\n...\nsize: 1K\n"), StartsWith("suite.yaml:3: a second document"));
    CHECK(suite_of("---\nsize: 64\n...\n# the end\n").plan.tests.size() == 1);
}

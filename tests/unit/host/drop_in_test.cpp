// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "request_of.hpp"

#include <cstdlib>
#include <string>

using namespace ipcmark;
using namespace ipcmark::host;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

std::string drop_in_error(const std::string& line) {
    return usage_error([&] { return drop_in_of(line); });
}

} // namespace

TEST_CASE("ipc-benchmark keeps the predecessor's defaults") {
    const auto request = drop_in_of("");
    const auto& test = request.plan.tests.at(0);
    CHECK(test.mechanism == "uds");
    CHECK(test.message_size_bytes == 1024);
    CHECK(test.message_count == 10'000);
    CHECK(test.warmup_messages == 1000);
    CHECK(test.concurrency == 1);
    CHECK(test.mode == Mode::asynchronous);
    CHECK(test.directions == std::vector{Direction::one_way, Direction::round_trip});
    CHECK(test.percentiles == std::vector<double>{50, 95, 99, 99.9});
    CHECK(request.schema == Schema::rusty_comms);
    CHECK(request.role == Role::local);
    CHECK(request.notes.empty());
    CHECK(drop_in_of("--schema ipcmark").schema == Schema::ipcmark);
}

TEST_CASE("ipc-benchmark takes every flag of the predecessor") {
    const auto request =
        drop_in_of("-m uds shm tcp pmq -s 64 -i 100 -d 1.5m --send-delay 20us -w 10 -c 2 --server-affinity 0 "
                   "--client-affinity 1 --one-way --round-trip --continue-on-error --include-first-message --blocking "
                   "--percentiles 50 --percentiles 95 --buffer-size 8192 --host 127.0.0.1 --port 8080 --pmq-priority 0 "
                   "-q -vv --output-file --streaming-output-json --streaming-output-csv --log-file stderr");
    REQUIRE(request.plan.tests.size() == 4);
    CHECK(request.plan.tests[1].mechanism == "shm");
    CHECK(request.plan.tests[0].duration == 90s);
    CHECK(request.plan.tests[0].mode == Mode::blocking);
    CHECK(request.plan.tests[0].percentiles == std::vector<double>{50, 95});
    CHECK(request.output_file == "benchmark_results.json");
    CHECK(request.plan.streaming.json == "benchmark_streaming_output.json");
    CHECK(request.plan.streaming.csv == "benchmark_streaming_output.csv");
    CHECK(request.log_file == "stderr");
    CHECK(
        drop_in_of("--message-size 64 --msg-count 10 --warmup-iterations 0 --mechanisms tcp uds --percentiles 50 95 99")
            .plan.tests.size() == 2);
}

TEST_CASE("shm-direct implies blocking in ipc-benchmark, and says so") {
    const auto request = drop_in_of("-m uds shm --shm-direct");
    CHECK(request.plan.tests.at(0).mode == Mode::blocking);
    CHECK(request.plan.tests.at(0).access == Access::copy);
    CHECK(request.plan.tests.at(1).access == Access::direct);
    REQUIRE(request.notes.size() == 1);
    CHECK_THAT(request.notes[0], Contains("--shm-direct implies --blocking"));
    CHECK(drop_in_of("-m shm --shm-direct --blocking").notes.empty());
}

TEST_CASE("what the predecessor ignored is ignored with a note") {
    CHECK_THAT(drop_in_of("-m uds --pmq-priority 3").notes.at(0), Contains("--pmq-priority") && Contains("ignored"));
    CHECK_THAT(drop_in_of("-m uds --shm-direct --blocking").notes.at(0), Contains("ignored"));
}

TEST_CASE("the stand-alone ends meet where the predecessor's did") {
    auto request = drop_in_of("--server -m tcp");
    CHECK(request.role == Role::serve);
    REQUIRE(request.address);
    CHECK(request.address->kind == ControlAddress::Kind::tcp);
    CHECK(request.address->host == "127.0.0.1");
    CHECK(request.address->port == 8080);

    request = drop_in_of("--client -m tcp --host ::1 --port 9000 --blocking");
    CHECK(request.role == Role::connect);
    CHECK(request.address->host == "::1");
    CHECK(request.address->port == 9000);
    CHECK(request.retry == 30s);
    // The port of the meeting cannot be that of the data too.
    CHECK_FALSE(request.plan.tests.at(0).options.contains("port"));
    CHECK(request.plan.tests.at(0).options.at("host") == "::1");

    request = drop_in_of("--server --socket-path /tmp/x.sock");
    CHECK(request.address->kind == ControlAddress::Kind::unix_path);
    CHECK(request.address->path == "/tmp/x.sock");

    request = drop_in_of("--client -m shm");
    CHECK(request.address->kind == ControlAddress::Kind::unix_abstract);
    CHECK(request.address->path == "ipc_benchmark_shm");
    CHECK(drop_in_of("--client -m pmq --message-queue-name q").address->path == "q");
}

TEST_CASE("the stand-alone ends meet where they are told to, whatever TMPDIR says") {
    const char* const before = std::getenv("TMPDIR");
    const std::string kept = before == nullptr ? "" : before;
    ::setenv("TMPDIR", "/no/such/folder", 1);
    CHECK(drop_in_of("--client --socket-path /tmp/x.sock").address->path == "/tmp/x.sock");
    CHECK(drop_in_of("--client").address->path == "/tmp/ipc_benchmark.sock");
    before == nullptr ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", kept.c_str(), 1);
}

TEST_CASE("the stand-alone ends take one mechanism") {
    CHECK_THAT(drop_in_error("--server -m all"), Contains("--server takes one mechanism, not 'all'"));
    CHECK_THAT(drop_in_error("--client -m uds tcp"), Contains("one mechanism, but 2 were given"));
    CHECK_THAT(drop_in_error("--server --client"), Contains("exclude each other"));
    CHECK_THAT(drop_in_error("-m tcp --port 0"), Contains("--port '0'"));
    CHECK_THAT(run_error("--server"), Contains("unknown option '--server'"));
}

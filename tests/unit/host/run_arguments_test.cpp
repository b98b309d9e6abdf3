// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "request_of.hpp"

using namespace ipcmark;
using namespace ipcmark::host;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

TEST_CASE("no arguments make the default test") {
    const auto request = run_of("");
    REQUIRE(request.plan.tests.size() == 1);
    const auto& test = request.plan.tests[0];
    CHECK(test.mechanism == "uds");
    CHECK(test.message_size_bytes == 1024);
    CHECK(test.message_count == 10'000);
    CHECK_FALSE(test.duration);
    CHECK(test.warmup_messages == 1000);
    CHECK(test.directions == std::vector{Direction::one_way, Direction::round_trip});
    CHECK(test.mode == Mode::blocking);
    CHECK(test.wait == WaitPolicy::block);
    CHECK(test.percentiles == std::vector<double>{50, 95, 99, 99.9});
    CHECK(test.concurrency == 1);
    CHECK(request.schema == Schema::ipcmark);
    CHECK_FALSE(request.output_file);
    CHECK(request.plan.on_error == OnError::stop);
}

TEST_CASE("values are separated by spaces, commas or repeated options") {
    for (const auto* line : {"-m uds tcp -s 64 1K", "-m uds,tcp -s 64,1K", "-m uds -m tcp -s 64 -s 1K",
                             "--mechanisms uds tcp --message-size 64 1KiB", "--mechanism=uds,tcp --size=64,1024"}) {
        const auto tests = run_of(line).plan.tests;
        REQUIRE(tests.size() == 4);
        CHECK(tests[0].mechanism == "uds");
        CHECK(tests[1].message_size_bytes == 1024);
        CHECK(tests[3].mechanism == "tcp");
    }
}

TEST_CASE("every option of a test reaches the plan") {
    const auto request = run_of("-m pipe -s 4K -i 20k -w 5 -c 3 --round-trip --async --wait adaptive:50us "
                                "--rate 2500 --window 4 --buffer-size 64K -O depth=3 "
                                "--server-affinity 0-2,5 --client-affinity 1 --percentiles 50 99.99 "
                                "--include-first-message --timeout 90s --clock monotonic --continue-on-error");
    REQUIRE(request.plan.tests.size() == 1);
    const auto& test = request.plan.tests[0];
    CHECK(test.mechanism == "pipe");
    CHECK(test.message_size_bytes == 4096);
    CHECK(test.message_count == 20'000);
    CHECK(test.warmup_messages == 5);
    CHECK(test.concurrency == 3);
    CHECK(test.directions == std::vector{Direction::round_trip});
    CHECK(test.mode == Mode::asynchronous);
    CHECK(test.wait == WaitPolicy::adaptive);
    CHECK(test.spin == 50us);
    CHECK(test.rate_per_second == 2500);
    CHECK(test.window == 4);
    CHECK(run_of("--one-way --batch 32").plan.tests.at(0).batch == 32);
    CHECK(test.buffer_size_bytes == 65536);
    CHECK(test.options == std::map<std::string, std::string>{{"depth", "3"}});
    CHECK(test.server_cpus == std::vector{0, 1, 2, 5});
    CHECK(test.client_cpus == std::vector{1});
    CHECK(test.percentiles == std::vector<double>{50, 99.99});
    CHECK(test.first_message == FirstMessage::keep);
    CHECK(test.timeout == 90s);
    CHECK(request.plan.clock == ClockChoice::monotonic);
    CHECK(request.plan.on_error == OnError::go_on);
}

TEST_CASE("a duration wins over a count") {
    const auto test = run_of("-i 5 -d 1.5s").plan.tests.at(0);
    CHECK_FALSE(test.message_count);
    CHECK(test.duration == 1500ms);
    CHECK(run_of("-d 10").plan.tests.at(0).duration == 10s);
    CHECK(run_of("--send-delay 50us").plan.tests.at(0).send_delay == 50us);
}

TEST_CASE("directions") {
    const std::vector one_way{Direction::one_way};
    const std::vector round_trip{Direction::round_trip};
    const std::vector both{Direction::one_way, Direction::round_trip};
    CHECK(run_of("--one-way").plan.tests.at(0).directions == one_way);
    CHECK(run_of("--round-trip").plan.tests.at(0).directions == round_trip);
    CHECK(run_of("--round-trip --one-way").plan.tests.at(0).directions == both);
    CHECK(run_of("--one-way=false").plan.tests.at(0).directions == round_trip);
    CHECK(run_of("--round-trip=no --one-way").plan.tests.at(0).directions == one_way);
    CHECK_THAT(run_error("--round-trip=false --one-way=false"), Contains("nothing to measure"));
}

TEST_CASE("the mode") {
    CHECK(run_of("--blocking=false").plan.tests.at(0).mode == Mode::asynchronous);
    CHECK(run_of("--blocking").plan.tests.at(0).mode == Mode::blocking);
    CHECK(run_of("--async").plan.tests.at(0).mode == Mode::asynchronous);
    CHECK_THAT(run_error("--blocking=maybe"), StartsWith("--blocking 'maybe'"));
    CHECK(run_of("--blocking=false --async").plan.tests.at(0).mode == Mode::asynchronous);
    CHECK(run_of("--async=false --blocking").plan.tests.at(0).mode == Mode::blocking);
    for (const auto* line : {"--blocking --async", "--async --blocking", "--async=false --blocking=false"})
        CHECK_THAT(run_error(line), StartsWith("--async contradicts --blocking: give one of them"));
}

TEST_CASE("direct is for all, shm-direct for shm alone") {
    auto tests = run_of("-m uds shm --shm-direct").plan.tests;
    CHECK(tests.at(0).access == Access::copy);
    CHECK(tests.at(1).access == Access::direct);
    tests = run_of("-m uds shm --direct").plan.tests;
    CHECK(tests.at(0).access == Access::direct);
    CHECK(tests.at(1).access == Access::direct);
    CHECK_THAT(run_error("-m uds --shm-direct"), Contains("--shm-direct") && Contains("uds"));
    CHECK_THAT(run_error("-m shm --shm-direct --async"), Contains("--shm-direct needs blocking mode"));
}

TEST_CASE("options with an optional file") {
    auto request =
        run_of("-o --csv --hdr-log --streaming-output-json --streaming-output-csv --streaming-output-ndjson");
    CHECK(request.output_file == "benchmark_results.json");
    CHECK(request.csv == "benchmark_results.csv");
    CHECK(request.hdr_log == "benchmark_results.hlog");
    CHECK(request.plan.streaming.json == "benchmark_streaming_output.json");
    CHECK(request.plan.streaming.csv == "benchmark_streaming_output.csv");
    CHECK(request.plan.streaming.ndjson == "benchmark_streaming_output.ndjson");
    for (const auto* line :
         {"-o r.json -q", "-or.json -q", "-o=r.json -q", "--output-file=r.json -q", "-q -o r.json"}) {
        request = run_of(line);
        CHECK(request.output_file == "r.json");
        CHECK(request.quiet);
    }
    CHECK(run_of("-o -q").output_file == "benchmark_results.json");
    CHECK(run_of("-o -").output_file == "-");
    CHECK(run_of("-q --csv -").csv == "-");
    CHECK_THAT(run_error("-o - --csv -"), Contains("both write '-'"));
    CHECK_THAT(run_error("--streaming-output-csv -"), Contains("samples go to a file"));
    CHECK(run_of("-o /tmp").output_file == "/tmp/benchmark_results.json");
    CHECK_THAT(run_error("-o r.json --csv ./r.json"), Contains("--output-file and --csv both write"));
}

TEST_CASE("in a folder an output has its usual name") {
    CHECK(run_of("-o /tmp").output_file == "/tmp/benchmark_results.json");
    CHECK(run_of("--csv /tmp").csv == "/tmp/benchmark_results.csv");
}

TEST_CASE("verbosity adds up") {
    CHECK(run_of("").verbosity == 0);
    CHECK(run_of("-v").verbosity == 1);
    CHECK(run_of("-vv").verbosity == 2);
    CHECK(run_of("-v -m uds --verbose").verbosity == 2);
}

TEST_CASE("module options go to the modules that they are for") {
    const auto tests = run_of("-m uds,tcp -O type=x tcp.nodelay=false -O tcp.type=y").plan.tests;
    CHECK(tests.at(0).options == std::map<std::string, std::string>{{"type", "x"}});
    CHECK(tests.at(1).options == std::map<std::string, std::string>{{"type", "y"}, {"nodelay", "false"}});
    CHECK(run_of("-m ./pipe.so -O pipe.depth=a=b").plan.tests.at(0).options.at("depth") == "a=b");
    CHECK_THAT(run_error("-m uds -O tcp.nodelay=false"), Contains("tcp.nodelay") && Contains("(uds)"));
    CHECK_THAT(run_error("-O nodelay"), Contains("'nodelay' is not NAME=VALUE"));
}

TEST_CASE("host, port and priority are options of the modules that have them") {
    const auto tests = run_of("-m all --host ::1 --port 9000 --pmq-priority 7").plan.tests;
    CHECK(tests.at(0).options.empty());
    CHECK(tests.at(2).options == std::map<std::string, std::string>{{"host", "::1"}, {"port", "9000"}});
    CHECK(tests.at(3).options == std::map<std::string, std::string>{{"priority", "7"}});
    CHECK_THAT(run_error("-m uds --port 9000"), Contains("--port is for none of the mechanisms of this run (uds)"));
}

TEST_CASE("an option for a direction that is not measured is refused") {
    CHECK_THAT(run_error("-m uds --one-way --window 4"),
               Contains("--window is for round trips, and this run has none"));
    CHECK_THAT(run_error("-m uds --round-trip --batch 4"), Contains("--batch is for one-way"));
    CHECK(run_of("-m uds --window 4 --batch 2").plan.tests.size() == 1);
    CHECK(run_of("-m uds --one-way --window 1").plan.tests.size() == 1);
}

TEST_CASE("an option of a module has one value") {
    CHECK_THAT(run_error("-m uds -O uds.type=stream -O uds.type=seqpacket"),
               Contains("uds.type=stream and uds.type=seqpacket contradict each other"));
    CHECK(run_of("-m uds -O uds.type=stream -O uds.type=stream").plan.tests.size() == 1);
}

TEST_CASE("bad values are named with what is allowed") {
    CHECK_THAT(run_error("-s 0"), Contains("--size '0'") && Contains("at least 1"));
    CHECK_THAT(run_error("-s -5"), Contains("--size '-5'"));
    CHECK_THAT(run_error("-s 64,"), Contains("--size '64,'"));
    CHECK_THAT(run_error("-s 1KB"), Contains("--size '1KB'"));
    CHECK_THAT(run_error("-i 0"), Contains("--count '0'") && Contains("at least 1"));
    CHECK_THAT(run_error("-i abc"), Contains("--count 'abc'"));
    CHECK_THAT(run_error("-d -5s"), Contains("--duration '-5s'"));
    CHECK_THAT(run_error("-d ''"), Contains("--duration ''"));
    CHECK_THAT(run_error("-d 5x"), Contains("--duration '5x'"));
    CHECK_THAT(run_error("-d 0"), Contains("--duration '0'"));
    CHECK_THAT(run_error("--timeout 0"), Contains("--timeout '0'"));
    CHECK_THAT(run_error("--repeat 100000 -s 1,2"), Contains("more than 100000 tests"));
    CHECK_THAT(run_error("--send-delay 3lightyears"), Contains("--send-delay '3lightyears'"));
    CHECK_THAT(run_error("-c 0"), Contains("--concurrency '0'"));
    CHECK_THAT(run_error("--rate 0"), Contains("--rate '0'"));
    CHECK_THAT(run_error("--window 0"), Contains("--window '0'"));
    CHECK_THAT(run_error("--batch 0"), Contains("--batch '0'"));
    CHECK_THAT(run_error("--repeat 0"), Contains("--repeat '0'"));
    CHECK_THAT(run_error("--percentiles 101"), Contains("--percentiles '101'") && Contains("at most 100"));
    CHECK_THAT(run_error("--percentiles nan"), Contains("--percentiles 'nan'"));
    CHECK_THAT(run_error("--server-affinity 0-"), Contains("--server-affinity '0-'"));
    CHECK_THAT(run_error("--wait sleepy"), Contains("--wait 'sleepy' is none of block, spin, adaptive"));
    CHECK_THAT(run_error("--wait spin:5us"), Contains("only adaptive takes a duration"));
    CHECK_THAT(run_error("--clock sundial"), Contains("--clock 'sundial' is none of auto, tsc, monotonic"));
    CHECK_THAT(run_error("--schema xml"), Contains("--schema 'xml' is none of ipcmark, rusty-comms"));
    CHECK_THAT(run_error("-m tcp --port 0"), Contains("--port '0'") && Contains("1 to 65535"));
    CHECK_THAT(run_error("-m tcp --port 70000"), Contains("--port '70000'"));
    CHECK_THAT(run_error("--rate 5 --send-delay 1ms"), Contains("--rate and --send-delay"));
}

TEST_CASE("wrong options are named with the nearest one") {
    CHECK_THAT(run_error("--sizee 5"), Contains("unknown option '--sizee'") && Contains("--size"));
    CHECK_THAT(run_error("--mesage-size=5"), Contains("unknown option '--mesage-size'") && Contains("--message-size"));
    CHECK_THAT(run_error("-z"), Contains("unknown option '-z'") && Contains("ipcmark run --help"));
    CHECK_THAT(run_error("-q uds"), Contains("unexpected argument 'uds'"));
    CHECK_THAT(run_error("--message_size 5"), Contains("did you mean '--message-size'?"));
    CHECK_THAT(run_error("--iterations 5"), Contains("did you mean '--msg-count' (-i)?"));
    CHECK_THAT(run_error("--client"), Contains("'ipcmark connect ADDRESS'"));
    CHECK_THAT(run_error("-q -- -m"), StartsWith("unexpected argument '-m'"));
    CHECK_THAT(run_error("-O =x"), Contains("'=x' is not NAME=VALUE"));
    CHECK_THAT(run_error("-O=x"), Contains("'x' is not NAME=VALUE"));
    CHECK_THAT(run_error("-s"), StartsWith("--size needs a value"));
    CHECK_THAT(run_error("-s -i 5"), StartsWith("--size needs a value"));
    CHECK_THAT(run_error("-d -q"), StartsWith("--duration needs a value"));
    CHECK_THAT(run_error("-d 5s -d 6s"), StartsWith("--duration was given more than once"));
    CHECK_THAT(run_error("-o a -o b"), StartsWith("--output-file was given more than once"));
}

TEST_CASE("every error is one line") {
    for (const auto* line : {"-s 0", "--sizee 5", "-d", "-q uds", "--wait x", "-O x", "--suite /no/such/file"})
        CHECK_THAT(run_error(line), !Contains("\n") && !StartsWith(" "));
}

TEST_CASE("help wins over everything else") {
    CHECK(run_of("--help").help);
    CHECK(run_of("-s 0 -h").help);
    CHECK(drop_in_of("--nonsense --help").help);
    CHECK(run_of("-hV").help);
    CHECK(run_of("-qV --nonsense").version);
    CHECK_FALSE(run_of("-q").version);
    CHECK_THAT(run_error("--help=run"), StartsWith("--help takes no value"));
}

TEST_CASE("the help names every option and stays within 80 columns") {
    for (const auto program : {Program::ipcmark, Program::ipc_benchmark}) {
        const auto grammar = run_grammar(program, RunVerb::run);
        const auto help = help_text(grammar);
        for (const auto& option : grammar.options)
            for (const auto& name : long_names(option))
                CHECK_THAT(help, Contains("--" + name));
        std::istringstream lines(help);
        for (std::string line; std::getline(lines, line);)
            CHECK(line.size() <= 80);
    }
}

// SPDX-License-Identifier: Apache-2.0
#include "../document/sample_document.hpp"
#include "catch.hpp"
#include "host/console_table.hpp"
#include "host/test_columns.hpp"
#include "host/text_table.hpp"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace ipcmark;
using namespace ipcmark::host;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// As one line, however it was broken.
std::string flat(const std::string& text) {
    std::istringstream stream(text);
    std::string line;
    for (std::string word; stream >> word;)
        line += (line.empty() ? "" : " ") + word;
    return line;
}

// Two mechanisms, two sizes, one endpoint and four, with warnings of those of four.
ResultDocument warned_document() {
    ResultDocument document = sample::document();
    const TestResult test = document.results[0];
    document.results.clear();
    const std::vector<std::string> shares{"79.0", "24.0", "44.6", "50.1"};
    for (const char* mechanism : {"uds", "shm"})
        for (const std::uint64_t size : {64U, 1024U})
            for (const unsigned endpoints : {1U, 4U}) {
                TestResult& result = document.results.emplace_back(test);
                result.module.id = mechanism;
                result.plan.message_size_bytes = size;
                result.plan.concurrency = endpoints;
                if (endpoints == 4)
                    result.warnings = {
                        {"overlap",
                         "one-way: at work for " + shares[document.results.size() / 2 - 1] + " % of the window",
                         "use -d", Direction::one_way}};
                result.warnings.push_back(
                    {"made-up", "'x1' has 64KiB and ran on CPU " + std::string(endpoints == 4 ? "1" : "0"), "look"});
            }
    document.results[0].warnings.push_back(
        {"overlap", "one-way: at work for no part of the window", "use -d", Direction::one_way});
    document.results[1].warnings.push_back(
        {"overlap", "round trip: at work for 30.5 % of the window", "use -d", Direction::round_trip});
    return document;
}

} // namespace

TEST_CASE("times, counts and sizes have three digits and a unit") {
    CHECK(human_time(0) == "0 ns");
    CHECK(human_time(999) == "999 ns");
    CHECK(human_time(999.6) == "1.00 us");
    CHECK(human_time(12'345) == "12.3 us");
    CHECK(human_time(999'499) == "999 us");
    CHECK(human_time(999'600) == "1.00 ms");
    CHECK(human_time(2.5e9) == "2.50 s");
    CHECK(human_time(3.6e12) == "3600 s");
    CHECK(human_count(7) == "7");
    CHECK(human_count(0.5) == "0.50");
    CHECK(human_count(0.00032) == "0.00032");
    CHECK(human_count(0.0994) == "0.099");
    CHECK(human_count(0.0996) == "0.10");
    CHECK(human_count(0.01) == "0.010");
    CHECK(human_count(99.96) == "100");
    CHECK(human_count(123'456.7) == "123k");
    CHECK(human_count(9'996) == "10.0k");
    CHECK(human_count(47e6) == "47.0M");
    CHECK(human_size(64) == "64 B");
    CHECK(human_size(1024) == "1 KiB");
    CHECK(human_size(1536) == "1.50 KiB");
    CHECK(human_size(64ULL << 20) == "64 MiB");
    CHECK(human_size(8191) == "8191 B");
    CHECK(human_size(8193) == "8193 B");
    CHECK(human_size((1ULL << 30) + 1) == "1073741825 B");
    CHECK(rough_size(3'289'130'488) == "3.06 GiB");
}

TEST_CASE("the table has a line for each test and direction, aligned") {
    const auto lines = lines_of(console_table(sample::document(), Colour::none));
    REQUIRE(lines.size() > 6);
    CHECK(lines[0].find("mechanism") == 0);
    const std::size_t direction = lines[0].find("direction");
    CHECK(lines[1].find("one-way") == direction);
    CHECK(lines[2].find("round trip") == direction);
    CHECK(lines[3].find("tcp") == 0);
    // Right-aligned: a figure ends where its heading ends.
    const std::size_t end = lines[0].find("p50") + 3;
    CHECK(lines[1].substr(end - 2, 4) == "us  ");
    for (const std::string& line : lines)
        CHECK(line.size() <= 125);
}

TEST_CASE("a column that is the same in all tests is left out") {
    ResultDocument document = sample::document();
    CHECK(contains(lines_of(console_table(document, Colour::none))[0], " conc "));
    document.results.resize(1);
    const std::string heading = lines_of(console_table(document, Colour::none))[0];
    CHECK_FALSE(contains(heading, "conc"));
    CHECK_FALSE(contains(heading, "rate"));
    CHECK_FALSE(contains(heading, "mode"));
}

TEST_CASE("the percentiles are those that were asked for") {
    ResultDocument document = sample::document();
    document.results.resize(1);
    const auto heading = [&] { return flat(lines_of(console_table(document, Colour::none))[0]); };
    CHECK(contains(heading(), "size p50 p99 p99.9 max"));
    document.results[0].plan.percentiles = {99.99, 90};
    CHECK(contains(heading(), "size p90 p99.99 max"));
    document.results.push_back(document.results[0]);
    document.results[1].plan.percentiles = {12.5};
    CHECK(contains(heading(), "p12.5 p90 p99.99 max"));
    const Histogram& histogram = document.results[0].one_way->latency.histogram;
    CHECK(contains(lines_of(console_table(document, Colour::none))[1],
                   human_time(static_cast<double>(histogram.percentile_ns(99.99)))));

    document.results[0].plan.percentiles.clear();
    for (int percentile = 1; percentile <= 100; ++percentile)
        document.results[0].plan.percentiles.push_back(percentile);
    CHECK(contains(heading(), "p1 "));
    CHECK(contains(heading(), "p100 max"));
    CHECK(lines_of(console_table(document, Colour::none))[0].size() <= 120);
    CHECK(contains(console_table(document, Colour::none), "percentiles: 6 of the 101 that were asked for"));
}

TEST_CASE("a percentile that no sample lies beyond has no figure in the table") {
    ResultDocument document = sample::document();
    TestResult run = document.results[0];
    run.round_trip.reset();
    const auto row_of = [&](int samples) {
        run.one_way->latency.histogram = Histogram();
        for (int sample = 0; sample < samples; ++sample)
            run.one_way->latency.histogram.record(1000);
        document.results = {run};
        return flat(lines_of(console_table(document, Colour::none))[1]);
    };
    CHECK(contains(row_of(20), " 1.00 us - - 1.00 us "));
    CHECK(contains(row_of(100), " 1.00 us 1.00 us - 1.00 us "));
    CHECK(contains(row_of(999), " 1.00 us 1.00 us - 1.00 us "));
    CHECK(contains(row_of(1000), " 1.00 us 1.00 us 1.00 us 1.00 us "));
    run.plan.percentiles = {100};
    CHECK(contains(row_of(20), " 1.00 us 1.00 us "));
    // Nor have repetitions of which one had too few.
    run.plan.percentiles = {99.9};
    run.plan.repeat_index = 1;
    row_of(20);
    document.results.push_back(run);
    document.results[0].plan.repeat_index = 0;
    document.results[0].one_way->latency.histogram.record(1000, 1000);
    const auto lines = lines_of(console_table(document, Colour::none));
    REQUIRE(lines.size() > 3);
    CHECK(contains(flat(lines[1]), " 1.00 us 1.00 us "));
    CHECK(contains(flat(lines[3]), " median - 1.00 us "));
}

TEST_CASE("below the table: failures, partial results, audit problems, warnings with their remedy") {
    const std::string text = console_table(sample::document(), Colour::none);
    CHECK(contains(text, "FAILED"));
    CHECK(contains(text, "failed: shm, 1 KiB: the server worker was killed by signal 11"));
    CHECK(contains(text, "partial: one-way of shm, 1 KiB:"));
    CHECK(contains(text, "audit: round trip of tcp, 1 KiB: littles-law is 1.7, expected between 0.9 and 1.1"));
    CHECK(contains(text, "warning: tcp, 1 KiB: the client ran on CPU 0"));
    CHECK(contains(text, "warning: the CPU frequency governor is \"powersave\"; set it to performance"));
}

TEST_CASE("what several tests are warned of is said once, and no audit problem twice") {
    ResultDocument document = sample::document();
    const TestResult warned = document.results[1];
    document.results = {warned, warned, warned, warned, warned};
    for (unsigned i = 0; i < 5; ++i) {
        document.results[i].plan.message_size_bytes = 64u << i;
        document.results[i].warnings.push_back({"littles-law", "the figures contradict each other", "run it again"});
    }
    std::string text = flat(console_table(document, Colour::none));
    CHECK(contains(text, "warning: all 5 tests: the figures contradict each other; run it again"));
    CHECK(text.find("contradict") == text.rfind("contradict"));
    CHECK_FALSE(contains(text, "audit:"));

    document.results[1].warnings.clear();
    document.results[3].warnings.clear();
    text = flat(console_table(document, Colour::none));
    CHECK(contains(text, "warning: tcp (64 B, 256 B, 1 KiB): the figures contradict"));
    CHECK(contains(text, "audit: round trip of tcp, 128 B: littles-law"));
}

TEST_CASE("a warning is of the tests and the direction that have it, with the values that they have") {
    const ResultDocument document = warned_document();
    const std::string text = flat(console_table(document, Colour::none));
    CHECK(contains(text, "warning: all 4 one-way tests with conc 4: at work for 24.0 to 79.0 % of the window;"));
    CHECK(contains(text, "warning: round trip of uds, 64 B, conc 4: at work for 30.5 % of the window;"));
    // Not another number: another sentence.
    CHECK(contains(text, "warning: one-way of uds, 64 B, conc 1: at work for no part of the window;"));
    // No number where it is part of a word or a name.
    CHECK(contains(text, "warning: all 8 tests: 'x1' has 64KiB and ran on CPU 0 or 1;"));
}

TEST_CASE("tests are named by what tells them apart") {
    ResultDocument document = sample::document();
    document.results = {document.results[0], document.results[0], document.results[0]};
    document.results[1].plan.options = {{"nodelay", "true"}};
    document.results[2].plan.options = {{"nodelay", "true"}};
    document.results[2].plan.repeat_index = 1;
    CHECK(TestNames(document).of(0) == "uds, 1 KiB, no options, #1");
    CHECK(TestNames(document).of(2) == "uds, 1 KiB, nodelay=true, #2");
    CHECK(TestNames(document).of({1, 2}, {0, 1, 2}, "") == "uds, 1 KiB, nodelay=true (#1, #2)");
    // The same test twice.
    document.results[2] = document.results[1];
    CHECK(contains(lines_of(console_table(document, Colour::none))[0], " test "));
    CHECK(TestNames(document).of(1) != TestNames(document).of(2));
    // What does not tell tests of a mechanism and size apart is in no name of theirs.
    document.results.resize(2);
    document.results[1] = sample::document().results[2];
    CHECK(TestNames(document).of(1) == "shm, 1 KiB");
}

TEST_CASE("a clean run has the table and nothing else") {
    ResultDocument document = sample::document();
    document.results.resize(1);
    document.warnings.clear();
    const auto lines = lines_of(console_table(document, Colour::none));
    CHECK(lines.size() == 3);
}

TEST_CASE("escape sequences only where colour is wanted, and the same text without them") {
    const std::string plain = console_table(sample::document(), Colour::none);
    std::string coloured = console_table(sample::document(), Colour::ansi);
    CHECK_FALSE(contains(plain, "\033"));
    CHECK(contains(coloured, "\033[31mFAILED\033[0m"));
    for (std::size_t at; (at = coloured.find('\033')) != std::string::npos;)
        coloured.erase(at, coloured.find('m', at) - at + 1);
    // Padding of a coloured last cell may stay.
    CHECK(lines_of(coloured).size() == lines_of(plain).size());
}

TEST_CASE("no result, no table") {
    CHECK(console_table(ResultDocument{}, Colour::ansi).empty());
}

TEST_CASE("below the repetitions of a test: median, least and most of each column") {
    ResultDocument document = sample::document();
    TestResult run = document.results[0];
    run.one_way.reset();
    document.results = {run};
    CHECK_FALSE(contains(console_table(document, Colour::none), "median"));
    document.results.clear();
    for (const double rate : {300.0, 100.0, 200.0}) {
        run.round_trip->throughput.messages_per_second = rate;
        run.plan.repeat_index = static_cast<unsigned>(document.results.size());
        document.results.push_back(run);
    }
    document.results[1].round_trip->audit[0].verdict = CheckVerdict::suspicious;
    document.results.push_back(run);
    document.results.back().plan.message_size_bytes = 64;
    document.results.back().plan.repeat_index = 0;
    document.results.push_back(document.results.back());
    document.results.back().plan.repeat_index = 1;
    document.results.back().round_trip->partial = true;
    const auto lines = lines_of(console_table(document, Colour::none));
    REQUIRE(lines.size() > 8);
    CHECK(contains(lines[3], " 3 "));
    CHECK(contains(lines[4], " median "));
    CHECK(contains(lines[4], " 200 "));
    CHECK(contains(lines[5], " least "));
    CHECK(contains(lines[5], " 100 "));
    CHECK(contains(lines[6], " most "));
    CHECK(contains(lines[6], " 300 "));
    // Made of figures with a mark.
    CHECK(lines[4].ends_with("!"));
    // One of two that were measured to their end has no range.
    CHECK(contains(lines[7], "64 B"));
    CHECK(lines[9].empty());
}

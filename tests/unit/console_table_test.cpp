// SPDX-License-Identifier: Apache-2.0
#include "../document/sample_document.hpp"
#include "catch.hpp"
#include "host/console_table.hpp"
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
        CHECK(line.size() <= 120);
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

TEST_CASE("below the table: failures, partial results, audit problems, warnings with their remedy") {
    const std::string text = console_table(sample::document(), Colour::none);
    CHECK(contains(text, "FAILED"));
    CHECK(contains(text, "failed: shm, 1 KiB: the server worker was killed by signal 11"));
    CHECK(contains(text, "partial: shm, 1 KiB one-way:"));
    CHECK(contains(text, "audit: tcp, 1 KiB round trip: littles-law is 1.7, expected between 0.9 and 1.1"));
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
    const std::string text = console_table(document, Colour::none);
    const std::string once = "tcp, 64 B; tcp, 128 B; tcp, 256 B and 2 more: the figures contradict each other";
    CHECK(contains(text, once));
    CHECK(text.find("contradict") == text.rfind("contradict"));
    CHECK_FALSE(contains(text, "audit:"));
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

// SPDX-License-Identifier: Apache-2.0
#include "../document/sample_document.hpp"
#include "catch.hpp"

#include <ipcmark/result.hpp>

#include <map>
#include <sstream>
#include <string>
#include <vector>

using namespace ipcmark;

namespace {

std::vector<std::string> cells_of(const std::string& line) {
    std::vector<std::string> cells{""};
    bool quoted = false;
    for (const char c : line)
        if (c == '"')
            quoted = !quoted;
        else if (c == ',' && !quoted)
            cells.emplace_back();
        else
            cells.back() += c;
    return cells;
}

// Each row by the names of the columns.
std::vector<std::map<std::string, std::string>> rows_of(const ResultDocument& document) {
    std::istringstream stream(to_csv(document));
    std::string line;
    std::getline(stream, line);
    const std::vector<std::string> headings = cells_of(line);
    std::vector<std::map<std::string, std::string>> rows;
    while (std::getline(stream, line)) {
        const std::vector<std::string> cells = cells_of(line);
        REQUIRE(cells.size() == headings.size());
        auto& row = rows.emplace_back();
        for (std::size_t i = 0; i < cells.size(); ++i)
            row[headings[i]] = cells[i];
    }
    return rows;
}

} // namespace

TEST_CASE("a row of CSV says what its test was given") {
    ResultDocument document = sample::document();
    document.results[0].options = {{"type", "stream", false}, {"name", "a;b", true}, {"nodelay", "true", true}};
    document.results[3].plan.options = {{"depth", "8"}};
    document.results[1].plan.wait = WaitPolicy::adaptive;
    const auto rows = rows_of(document);
    REQUIRE(rows.size() == 5);
    CHECK(rows[0].at("options") == "name=a\\;b;nodelay=true");
    CHECK(rows[4].at("options") == "depth=8");
    CHECK(rows[0].at("spin_ns").empty());
    CHECK(rows[2].at("spin_ns") == "20000");
    CHECK(rows[0].at("message_count") == "10000");
    CHECK(rows[2].at("asked_duration_ns") == "1500000000");
    CHECK(rows[2].at("message_count").empty());
    CHECK(rows[0].at("timestamp") == "2026-01-02T03:04:05.678Z");
    CHECK(rows[4].at("timestamp") == "2026-01-02T03:04:09Z");
}

TEST_CASE("a row of CSV says what is wrong with its figures") {
    ResultDocument document = sample::document();
    document.results[0].one_way->delivery = {10, 9, 1, 2, 3, 4};
    document.results[0].warnings = {{"send-delay", "round trip: x", "", Direction::round_trip},
                                    {"overlap", "one-way: x", "", Direction::one_way},
                                    {"buffer-size-ignored", "x", ""}};
    const auto rows = rows_of(document);
    CHECK(rows[0].at("lost") == "1");
    CHECK(rows[0].at("duplicated") == "2");
    CHECK(rows[0].at("reordered") == "3");
    CHECK(rows[0].at("corrupted") == "4");
    CHECK(rows[0].at("received") == "9");
    CHECK(rows[0].at("warnings") == "buffer-size-ignored;overlap");
    CHECK(rows[1].at("warnings") == "buffer-size-ignored;send-delay");
    // A check that is suspicious, with or without a warning.
    CHECK(rows[2].at("warnings") == "cpu-mismatch;littles-law");
    CHECK(rows[4].at("duplicated").empty());
}

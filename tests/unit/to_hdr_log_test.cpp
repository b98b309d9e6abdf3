// SPDX-License-Identifier: Apache-2.0
#include "../document/sample_document.hpp"
#include "catch.hpp"

#include <ipcmark/result.hpp>

#include <sstream>
#include <string>
#include <vector>

using namespace ipcmark;

namespace {

std::vector<std::string> tags_of(const ResultDocument& document) {
    std::istringstream stream(to_hdr_log(document));
    std::vector<std::string> tags;
    for (std::string line; std::getline(stream, line);)
        if (line.starts_with("Tag="))
            tags.push_back(line.substr(4, line.find(',') - 4));
    return tags;
}

} // namespace

TEST_CASE("a tag of the histogram log says in what its test differs") {
    ResultDocument document = sample::document();
    TestResult uds = document.results[0];
    uds.one_way.reset();
    TestResult four = uds;
    four.plan.concurrency = 4;
    TestResult paced = four;
    paced.plan.rate_per_second = 2500;
    document.results = {uds, four, paced, document.results[1]};
    CHECK(tags_of(document) == std::vector<std::string>{"uds/1024/round-trip/conc=1/rate=max",
                                                        "uds/1024/round-trip/conc=4/rate=max",
                                                        "uds/1024/round-trip/conc=4/rate=2500", "tcp/1024/round-trip",
                                                        "tcp/1024/round-trip/uncorrected"});
    // In something else: by their order.
    four = uds;
    four.plan.window = 8;
    document.results = {uds, four};
    CHECK(tags_of(document) == std::vector<std::string>{"uds/1024/round-trip", "uds/1024/round-trip/2"});
    four.plan.repeat_index = 1;
    document.results = {uds, four};
    CHECK(tags_of(document) ==
          std::vector<std::string>{"uds/1024/round-trip/repeat=1", "uds/1024/round-trip/repeat=2"});
}

// SPDX-License-Identifier: Apache-2.0
// A program that measures unix sockets by itself and reads the percentiles: c++ -std=c++20 embed.cpp $(pkg-config
// --cflags --libs ipcmark)
#include <ipcmark/run.hpp>

#include <cstdio>

int main() {
    ipcmark::TestPlan test;
    test.mechanism = "uds";
    test.directions = {ipcmark::Direction::round_trip};
    test.message_size_bytes = 64;
    test.message_count = 10'000;
    ipcmark::Plan plan;
    plan.tests.push_back(test);
    try {
        const ipcmark::ResultDocument document = ipcmark::run(plan);
        const ipcmark::TestResult& result = document.results.front();
        if (result.failure) {
            std::fprintf(stderr, "%s\n", result.failure->c_str());
            return 1;
        }
        const ipcmark::Histogram& latency = result.round_trip->latency.histogram;
        for (const double percentile : {50.0, 99.0, 99.9})
            std::printf("p%g %llu ns\n", percentile,
                        static_cast<unsigned long long>(latency.percentile_ns(percentile)));
        std::printf("samples %llu\n", static_cast<unsigned long long>(latency.total_count()));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
}

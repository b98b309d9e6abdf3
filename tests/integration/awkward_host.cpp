// SPDX-License-Identifier: Apache-2.0
// A program that embeds ipcmark and does what large programs do: has much memory in use, and ignores its children's
// ends. Prints what the workers are said to have taken.
#include <ipcmark/run.hpp>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

int main() {
    constexpr std::size_t much = std::size_t{400} << 20;
    const std::unique_ptr<char[]> memory(new char[much]);
    std::memset(memory.get(), 1, much);
    std::signal(SIGCHLD, SIG_IGN);
    ipcmark::TestPlan test;
    test.mechanism = "uds";
    test.directions = {ipcmark::Direction::round_trip};
    test.message_size_bytes = 64;
    test.message_count = 500;
    ipcmark::Plan plan;
    plan.tests.push_back(test);
    const ipcmark::ResultDocument document = ipcmark::run(plan);
    const ipcmark::TestResult& result = document.results.front();
    if (result.failure) {
        std::fprintf(stderr, "%s\n", result.failure->c_str());
        return 1;
    }
    std::printf("%zu %llu %llu\n", much, static_cast<unsigned long long>(result.round_trip->server.max_resident_bytes),
                static_cast<unsigned long long>(result.round_trip->client.max_resident_bytes));
}

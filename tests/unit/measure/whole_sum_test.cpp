// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "measure/whole_sum.hpp"

#include <array>
#include <vector>

using namespace ipcmark;

TEST_CASE("a sum that went round is whole again") {
    constexpr std::uint64_t second_ns = 1'000'000'000;
    for (const std::uint64_t messages : {1ULL, 1'000'000ULL, 20'000'000ULL}) {
        // As latencies that grow from one second to twenty minutes, in steps of a second.
        std::vector<std::uint64_t> counts(HistogramLayout::bucket_count);
        std::uint64_t sum_ns = 0;
        long double whole_ns = 0;
        for (std::uint64_t second = 1; second <= 1200; ++second) {
            const std::uint64_t latency_ns = second * second_ns + second * 12'345;
            counts[HistogramLayout::index_of(latency_ns)] += messages;
            sum_ns += latency_ns * messages;
            whole_ns += static_cast<long double>(latency_ns) * static_cast<long double>(messages);
        }
        CHECK(whole_sum_ns(counts, sum_ns) == Approx(static_cast<double>(whole_ns)).epsilon(1e-12));
    }
}

TEST_CASE("a sum that did not go round stays what it is") {
    std::vector<std::uint64_t> counts(HistogramLayout::bucket_count);
    CHECK(whole_sum_ns(counts, 0) == 0);
    for (const auto latency_ns : std::array<std::uint64_t, 5>{0, 1, 777, 5'000'001, HistogramLayout::max_value_ns}) {
        counts.assign(counts.size(), 0);
        counts[HistogramLayout::index_of(latency_ns)] = 3;
        CHECK(whole_sum_ns(counts, 3 * latency_ns) == static_cast<double>(3 * latency_ns));
    }
}

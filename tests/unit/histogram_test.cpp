// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"

#include <ipcmark/histogram.hpp>

using ipcmark::Histogram;
using ipcmark::HistogramLayout;

TEST_CASE("buckets tile the range without gap or overlap", "[histogram]") {
    for (std::size_t index = 0; index + 1 < HistogramLayout::bucket_count; ++index) {
        REQUIRE(HistogramLayout::highest(index) + 1 == HistogramLayout::lowest(index + 1));
        REQUIRE(HistogramLayout::index_of(HistogramLayout::lowest(index)) <= index);
    }
    REQUIRE(HistogramLayout::index_of(HistogramLayout::max_value_ns) < HistogramLayout::bucket_count);
    REQUIRE(HistogramLayout::index_of(UINT64_MAX) == HistogramLayout::index_of(HistogramLayout::max_value_ns));
}

TEST_CASE("a value and its bucket differ by less than one in a thousand", "[histogram]") {
    for (std::uint64_t value = 1; value < HistogramLayout::max_value_ns; value += 1 + value / 777) {
        const auto index = HistogramLayout::index_of(value);
        REQUIRE(HistogramLayout::lowest(index) <= value);
        REQUIRE(value <= HistogramLayout::highest(index));
        REQUIRE(static_cast<double>(HistogramLayout::highest(index) - HistogramLayout::lowest(index)) <=
                static_cast<double>(value) / 1000.0);
    }
}

TEST_CASE("percentiles of 1..1000 are exact by rank", "[histogram]") {
    Histogram histogram;
    for (std::uint64_t value = 1; value <= 1000; ++value)
        histogram.record(value);
    CHECK(histogram.percentile_ns(0) == 1);
    CHECK(histogram.percentile_ns(50) == 500);
    CHECK(histogram.percentile_ns(99.9) == 999);
    CHECK(histogram.percentile_ns(100) == 1000);
    CHECK(histogram.mean_ns() == Approx(500.5));
    CHECK(histogram.std_dev_ns() == Approx(288.675).epsilon(1e-4));
}

TEST_CASE("merging equals recording into one", "[histogram]") {
    Histogram one, two, both;
    for (std::uint64_t value = 1; value < 1'000'000; value = value * 3 / 2 + 1) {
        (value % 2 != 0 ? one : two).record(value);
        both.record(value);
    }
    one.merge(two);
    CHECK(one.total_count() == both.total_count());
    CHECK(one.min_ns() == both.min_ns());
    CHECK(one.max_ns() == both.max_ns());
    CHECK(std::equal(one.counts().begin(), one.counts().end(), both.counts().begin()));
    CHECK(one.percentile_ns(95) == both.percentile_ns(95));
}

TEST_CASE("an empty histogram is all zeros", "[histogram]") {
    const Histogram histogram;
    CHECK(histogram.empty());
    CHECK(histogram.min_ns() == 0);
    CHECK(histogram.percentile_ns(99) == 0);
    CHECK(histogram.std_dev_ns() == 0);
}

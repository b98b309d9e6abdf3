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

TEST_CASE("the deviation of values that do not deviate is 0, however wide their bucket", "[histogram]") {
    for (const std::uint64_t value : {1'000'001ULL, 1'048'000ULL, 5'000'000'123ULL}) {
        Histogram recorded;
        recorded.record(value, 1000);
        const Histogram read(recorded.counts(), value, value, static_cast<double>(value) * 1000);
        CHECK(recorded.std_dev_ns() == Approx(0).margin(1e-3));
        CHECK(read.std_dev_ns() == Approx(0).margin(1e-3));
        CHECK(read.mean_ns() == static_cast<double>(value));
    }
}

TEST_CASE("the deviation is that of the values to a part of a bucket", "[histogram]") {
    Histogram histogram;
    for (std::uint64_t value = 1'000'000; value < 1'100'000; value += 10)
        histogram.record(value);
    const Histogram read(histogram.counts(), histogram.min_ns(), histogram.max_ns(), histogram.mean_ns() * 10'000);
    CHECK(read.std_dev_ns() == Approx(28867.5).epsilon(1e-3));
}

TEST_CASE("a value beyond the range is told as the maximum, not as an hour", "[histogram]") {
    constexpr std::uint64_t two_hours = 2 * HistogramLayout::max_value_ns;
    Histogram histogram;
    histogram.record(100, 98);
    histogram.record(two_hours, 2);
    CHECK(histogram.max_ns() == two_hours);
    CHECK(histogram.percentile_ns(98) == 100);
    CHECK(histogram.percentile_ns(99) == two_hours);
    CHECK(histogram.percentile_ns(100) == two_hours);
}

TEST_CASE("counts without their extremes still make percentiles", "[histogram]") {
    Histogram histogram;
    histogram.record(70, 3);
    histogram.record(5000);
    const Histogram read(histogram.counts(), UINT64_MAX, 0, 0);
    CHECK(read.min_ns() == 70);
    CHECK(read.percentile_ns(50) == 70);
    CHECK(read.max_ns() == HistogramLayout::highest(HistogramLayout::index_of(5000)));
    CHECK(read.percentile_ns(100) == read.max_ns());
}

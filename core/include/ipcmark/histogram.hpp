// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/export.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ipcmark {

// The buckets of a log-linear histogram with 3 significant digits: values below 2048 ns have a bucket each; above, each
// power of two is cut into 1024 buckets, so a bucket is never wider than 1/1024 of its values. This is the layout of
// HdrHistogram (lowest 1, 3 digits, sub-bucket count 2048), so counts convert to its V2 encoding one to one.
struct HistogramLayout {
    static constexpr std::uint64_t max_value_ns = 3'600'000'000'000; // 1 hour
    static constexpr unsigned sub_bucket_bits = 11;
    static constexpr std::uint64_t sub_buckets = 1ULL << sub_bucket_bits;
    static constexpr std::uint64_t half = sub_buckets / 2;
    static constexpr unsigned bucket_rows = std::bit_width(max_value_ns) - sub_bucket_bits + 1;
    static constexpr std::size_t bucket_count = (bucket_rows + 1) * half;

    // The bucket of a value; values above max_value_ns belong to the last bucket of that range.
    static constexpr std::size_t index_of(std::uint64_t value_ns) noexcept {
        if (value_ns > max_value_ns) [[unlikely]]
            value_ns = max_value_ns;
        const unsigned row = static_cast<unsigned>(std::bit_width(value_ns | (sub_buckets - 1))) - sub_bucket_bits;
        return (static_cast<std::size_t>(row) << (sub_bucket_bits - 1)) + static_cast<std::size_t>(value_ns >> row);
    }
    // The smallest value of a bucket.
    static constexpr std::uint64_t lowest(std::size_t index) noexcept {
        const std::size_t row = index < sub_buckets ? 0 : index / half - 1;
        return static_cast<std::uint64_t>(index - row * half) << row;
    }
    // The largest value of a bucket.
    static constexpr std::uint64_t highest(std::size_t index) noexcept { return lowest(index + 1) - 1; }
};

// An owning histogram of durations in nanoseconds. Not thread-safe: each thread has its own and they are merged.
class IPCMARK_API Histogram {
public:
    Histogram();
    // Takes counts in the layout above, for example out of shared results memory, with the exact extremes and the sum
    // in ns that were kept beside them. Extremes that contradict the counts, as a process leaves that is killed between
    // the one and the other, are taken from the counts.
    Histogram(std::span<const std::uint64_t> counts, std::uint64_t min_ns, std::uint64_t max_ns, double sum_ns);

    void record(std::uint64_t value_ns, std::uint64_t count = 1);
    void merge(const Histogram& other);

    [[nodiscard]] std::uint64_t total_count() const noexcept { return total_; }
    [[nodiscard]] bool empty() const noexcept { return total_ == 0; }
    // Exact, not rounded to a bucket; 0 when empty.
    [[nodiscard]] std::uint64_t min_ns() const noexcept { return total_ == 0 ? 0 : min_; }
    [[nodiscard]] std::uint64_t max_ns() const noexcept { return max_; }
    [[nodiscard]] double mean_ns() const noexcept;
    // Population standard deviation, of the middles of the buckets around their own mean, as HdrHistogram has it. The
    // exact mean in its place would make a deviation of several percent of the rounding of each bucket.
    [[nodiscard]] double std_dev_ns() const noexcept;
    // The value at a percentile in 0..100: the upper end of the bucket that holds the sample of rank
    // ceil(percentile/100 * count), never above max_ns(): HdrHistogram's definition. 0 when empty.
    [[nodiscard]] std::uint64_t percentile_ns(double percentile) const;
    [[nodiscard]] std::span<const std::uint64_t> counts() const noexcept { return counts_; }

private:
    std::vector<std::uint64_t> counts_;
    std::uint64_t total_ = 0;
    std::uint64_t min_ = UINT64_MAX;
    std::uint64_t max_ = 0;
    double sum_ = 0;
};

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include <ipcmark/histogram.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ipcmark {
namespace {

double middle_of(std::size_t index) {
    return static_cast<double>(HistogramLayout::lowest(index) + HistogramLayout::highest(index)) / 2;
}

} // namespace

Histogram::Histogram() : counts_(HistogramLayout::bucket_count) {}

Histogram::Histogram(std::span<const std::uint64_t> counts, std::uint64_t min_ns, std::uint64_t max_ns, double sum_ns)
    : counts_(counts.begin(), counts.end()), total_(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0})),
      min_(min_ns), max_(max_ns), sum_(sum_ns) {
    counts_.resize(HistogramLayout::bucket_count);
    if (total_ != 0 && min_ > max_) {
        const auto filled = [](std::uint64_t count) { return count != 0; };
        const auto first = std::find_if(counts_.begin(), counts_.end(), filled) - counts_.begin();
        const auto behind_last = counts_.rend() - std::find_if(counts_.rbegin(), counts_.rend(), filled);
        min_ = HistogramLayout::lowest(static_cast<std::size_t>(first));
        max_ = HistogramLayout::highest(static_cast<std::size_t>(behind_last) - 1);
    }
}

void Histogram::record(std::uint64_t value_ns, std::uint64_t count) {
    counts_[HistogramLayout::index_of(value_ns)] += count;
    total_ += count;
    min_ = std::min(min_, value_ns);
    max_ = std::max(max_, value_ns);
    sum_ += static_cast<double>(value_ns) * static_cast<double>(count);
}

void Histogram::merge(const Histogram& other) {
    std::transform(counts_.begin(), counts_.end(), other.counts_.begin(), counts_.begin(), std::plus<>{});
    total_ += other.total_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
    sum_ += other.sum_;
}

double Histogram::mean_ns() const noexcept {
    return total_ == 0 ? 0 : sum_ / static_cast<double>(total_);
}

double Histogram::std_dev_ns() const noexcept {
    if (total_ == 0)
        return 0;
    const auto total = static_cast<double>(total_);
    double mean = 0;
    for (std::size_t index = 0; index < counts_.size(); ++index)
        mean += static_cast<double>(counts_[index]) * middle_of(index) / total;
    double variance = 0;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
        const double distance = middle_of(index) - mean;
        variance += static_cast<double>(counts_[index]) * distance * distance / total;
    }
    return std::sqrt(variance);
}

std::uint64_t Histogram::percentile_ns(double percentile) const {
    if (total_ == 0)
        return 0;
    // One step down, as HdrHistogram does: 99.9 / 100 * 1000 is a little above 999 and must not round up to rank 1000.
    const double asked = std::nextafter(std::clamp(percentile, 0.0, 100.0), 0.0);
    const double wanted = std::ceil(asked / 100.0 * static_cast<double>(total_));
    const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
    constexpr std::size_t last_bucket = HistogramLayout::index_of(HistogramLayout::max_value_ns);
    std::uint64_t seen = 0;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
        seen += counts_[index];
        // The last bucket has all that is above the range, too: only the maximum is known of that.
        if (seen >= rank)
            return index == last_bucket ? max_ : std::clamp(HistogramLayout::highest(index), min_, max_);
    }
    return max_;
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/histogram.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ipcmark {

// The sum of all values in ns, of a sum that was kept modulo 2^64 and the counts beside it, which tell it to one part
// in two thousand: enough to know how often it went round, up to 2^74 ns. Without an end to a rate that cannot be
// reached, it does in a minute or two. Not so exact where values are above HistogramLayout::max_value_ns.
[[nodiscard]] inline double whole_sum_ns(std::span<const std::uint64_t> counts, std::uint64_t sum_ns) noexcept {
    double estimate = 0;
    for (std::size_t index = 0; index < counts.size(); ++index)
        if (counts[index] != 0)
            estimate += static_cast<double>(counts[index]) *
                        (static_cast<double>(HistogramLayout::lowest(index)) +
                         static_cast<double>(HistogramLayout::highest(index))) /
                        2;
    const double rounds = std::round((estimate - static_cast<double>(sum_ns)) / 0x1p64);
    return static_cast<double>(sum_ns) + (rounds > 0 ? rounds : 0) * 0x1p64;
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/export.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// How people write sizes, times, counts and CPUs, on the command line, in suite files and in the options of modules.
// Every parse_ function throws UsageError for text that is empty, malformed, negative or too large for its type; what()
// begins with the text in quotes and says what is allowed, for the caller to put the name of the argument in front.
// What a format_ function writes, the parse_ function of the same kind reads back to the same value.
namespace ipcmark {

// A whole number of bytes: "1000", "64B", "64K" = "64KiB" = 65536, also M, G, T. "KB" is refused, as it may mean both.
[[nodiscard]] IPCMARK_API std::uint64_t parse_size_bytes(std::string_view text);
// "64KiB", or the bare number where no unit divides it.
[[nodiscard]] IPCMARK_API std::string format_size_bytes(std::uint64_t bytes);

// A number, perhaps with a fraction, and ns, us, ms, s, m or h; a bare number is seconds. Rounded to the nearest
// nanosecond; what is not zero but rounds to zero is refused. At most 2^63 - 1 ns.
[[nodiscard]] IPCMARK_API std::chrono::nanoseconds parse_duration(std::string_view text);
// "1500ms": a whole number of the largest unit that divides it.
[[nodiscard]] IPCMARK_API std::string format_duration(std::chrono::nanoseconds duration);

// A whole number of things that are not bytes: "10000", "10k" = 10000, also M, G.
[[nodiscard]] IPCMARK_API std::uint64_t parse_count(std::string_view text);
[[nodiscard]] IPCMARK_API std::string format_count(std::uint64_t count);

// Events per second, more than 0: "2500", "0.5", "10k", "1.5M", each perhaps followed by "/s".
[[nodiscard]] IPCMARK_API double parse_rate(std::string_view text);

// CPU ids in the order given: "0-2,5" is 0, 1, 2, 5; "0-8:4" is 0, 4, 8. A CPU named twice is refused.
[[nodiscard]] IPCMARK_API std::vector<int> parse_cpu_list(std::string_view text);
[[nodiscard]] IPCMARK_API std::string format_cpu_list(const std::vector<int>& cpus);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

// What a test may ask for, whatever its module can do: far beyond what anyone waits for or has, and far enough inside
// the number types that no sum of a run overflows.
namespace ipcmark {

inline constexpr std::uint64_t largest_message_bytes = std::uint64_t{1} << 40;
inline constexpr unsigned most_endpoints = 4096;
inline constexpr unsigned most_outstanding = 65'536; // window, batch
inline constexpr std::uint64_t most_messages = 1'000'000'000'000'000;
inline constexpr std::size_t most_percentiles = 1000;
inline constexpr std::chrono::hours longest_time{8760}; // a year
// What an open loop may take beyond -d for the messages that were due in that time.
inline constexpr std::chrono::seconds longest_overtime{1};
inline constexpr double fastest_rate = 1e9;               // messages per second: one a nanosecond, the finest schedule
inline constexpr std::chrono::seconds slowest_pace{3600}; // between two messages of an endpoint

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/clock.hpp"
#include "run/control_channel.hpp"

#include <cstdint>
#include <stop_token>
#include <string>

#include <boost/json/object.hpp>

namespace ipcmark {

// Whether the two ends of a stand-alone run read one clock. The boot id does not tell: a time namespace shifts the
// kernel's clock, a virtual machine the counter, and machines that were restored from one snapshot have one boot id.

// How far a stamp of the other end, in ticks, lies outside of the two that were taken here before it was asked for and
// after it had come; 0 where it lies between them, as that of the same clock does.
[[nodiscard]] constexpr std::uint64_t outside(std::uint64_t before, std::uint64_t stamp, std::uint64_t after) noexcept {
    return stamp < before ? before - stamp : stamp > after ? stamp - after : 0;
}

// The client's part, after the hello: asks the server for readings of that clock. Empty where all lie between our own,
// else what differs, as a part of a sentence. Throws RunError where no reading comes, or a stop is asked for.
[[nodiscard]] std::string clock_difference(ControlChannel& channel, ClockKind kind, const std::stop_token& stop);

// The server's answer to a message of type "clock".
[[nodiscard]] boost::json::object clock_reading(const boost::json::object& question);

} // namespace ipcmark

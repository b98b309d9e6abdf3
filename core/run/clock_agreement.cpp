// SPDX-License-Identifier: Apache-2.0
#include "run/clock_agreement.hpp"

#include "run/stand_alone_protocol.hpp"

#include <ipcmark/run.hpp>

#include <chrono>

#include <fmt/format.h>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;

// The server reads and answers at once; this is for a machine that is busy.
constexpr auto answer_limit = 10s;
// The one whose answer is there soonest leaves the least room for a difference that is not seen.
constexpr int tries = 16;

std::string difference_of(std::uint64_t ticks, ClockKind kind) {
    if (kind == ClockKind::cycle_counter)
        return fmt::format("their processors' counters are {} ticks apart", ticks);
    const double seconds = static_cast<double>(ticks) / 1e9;
    return fmt::format("their monotonic clocks are {} apart",
                       seconds < 1 ? fmt::format("{} ns", ticks) : fmt::format("{:.1f} s", seconds));
}

} // namespace

std::string clock_difference(ControlChannel& channel, ClockKind kind, const std::stop_token& stop) {
    for (int attempt = 0; attempt < tries; ++attempt) {
        const std::uint64_t before = read_clock(kind);
        channel.send({{"type", "clock"}, {"clock_kind", static_cast<std::uint32_t>(kind)}});
        const auto answer = receive_until(channel, std::chrono::steady_clock::now() + answer_limit, stop);
        const std::uint64_t after = read_clock(kind);
        if (!answer && stop.stop_requested())
            throw RunError("interrupted before the two ends had compared their clocks");
        if (!answer || text_field(*answer, "type") != "clock")
            throw RunError("the other end of the control connection does not say what its clock reads");
        if (const std::uint64_t ticks = outside(before, number_field(*answer, "ticks"), after); ticks != 0)
            return difference_of(ticks, kind);
    }
    return {};
}

boost::json::object clock_reading(const boost::json::object& question) {
    const bool counter = number_field(question, "clock_kind") == static_cast<std::uint64_t>(ClockKind::cycle_counter);
    return {{"type", "clock"}, {"ticks", read_clock(counter ? ClockKind::cycle_counter : ClockKind::monotonic)}};
}

} // namespace ipcmark

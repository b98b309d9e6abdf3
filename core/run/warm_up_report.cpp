// SPDX-License-Identifier: Apache-2.0
#include "run/warm_up_report.hpp"

#include "run/control_channel.hpp"

#include <ipcmark/run.hpp>

#include <boost/json/array.hpp>

namespace ipcmark {

using namespace std::chrono_literals;

// Every message of a round trip comes back, and its client has nothing to wait for.
WarmUpReport::WarmUpReport(const ResultsMemory& memory, const WorkerJob& job)
    : memory_(memory), over_(job.direction == Direction::round_trip) {}

std::optional<boost::json::object> WarmUpReport::look(TimePoint now) {
    constexpr auto interval = 500ms; // far less than the client's patience
    if (over_)
        return std::nullopt;
    const unsigned endpoints = memory_.shape().endpoints;
    std::uint64_t taken = 0;
    bool all_warm = true;
    for (unsigned endpoint = 0; endpoint < endpoints; ++endpoint) {
        const Slot& slot = memory_.slot(Role::server, endpoint);
        all_warm = all_warm && slot.phase.load(std::memory_order_acquire) >= Phase::measuring;
        taken += slot.consumed.load(std::memory_order_relaxed);
    }
    if (!all_warm && (taken == told_ || (told_at_ && now < *told_at_ + interval)))
        return std::nullopt;
    over_ = all_warm;
    told_ = taken;
    told_at_ = now;
    boost::json::array slots;
    for (unsigned endpoint = 0; endpoint < endpoints; ++endpoint) {
        const Slot& slot = memory_.slot(Role::server, endpoint);
        slots.push_back({{"phase", static_cast<unsigned>(slot.phase.load(std::memory_order_acquire))},
                         {"consumed", slot.consumed.load(std::memory_order_relaxed)}});
    }
    return boost::json::object{{"type", "warming"}, {"slots", std::move(slots)}};
}

void note_warm_up(const boost::json::object& message, const ResultsMemory& memory) {
    const auto& slots = message.at("slots").as_array();
    if (slots.size() != memory.shape().endpoints)
        throw RunError("the other end tells of the warm-up of another number of endpoints");
    for (unsigned endpoint = 0; endpoint < memory.shape().endpoints; ++endpoint) {
        const auto& object = slots[endpoint].as_object();
        const std::uint64_t phase = number_field(object, "phase");
        if (phase > static_cast<std::uint64_t>(Phase::finished))
            throw RunError("the other end tells of an unknown phase");
        Slot& slot = memory.slot(Role::server, endpoint);
        slot.consumed.store(number_field(object, "consumed"), std::memory_order_relaxed);
        slot.phase.store(static_cast<Phase>(phase), std::memory_order_release);
    }
}

} // namespace ipcmark

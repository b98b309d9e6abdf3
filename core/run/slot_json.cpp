// SPDX-License-Identifier: Apache-2.0
#include "run/slot_json.hpp"

#include "run/control_channel.hpp"

#include <ipcmark/run.hpp>

#include <boost/json/object.hpp>

namespace ipcmark {
namespace {

using std::memory_order_relaxed;

boost::json::array sparse(std::span<const std::uint64_t> counts) {
    boost::json::array pairs;
    for (std::size_t index = 0; index < counts.size(); ++index) {
        if (counts[index] != 0) {
            pairs.emplace_back(index);
            pairs.emplace_back(counts[index]);
        }
    }
    return pairs;
}

void fill(std::span<std::uint64_t> counts, const boost::json::array& pairs) {
    for (std::size_t at = 0; at + 1 < pairs.size(); at += 2) {
        const auto index = pairs[at].to_number<std::size_t>();
        if (index >= counts.size())
            throw RunError("the other end sent a histogram with an unknown bucket");
        counts[index] = pairs[at + 1].to_number<std::uint64_t>();
    }
}

boost::json::object sums_json(const HistogramSums& sums) {
    return {{"min", sums.min_ns}, {"max", sums.max_ns}, {"sum", sums.sum_ns}};
}

HistogramSums sums_from(const boost::json::object& object) {
    return {number_field(object, "min"), number_field(object, "max"), number_field(object, "sum")};
}

} // namespace

boost::json::array server_slots_to_json(const ResultsMemory& memory) {
    boost::json::array slots;
    for (unsigned endpoint = 0; endpoint < memory.shape().endpoints; ++endpoint) {
        const Slot& slot = memory.slot(Role::server, endpoint);
        boost::json::array cpus(slot.cpus_used.begin(), slot.cpus_used.end());
        boost::json::array messages;
        for (const CpuMessages& entry : slot.messages_by_cpu)
            messages.push_back({entry.cpu, entry.messages});
        slots.push_back({
            {"received", slot.received.load(memory_order_relaxed)},
            {"consumed", slot.consumed.load(memory_order_relaxed)},
            {"last_receive_tick", slot.last_receive_tick.load(memory_order_relaxed)},
            {"latency", sums_json(slot.latency)},
            {"lost", slot.lost},
            {"duplicated", slot.duplicated},
            {"reordered", slot.reordered},
            {"corrupted", slot.corrupted},
            {"backwards", slot.backwards},
            {"cpu_time_ns", slot.usage.cpu_time_ns},
            {"user_time_ns", slot.usage.user_time_ns},
            {"system_time_ns", slot.usage.system_time_ns},
            {"run_delay_ns", slot.usage.run_delay_ns},
            {"voluntary_switches", slot.usage.voluntary_switches},
            {"involuntary_switches", slot.usage.involuntary_switches},
            {"migrations", slot.usage.migrations},
            {"cpus_used", cpus},
            {"messages_by_cpu", messages},
            {"max_resident_bytes", slot.max_resident_bytes},
            {"counts", sparse(memory.copy_of(memory.counts(Role::server, endpoint)))},
        });
    }
    return slots;
}

void server_slots_from_json(const boost::json::array& slots, ResultsMemory& memory) {
    if (slots.empty())
        return; // refused before anything ran
    if (slots.size() != memory.shape().endpoints)
        throw RunError("the other end sent the results of another number of endpoints");
    for (unsigned endpoint = 0; endpoint < memory.shape().endpoints; ++endpoint) {
        const auto& object = slots[endpoint].as_object();
        Slot& slot = memory.slot(Role::server, endpoint);
        slot.received.store(number_field(object, "received"), memory_order_relaxed);
        slot.consumed.store(number_field(object, "consumed"), memory_order_relaxed);
        slot.last_receive_tick.store(number_field(object, "last_receive_tick"), memory_order_relaxed);
        slot.latency = sums_from(object_field(object, "latency"));
        slot.lost = number_field(object, "lost");
        slot.duplicated = number_field(object, "duplicated");
        slot.reordered = number_field(object, "reordered");
        slot.corrupted = number_field(object, "corrupted");
        slot.backwards = number_field(object, "backwards");
        slot.usage = {.cpu_time_ns = number_field(object, "cpu_time_ns"),
                      .user_time_ns = number_field(object, "user_time_ns"),
                      .system_time_ns = number_field(object, "system_time_ns"),
                      .run_delay_ns = number_field(object, "run_delay_ns"),
                      .voluntary_switches = number_field(object, "voluntary_switches"),
                      .involuntary_switches = number_field(object, "involuntary_switches"),
                      .migrations = number_field(object, "migrations")};
        const auto& cpus = object.at("cpus_used").as_array();
        for (std::size_t word = 0; word < slot.cpus_used.size() && word < cpus.size(); ++word)
            slot.cpus_used[word] = cpus[word].to_number<std::uint64_t>();
        const auto& messages = object.at("messages_by_cpu").as_array();
        for (std::size_t at = 0; at < slot.messages_by_cpu.size() && at < messages.size(); ++at) {
            const auto& entry = messages[at].as_array();
            slot.messages_by_cpu[at] = {entry.at(0).to_number<std::uint64_t>(), entry.at(1).to_number<std::uint64_t>()};
        }
        slot.max_resident_bytes = number_field(object, "max_resident_bytes");
        fill(memory.counts(Role::server, endpoint), object.at("counts").as_array());
    }
}

} // namespace ipcmark

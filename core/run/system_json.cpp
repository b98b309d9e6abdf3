// SPDX-License-Identifier: Apache-2.0
#include "run/system_json.hpp"

#include "run/control_channel.hpp"

#include <ipcmark/run.hpp>

#include <string>
#include <utility>

#include <boost/json/array.hpp>

namespace ipcmark {
namespace {

constexpr std::pair<const char*, std::string SystemInfo::*> texts[] = {
    {"os", &SystemInfo::os},
    {"distribution", &SystemInfo::distribution},
    {"kernel", &SystemInfo::kernel},
    {"architecture", &SystemInfo::architecture},
    {"cpu_model", &SystemInfo::cpu_model},
    {"governor", &SystemInfo::governor},
    {"container", &SystemInfo::container},
    {"virtualization", &SystemInfo::virtualization},
    {"hostname", &SystemInfo::hostname},
    {"boot_id", &SystemInfo::boot_id},
    {"compiler", &SystemInfo::compiler},
    {"benchmark_version", &SystemInfo::benchmark_version},
};

constexpr std::pair<const char*, unsigned SystemInfo::*> counts[] = {
    {"cpu_cores", &SystemInfo::cpu_cores},
    {"numa_nodes", &SystemInfo::numa_nodes},
};

} // namespace

boost::json::object system_to_json(const SystemInfo& system) {
    boost::json::object object;
    for (const auto& [name, field] : texts)
        object[name] = system.*field;
    for (const auto& [name, field] : counts)
        object[name] = system.*field;
    object["cpus_allowed"] = boost::json::array(system.cpus_allowed.begin(), system.cpus_allowed.end());
    object["memory_bytes"] = system.memory_bytes;
    if (system.memory_limit_bytes)
        object["memory_limit_bytes"] = *system.memory_limit_bytes;
    if (system.cpu_limit)
        object["cpu_limit"] = *system.cpu_limit;
    return object;
}

SystemInfo system_from_json(const boost::json::object& object) {
    SystemInfo system;
    for (const auto& [name, field] : texts)
        system.*field = text_field(object, name);
    for (const auto& [name, field] : counts)
        system.*field = static_cast<unsigned>(number_field(object, name));
    const auto* cpus = object.if_contains("cpus_allowed");
    if (cpus == nullptr || !cpus->is_array())
        throw RunError("a control message lacks the list 'cpus_allowed'");
    for (const auto& cpu : cpus->get_array())
        system.cpus_allowed.push_back(cpu.to_number<int>());
    system.memory_bytes = number_field(object, "memory_bytes");
    if (object.contains("memory_limit_bytes"))
        system.memory_limit_bytes = number_field(object, "memory_limit_bytes");
    if (const auto* limit = object.if_contains("cpu_limit"))
        system.cpu_limit = limit->to_number<double>();
    return system;
}

} // namespace ipcmark

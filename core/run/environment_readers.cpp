// SPDX-License-Identifier: Apache-2.0
#include "run/environment_readers.hpp"

#include "run/small_file.hpp"

#include <ipcmark/module_kit/memory_room.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

namespace ipcmark::environment {

namespace fs = std::filesystem;

namespace {

std::string_view trim(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\"");
    return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\"") - begin + 1);
}

// The value of the first line `key<separator>value`.
std::string value_of(const std::string& text, std::string_view key, char separator) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto at = line.find(separator);
        if (at != std::string::npos && trim(std::string_view(line).substr(0, at)) == key)
            return std::string(trim(std::string_view(line).substr(at + 1)));
    }
    return {};
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end != text.data() ? std::optional(value) : std::nullopt;
}

// The ids of a kernel list: "0-3,8".
std::vector<unsigned> list(const std::string& text) {
    std::vector<unsigned> ids;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        const auto dash = part.find('-');
        const auto first = number(part);
        const auto last = dash == std::string::npos ? first : number(std::string_view(part).substr(dash + 1));
        if (first && last)
            for (auto id = *first; id <= *last && ids.size() < 65'536; ++id)
                ids.push_back(static_cast<unsigned>(id));
    }
    return ids;
}

constexpr auto online_cpu_list = "sys/devices/system/cpu/online";

// The cores of Arm servers and boards by MIDR implementer and part number, as /proc/cpuinfo shows them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 17> arm_parts{{
    {"0x41 0xd03", "Arm Cortex-A53"},
    {"0x41 0xd05", "Arm Cortex-A55"},
    {"0x41 0xd07", "Arm Cortex-A57"},
    {"0x41 0xd08", "Arm Cortex-A72"},
    {"0x41 0xd0b", "Arm Cortex-A76"},
    {"0x41 0xd0c", "Arm Neoverse-N1"},
    {"0x41 0xd40", "Arm Neoverse-V1"},
    {"0x41 0xd41", "Arm Cortex-A78"},
    {"0x41 0xd49", "Arm Neoverse-N2"},
    {"0x41 0xd4f", "Arm Neoverse-V2"},
    {"0x41 0xd84", "Arm Neoverse-V3"},
    {"0x41 0xd8e", "Arm Neoverse-N3"},
    {"0x43 0x0af", "Cavium ThunderX2"},
    {"0x46 0x001", "Fujitsu A64FX"},
    {"0x48 0xd01", "HiSilicon Kunpeng-920"},
    {"0xc0 0xac3", "Ampere-1"},
    {"0xc0 0xac4", "Ampere-1a"},
}};

} // namespace

std::string distribution(const Root& root) {
    for (const char* file : {"etc/os-release", "usr/lib/os-release"})
        if (std::string name = value_of(read_small_file(root / file), "PRETTY_NAME", '='); !name.empty())
            return name;
    return {};
}

std::string cpu_model(const Root& root) {
    const std::string text = read_small_file(root / "proc/cpuinfo");
    for (std::string_view key : {"model name", "cpu model", "Model"})
        if (std::string model = value_of(text, key, ':'); !model.empty())
            return model;
    const std::string implementer = value_of(text, "CPU implementer", ':');
    const std::string part = value_of(text, "CPU part", ':');
    if (implementer.empty())
        return {};
    const std::string both = implementer + " " + part;
    const auto* known =
        std::find_if(arm_parts.begin(), arm_parts.end(), [&](auto& entry) { return entry.first == both; });
    return known != arm_parts.end() ? std::string(known->second) : "Arm implementer " + implementer + " part " + part;
}

unsigned online_cpus(const Root& root) {
    return static_cast<unsigned>(list(read_small_file(root / online_cpu_list)).size());
}

unsigned numa_nodes(const Root& root) {
    return static_cast<unsigned>(list(read_small_file(root / "sys/devices/system/node/online")).size());
}

std::string governor(const Root& root) {
    std::set<std::string> names;
    for (unsigned cpu : list(read_small_file(root / online_cpu_list))) {
        std::string name = read_small_file(
            root / "sys/devices/system/cpu" / ("cpu" + std::to_string(cpu)) / "cpufreq/scaling_governor", 64);
        if (name.empty())
            break; // where one CPU has none, none has
        names.insert(std::move(name));
    }
    std::string joined;
    for (const std::string& name : names)
        joined += (joined.empty() ? "" : ",") + name;
    return joined;
}

std::uint64_t memory_bytes(const Root& root) {
    return number(value_of(read_small_file(root / "proc/meminfo"), "MemTotal", ':')).value_or(0) * 1024;
}

std::optional<std::uint64_t> memory_limit_bytes(const Root& root) {
    std::optional<std::uint64_t> lowest;
    for (const kit::MemoryGroup& group : kit::memory_groups(root.string()))
        lowest = std::min(lowest.value_or(group.limit), group.limit);
    return lowest;
}

std::string boot_id(const Root& root) {
    return read_small_file(root / "proc/sys/kernel/random/boot_id", 64);
}

std::string container(const Root& root, const std::string& variable) {
    const std::string groups = read_small_file(root / "proc/self/cgroup");
    const auto in_groups = [&](std::string_view name) { return groups.find(name) != std::string::npos; };
    std::error_code ignored;
    const auto there = [&](const char* path) { return fs::exists(root / path, ignored); };
    if (there("var/run/secrets/kubernetes.io") || there("run/secrets/kubernetes.io") || in_groups("kubepods"))
        return "kubernetes";
    if (there("run/.containerenv") || variable == "podman" || in_groups("libpod"))
        return "podman";
    if (there(".dockerenv") || variable == "docker" || in_groups("/docker"))
        return "docker";
    if (!variable.empty() || there("run/systemd/container") || there("run/host/container-manager") ||
        in_groups("/lxc/") || in_groups("containerd"))
        return "other";
    return "none";
}

std::string virtualization(const Root& root, const std::string& signature) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> signatures{{
        {"KVMKVMKVM", "kvm"},
        {"Linux KVM Hv", "kvm"},
        {"TCGTCGTCGTCG", "qemu"},
        {"XenVMMXenVMM", "xen"},
        {"VMwareVMware", "vmware"},
        {"Microsoft Hv", "hyper-v"},
        {"VBoxVBoxVBox", "virtualbox"},
        {"bhyve bhyve ", "bhyve"},
    }};
    for (const auto& [known, name] : signatures)
        if (signature == known)
            return std::string(name);
    if (const std::string type = read_small_file(root / "sys/hypervisor/type", 64); !type.empty())
        return type;
    // Arm: the hypervisor tells through the device tree.
    if (const std::string compatible = read_small_file(root / "proc/device-tree/hypervisor/compatible", 64);
        !compatible.empty())
        return compatible.find("kvm") != std::string::npos   ? "kvm"
               : compatible.find("xen") != std::string::npos ? "xen"
                                                             : "other";
    constexpr std::array<std::pair<std::string_view, std::string_view>, 9> vendors{{
        {"QEMU", "qemu"},
        {"KVM", "kvm"},
        {"Amazon EC2", "kvm"},
        {"Google Compute Engine", "kvm"},
        {"OpenStack", "kvm"},
        {"VMware", "vmware"},
        {"innotek GmbH", "virtualbox"},
        {"Xen", "xen"},
        {"Parallels", "parallels"},
    }};
    const std::string vendor = read_small_file(root / "sys/class/dmi/id/sys_vendor", 128) + "\n" +
                               read_small_file(root / "sys/class/dmi/id/product_name", 128);
    const bool flagged =
        (" " + value_of(read_small_file(root / "proc/cpuinfo"), "flags", ':') + " ").find(" hypervisor ") !=
        std::string::npos;
    // Metal instances of a cloud carry its vendor name without a hypervisor.
    const bool x86 = vendor.size() > 1 && read_small_file(root / "proc/cpuinfo").find("\nflags") != std::string::npos;
    if (!x86 || flagged || !signature.empty())
        for (const auto& [known, name] : vendors)
            if (vendor.find(known) != std::string::npos && vendor.find(".metal") == std::string::npos)
                return std::string(name);
    return flagged || !signature.empty() ? "other" : "none";
}

} // namespace ipcmark::environment

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// The parts of capture_environment, each reading below a root folder ("/" but in the tests). What cannot be read gives
// an empty value.
namespace ipcmark::environment {

using Root = std::filesystem::path;

[[nodiscard]] std::string distribution(const Root& root); // PRETTY_NAME of os-release
[[nodiscard]] std::string cpu_model(const Root& root);    // /proc/cpuinfo; on Arm by implementer and part
[[nodiscard]] unsigned online_cpus(const Root& root);
[[nodiscard]] unsigned numa_nodes(const Root& root);
// Of the online CPUs; several different ones are joined by commas.
[[nodiscard]] std::string governor(const Root& root);
[[nodiscard]] std::uint64_t memory_bytes(const Root& root);
// The lowest limit of this process's control groups (v1 and v2), up to the root of the tree.
[[nodiscard]] std::optional<std::uint64_t> memory_limit_bytes(const Root& root);
[[nodiscard]] std::string boot_id(const Root& root);

// "none", "docker", "podman", "kubernetes", "other". `variable` is the environment variable `container` that container
// engines set.
[[nodiscard]] std::string container(const Root& root, const std::string& variable);

// "none" or the hypervisor: "kvm", "qemu", "xen", "vmware", "hyper-v", "firecracker", "other", ... `signature` is what
// the processor says of its hypervisor (x86), empty where it says nothing.
[[nodiscard]] std::string virtualization(const Root& root, const std::string& signature);

} // namespace ipcmark::environment

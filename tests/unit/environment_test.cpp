// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "run/environment.hpp"
#include "run/environment_readers.hpp"
#include "temp_dir.hpp"

#include <ipcmark/module_kit/memory_room.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>

#include <sched.h>

namespace fs = std::filesystem;
namespace env = ipcmark::environment;
namespace kit = ipcmark::kit;

namespace {

// A root folder with just the files that a test writes.
class FakeRoot {
public:
    FakeRoot& file(const fs::path& name, const std::string& text) {
        folder_.write(name, text);
        return *this;
    }
    operator const fs::path&() const { return folder_.path(); }

private:
    TempDir folder_;
};

std::string path(const fs::path& root) {
    return root.string();
}

} // namespace

TEST_CASE("an empty machine gives empty fields, not errors") {
    const FakeRoot root;
    CHECK(env::distribution(root).empty());
    CHECK(env::cpu_model(root).empty());
    CHECK(env::online_cpus(root) == 0);
    CHECK(env::numa_nodes(root) == 0);
    CHECK(env::governor(root).empty());
    CHECK(env::memory_bytes(root) == 0);
    CHECK_FALSE(env::memory_limit_bytes(root));
    CHECK(env::boot_id(root).empty());
    CHECK(env::container(root, "") == "none");
    CHECK(env::virtualization(root, "") == "none");
}

TEST_CASE("the distribution is os-release's pretty name, unquoted") {
    FakeRoot root;
    root.file("usr/lib/os-release", "ID=x\nPRETTY_NAME=\"Fallback 1\"\n");
    CHECK(env::distribution(root) == "Fallback 1");
    root.file("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
    CHECK(env::distribution(root) == "Debian GNU/Linux 12 (bookworm)");
}

TEST_CASE("the processor's model, on x86 and on Arm") {
    FakeRoot x86;
    x86.file("proc/cpuinfo",
             "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\nmodel name\t: A CPU @ 2.50GHz\n");
    CHECK(env::cpu_model(x86) == "A CPU @ 2.50GHz");
    FakeRoot arm;
    arm.file("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n");
    CHECK(env::cpu_model(arm) == "Arm Neoverse-N1");
    arm.file("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x77\nCPU part\t: 0x123\n");
    CHECK(env::cpu_model(arm) == "Arm implementer 0x77 part 0x123");
}

TEST_CASE("processors and memory nodes are counted from the kernel's lists") {
    FakeRoot root;
    root.file("sys/devices/system/cpu/online", "0-3,8,10-11\n").file("sys/devices/system/node/online", "0-1\n");
    CHECK(env::online_cpus(root) == 7);
    CHECK(env::numa_nodes(root) == 2);
}

TEST_CASE("the governor is named once, and all where they differ") {
    FakeRoot root;
    root.file("sys/devices/system/cpu/online", "0-1\n")
        .file("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n")
        .file("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n");
    CHECK(env::governor(root) == "performance");
    root.file("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n");
    CHECK(env::governor(root) == "performance,powersave");
}

TEST_CASE("memory and the limit of the control group") {
    FakeRoot root;
    root.file("proc/meminfo", "MemTotal:        8000000 kB\nMemFree: 1 kB\n");
    CHECK(env::memory_bytes(root) == 8'192'000'000);
    CHECK(kit::memory_room(path(root)) == UINT64_MAX);
    root.file("proc/meminfo", "MemTotal: 8000000 kB\nMemFree: 1 kB\nMemAvailable:   1000 kB\n");
    CHECK(kit::memory_room(path(root)) == 1'024'000);

    root.file("proc/self/cgroup", "0::/a/b\n").file("sys/fs/cgroup/a/b/memory.max", "max\n");
    CHECK_FALSE(env::memory_limit_bytes(root));
    root.file("sys/fs/cgroup/a/memory.max", "1000000000\n");
    CHECK(env::memory_limit_bytes(root) == 1'000'000'000);
    root.file("sys/fs/cgroup/a/b/memory.max", "2000000000\n");
    CHECK(env::memory_limit_bytes(root) == 1'000'000'000);

    FakeRoot old;
    old.file("proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/x\n")
        .file("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "536870912\n")
        .file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK(env::memory_limit_bytes(old) == 536'870'912);
}

TEST_CASE("the room for more memory is what the tightest control group has left, besides the pages of files") {
    FakeRoot root;
    root.file("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable:   1000000 kB\n")
        .file("proc/self/cgroup", "0::/a/b\n")
        .file("sys/fs/cgroup/a/memory.max", "100000\n")
        .file("sys/fs/cgroup/a/memory.current", "90000\n")
        .file("sys/fs/cgroup/a/b/memory.max", "50000\n")
        .file("sys/fs/cgroup/a/b/memory.current", "30000\n");
    CHECK(kit::memory_room(path(root)) == 10'000);
    root.file("sys/fs/cgroup/a/memory.stat", "anon 1\nactive_file 40000\ninactive_file 1000\nfile 41000\n");
    CHECK(kit::memory_room(path(root)) == 20'000);
    root.file("sys/fs/cgroup/a/b/memory.current", "60000\n");
    CHECK(kit::memory_room(path(root)) == 0);

    FakeRoot old;
    old.file("proc/self/cgroup", "4:memory:/x\n0::/\n")
        .file("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "5000\n")
        .file("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "4000\n")
        .file("sys/fs/cgroup/memory/x/memory.stat", "inactive_file 7\ntotal_inactive_file 100\n");
    CHECK(kit::memory_room(path(old)) == 1'100);

    // Of a container, whose group is the root of what it sees.
    FakeRoot inside;
    inside.file("proc/self/cgroup", "0::/outside\n")
        .file("sys/fs/cgroup/memory.max", "5000\n")
        .file("sys/fs/cgroup/memory.current", "1000\n");
    CHECK(kit::memory_room(path(inside)) == 4'000);
}

TEST_CASE("kinds of container") {
    CHECK(env::container(FakeRoot().file("run/.containerenv", "engine=x"), "oci") == "podman");
    CHECK(env::container(FakeRoot().file(".dockerenv", ""), "") == "docker");
    CHECK(env::container(FakeRoot().file("proc/self/cgroup", "1:cpu:/docker/0123\n"), "") == "docker");
    CHECK(env::container(FakeRoot().file("proc/self/cgroup", "0::/kubepods.slice/x\n"), "") == "kubernetes");
    CHECK(
        env::container(FakeRoot().file(".dockerenv", "").file("var/run/secrets/kubernetes.io/serviceaccount/token", ""),
                       "") == "kubernetes");
    CHECK(env::container(FakeRoot(), "systemd-nspawn") == "other");
}

TEST_CASE("kinds of virtual machine") {
    CHECK(env::virtualization(FakeRoot(), "KVMKVMKVM") == "kvm");
    CHECK(env::virtualization(FakeRoot(), "SomethingNew") == "other");
    CHECK(env::virtualization(FakeRoot().file("sys/hypervisor/type", "xen\n"), "") == "xen");
    CHECK(env::virtualization(FakeRoot().file("proc/device-tree/hypervisor/compatible", "linux,kvm"), "") == "kvm");
    FakeRoot vm;
    vm.file("proc/cpuinfo", "processor : 0\nflags\t\t: fpu hypervisor sse\n");
    CHECK(env::virtualization(vm, "") == "other");
    vm.file("sys/class/dmi/id/sys_vendor", "VMware, Inc.\n");
    CHECK(env::virtualization(vm, "") == "vmware");
    FakeRoot metal;
    metal.file("proc/cpuinfo", "processor : 0\nflags\t\t: fpu sse\n")
        .file("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    CHECK(env::virtualization(metal, "") == "none");
}

TEST_CASE("this machine is read, and quickly") {
    const ipcmark::SystemInfo info = ipcmark::capture_environment();
    CHECK(info.os == "linux");
    CHECK_FALSE(info.kernel.empty());
    CHECK_FALSE(info.architecture.empty());
    CHECK(info.cpu_cores >= 1);
    CHECK(info.memory_bytes > 1'000'000);
    CHECK_FALSE(info.compiler.empty());
    CHECK(info.boot_id.size() == 36);
    cpu_set_t set;
    REQUIRE(::sched_getaffinity(0, sizeof set, &set) == 0);
    CHECK(static_cast<int>(info.cpus_allowed.size()) == CPU_COUNT(&set));
    if (info.memory_limit_bytes)
        CHECK(*info.memory_limit_bytes < info.memory_bytes);
    // A bound against reading something slow; 3 ms is the aim. A busy machine may be late now and then, not each time.
    auto least = std::chrono::steady_clock::duration::max();
    for (int attempt = 0; attempt < 20 && least >= std::chrono::milliseconds(200); ++attempt) {
        const auto begin = std::chrono::steady_clock::now();
        (void)ipcmark::capture_environment();
        least = std::min(least, std::chrono::steady_clock::now() - begin);
    }
    CHECK(least < std::chrono::milliseconds(200));
}

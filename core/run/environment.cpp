// SPDX-License-Identifier: Apache-2.0
#include "run/environment.hpp"

#include "config.h"
#include "run/cpu_throttling.hpp"
#include "run/environment_readers.hpp"

#include <array>
#include <cstdlib>
#include <cstring>

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ipcmark {

namespace {

// What a hypervisor calls itself; empty on hardware and where the processor has no such question.
std::string hypervisor_signature() {
#if defined(__x86_64__)
    constexpr unsigned hypervisor_leaf = 0x40000000;
    unsigned eax = 0;
    std::array<unsigned, 3> name{};
    unsigned features = 0;
    __get_cpuid(1, &eax, &name[0], &features, &name[1]);
    if ((features & (1u << 31)) == 0)
        return {};
    __cpuid(hypervisor_leaf, eax, name[0], name[1], name[2]);
    std::array<char, sizeof name + 1> text{};
    std::memcpy(text.data(), name.data(), sizeof name);
    return text.data();
#else
    return {};
#endif
}

// Grows the mask until the kernel's fits, so that machines with more than 1024 CPUs are read as well.
std::vector<int> allowed_cpus() {
    for (int capacity = 1024; capacity <= 1 << 20; capacity *= 4) {
        cpu_set_t* set = CPU_ALLOC(capacity);
        if (set == nullptr)
            break;
        const std::size_t size = CPU_ALLOC_SIZE(capacity);
        std::vector<int> cpus;
        const bool ok = ::sched_getaffinity(0, size, set) == 0;
        for (int cpu = 0; ok && cpu < capacity; ++cpu)
            if (CPU_ISSET_S(cpu, size, set))
                cpus.push_back(cpu);
        CPU_FREE(set);
        if (ok)
            return cpus;
    }
    return {};
}

} // namespace

SystemInfo capture_environment() {
    const environment::Root root = "/";
    SystemInfo info;
    info.os = "linux";
    utsname names{};
    if (::uname(&names) == 0) {
        info.kernel = names.release;
        info.architecture = names.machine;
        info.hostname = names.nodename;
    }
    info.distribution = environment::distribution(root);
    info.cpu_model = environment::cpu_model(root);
    info.cpu_cores = environment::online_cpus(root);
    if (info.cpu_cores == 0)
        info.cpu_cores = static_cast<unsigned>(std::max(0L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    info.cpus_allowed = allowed_cpus();
    info.numa_nodes = environment::numa_nodes(root);
    info.governor = environment::governor(root);
    info.memory_bytes = environment::memory_bytes(root);
    const auto limit = environment::memory_limit_bytes(root);
    if (limit && *limit < info.memory_bytes)
        info.memory_limit_bytes = limit;
    info.cpu_limit = cpu_quota();
    const char* variable = std::getenv("container");
    info.container = environment::container(root, variable == nullptr ? "" : variable);
    info.virtualization = environment::virtualization(root, hypervisor_signature());
    info.boot_id = environment::boot_id(root);
    info.compiler = IPCMARK_COMPILER;
    info.benchmark_version = IPCMARK_VERSION;
    return info;
}

} // namespace ipcmark

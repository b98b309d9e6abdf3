// SPDX-License-Identifier: Apache-2.0
#include "run/placement.hpp"

#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <sched.h>

namespace ipcmark {
namespace {

constexpr int most_cpus = 8192;

struct FreeSet {
    void operator()(cpu_set_t* set) const noexcept { CPU_FREE(set); }
};
using CpuSet = std::unique_ptr<cpu_set_t, FreeSet>;

CpuSet empty_set() {
    CpuSet set(CPU_ALLOC(most_cpus));
    if (!set)
        throw RunError("no memory for a set of CPUs");
    CPU_ZERO_S(CPU_ALLOC_SIZE(most_cpus), set.get());
    return set;
}

} // namespace

std::vector<int> allowed_cpus() {
    const CpuSet set = empty_set();
    if (sched_getaffinity(0, CPU_ALLOC_SIZE(most_cpus), set.get()) != 0)
        throw RunError(fmt::format("cannot read the CPUs that this process may use: {}", std::strerror(errno)));
    std::vector<int> cpus;
    for (int cpu = 0; cpu < most_cpus; ++cpu) {
        if (CPU_ISSET_S(static_cast<std::size_t>(cpu), CPU_ALLOC_SIZE(most_cpus), set.get()))
            cpus.push_back(cpu);
    }
    return cpus;
}

void check_cpus(const std::vector<int>& cpus, const std::string& what) {
    if (cpus.empty())
        return;
    const std::vector<int> allowed = allowed_cpus();
    for (const int cpu : cpus) {
        if (!std::binary_search(allowed.begin(), allowed.end(), cpu))
            throw UsageError(
                fmt::format("invalid CPU {} for {}: this process may use {}", cpu, what, format_cpu_list(allowed)));
    }
}

void bind_thread(const std::vector<int>& cpus) {
    const CpuSet set = empty_set();
    for (const int cpu : cpus)
        CPU_SET_S(static_cast<std::size_t>(cpu), CPU_ALLOC_SIZE(most_cpus), set.get());
    if (sched_setaffinity(0, CPU_ALLOC_SIZE(most_cpus), set.get()) != 0)
        throw RunError(fmt::format("cannot bind a thread to CPU {}: {}", format_cpu_list(cpus), std::strerror(errno)));
}

} // namespace ipcmark

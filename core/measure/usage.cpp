// SPDX-License-Identifier: Apache-2.0
#include "measure/usage.hpp"

#include <array>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace ipcmark {
namespace {

std::uint64_t nanoseconds(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_usec) * 1000U;
}

} // namespace

std::optional<std::uint64_t> number_in(const char* path, const char* name) noexcept {
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return {};
    std::array<char, 8192> text{};
    const ssize_t length = read(descriptor, text.data(), text.size() - 1);
    close(descriptor);
    if (length <= 0)
        return {};
    const char* line = std::strstr(text.data(), name);
    const char* colon = line == nullptr ? nullptr : std::strchr(line, ':');
    if (colon == nullptr)
        return {};
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(colon + 1, &end, 10);
    return end == colon + 1 ? std::nullopt : std::optional(number);
}

UsageRecord thread_usage() noexcept {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return UsageRecord{
        .user_time_ns = nanoseconds(usage.ru_utime),
        .system_time_ns = nanoseconds(usage.ru_stime),
        .voluntary_switches = static_cast<std::uint64_t>(usage.ru_nvcsw),
        .involuntary_switches = static_cast<std::uint64_t>(usage.ru_nivcsw),
        .migrations = number_in("/proc/thread-self/sched", "se.nr_migrations").value_or(not_known),
    };
}

UsageRecord operator-(const UsageRecord& later, const UsageRecord& earlier) noexcept {
    return UsageRecord{
        .user_time_ns = later.user_time_ns - earlier.user_time_ns,
        .system_time_ns = later.system_time_ns - earlier.system_time_ns,
        .voluntary_switches = later.voluntary_switches - earlier.voluntary_switches,
        .involuntary_switches = later.involuntary_switches - earlier.involuntary_switches,
        .migrations = later.migrations == not_known || earlier.migrations == not_known
                          ? not_known
                          : later.migrations - earlier.migrations,
    };
}

std::uint64_t max_resident_bytes() noexcept {
    // Not ru_maxrss: that begins with what the program had that started this one.
    return number_in("/proc/self/status", "VmHWM").value_or(0) * 1024U;
}

} // namespace ipcmark

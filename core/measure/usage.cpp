// SPDX-License-Identifier: Apache-2.0
#include "measure/usage.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace ipcmark {
namespace {

std::uint64_t nanoseconds(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_usec) * 1000U;
}

// The start of a file of /proc, which ends with a zero; empty if it cannot be read.
std::array<char, 8192> text_of(const char* path) noexcept {
    std::array<char, 8192> text{};
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return text;
    const ssize_t length = read(descriptor, text.data(), text.size() - 1);
    close(descriptor);
    text[length < 0 ? 0 : static_cast<std::size_t>(length)] = '\0';
    return text;
}

// The second of the numbers: time on the CPU, time waiting for one, times put on one.
std::uint64_t run_delay_ns() noexcept {
    const auto text = text_of("/proc/thread-self/schedstat");
    const char* const second = std::strchr(text.data(), ' ');
    return second == nullptr ? not_known : std::strtoull(second, nullptr, 10);
}

// All but the CPU time.
void read_kernels_counts(UsageRecord& record) noexcept {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    record.user_time_ns = nanoseconds(usage.ru_utime);
    record.system_time_ns = nanoseconds(usage.ru_stime);
    record.voluntary_switches = static_cast<std::uint64_t>(usage.ru_nvcsw);
    record.involuntary_switches = static_cast<std::uint64_t>(usage.ru_nivcsw);
    record.migrations = number_in("/proc/thread-self/sched", "se.nr_migrations").value_or(not_known);
    record.run_delay_ns = run_delay_ns();
}

} // namespace

// Not getrusage: of a thread that runs it knows what was so at the last tick, up to 10 ms ago.
std::uint64_t thread_cpu_time_ns() noexcept {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

std::optional<std::uint64_t> number_in(const char* path, const char* name) noexcept {
    const auto text = text_of(path);
    const char* line = std::strstr(text.data(), name);
    const char* colon = line == nullptr ? nullptr : std::strchr(line, ':');
    if (colon == nullptr)
        return {};
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(colon + 1, &end, 10);
    return end == colon + 1 ? std::nullopt : std::optional(number);
}

void UsageSpan::begin() noexcept {
    begin_ = {};
    read_kernels_counts(begin_);
    begin_.cpu_time_ns = thread_cpu_time_ns();
}

UsageRecord UsageSpan::end() const noexcept {
    const auto since = [](std::uint64_t later, std::uint64_t earlier) {
        return later == not_known || earlier == not_known ? not_known : later - earlier;
    };
    UsageRecord now{};
    now.cpu_time_ns = thread_cpu_time_ns();
    read_kernels_counts(now);
    return UsageRecord{
        .cpu_time_ns = now.cpu_time_ns - begin_.cpu_time_ns,
        .user_time_ns = now.user_time_ns - begin_.user_time_ns,
        .system_time_ns = now.system_time_ns - begin_.system_time_ns,
        .run_delay_ns = since(now.run_delay_ns, begin_.run_delay_ns),
        .voluntary_switches = now.voluntary_switches - begin_.voluntary_switches,
        .involuntary_switches = now.involuntary_switches - begin_.involuntary_switches,
        .migrations = since(now.migrations, begin_.migrations),
    };
}

std::uint64_t max_resident_bytes() noexcept {
    // Not ru_maxrss: that begins with what the program had that started this one.
    return number_in("/proc/self/status", "VmHWM").value_or(0) * 1024U;
}

} // namespace ipcmark

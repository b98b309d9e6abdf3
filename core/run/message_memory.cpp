// SPDX-License-Identifier: Apache-2.0
#include "run/message_memory.hpp"

#include <ipcmark/module_kit/memory_room.hpp>
#include <ipcmark/run.hpp>

#include <limits>

#include <fmt/format.h>

namespace ipcmark {
namespace {

constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

unsigned buffers_of_an_endpoint(const WorkerJob& job, Role role) {
    if (job.access == Access::direct)
        return 0;
    if (job.mode == Mode::asynchronous)
        return role == Role::client && job.direction == Direction::round_trip ? 2 : 1;
    return job.batch > 1 ? job.batch : 2;
}

std::string in_mib(std::uint64_t bytes) {
    return fmt::format("{} MiB", bytes >> 20);
}

} // namespace

std::uint64_t message_memory_bytes(const WorkerJob& job, Role role, bool loopback) {
    if (loopback && role == Role::server)
        return 0;
    std::uint64_t bytes = buffers_of_an_endpoint(job, role);
    if (__builtin_mul_overflow(bytes, job.endpoints, &bytes) || __builtin_mul_overflow(bytes, job.message_size, &bytes))
        return endless;
    return bytes;
}

void check_message_memory(const WorkerJob& job, bool loopback, Sides sides) {
    std::uint64_t needed = message_memory_bytes(job, job.role, loopback);
    const Role other = job.role == Role::client ? Role::server : Role::client;
    if (sides == Sides::both && __builtin_add_overflow(needed, message_memory_bytes(job, other, loopback), &needed))
        needed = endless;
    const std::uint64_t available = kit::memory_room();
    if (needed <= available)
        return;
    const std::string batch = job.batch > 1 ? fmt::format(" in batches of {}", job.batch) : "";
    throw UsageError(fmt::format("message size {}{} with concurrency {} needs {} of memory for its buffers, and {} are "
                                 "available: ask for smaller messages, fewer endpoints or a smaller batch",
                                 job.message_size, batch, job.endpoints, in_mib(needed), in_mib(available)));
}

} // namespace ipcmark

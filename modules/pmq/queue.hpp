// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/fd.hpp>

#include <cstdint>
#include <string>

namespace pmq {

// One direction's queue: two descriptions of it, so that each side has its own O_NONBLOCK.
struct Queue {
    ipcmark::kit::Fd sender;
    ipcmark::kit::Fd receiver;
};

struct Shape {
    std::uint64_t message_size; // the largest message
    std::uint64_t depth;        // messages
};

// Makes a queue under a name and unlinks it at once: from then on only descriptors hold it, so it ends with the last
// process that has one. The name is the user's one, under a lock, so that the next queue takes away what a process left
// that was killed in between; where that cannot be had, a random one. Works where no mqueue file system is mounted.
// Throws kit::Error that names the limit that is in the way and the command that raises it.
[[nodiscard]] Queue make_queue(const Shape& shape);

// What the limits of the system allow now. Absent files count as no limit.
struct SystemLimits {
    std::uint64_t message_size; // fs.mqueue.msgsize_max
    std::uint64_t depth;        // fs.mqueue.msg_max
    std::uint64_t queues;       // fs.mqueue.queues_max
    std::uint64_t bytes;        // RLIMIT_MSGQUEUE, of all queues of the user
    std::uint64_t most_bytes;   // its hard limit
    static SystemLimits read();
};

// What a queue counts for against RLIMIT_MSGQUEUE.
[[nodiscard]] constexpr std::uint64_t charged_bytes(const Shape& shape) noexcept {
    constexpr std::uint64_t kernel_bytes_per_message = 96; // struct msg_msg and a node of the tree of priorities
    return shape.depth * (shape.message_size + kernel_bytes_per_message);
}

// Throws kit::Error, status LIMIT, if `pairs` pairs of such queues cannot be.
void check_limits(const Shape& shape, std::uint64_t pairs);

} // namespace pmq

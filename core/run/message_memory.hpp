// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/worker_job.hpp"

#include <cstdint>

namespace ipcmark {

// What the loops of one worker allocate for messages (measure/message_buffer.hpp), all endpoints together; what the
// module takes besides is its own to tell. The largest number where it does not fit one.
[[nodiscard]] std::uint64_t message_memory_bytes(const WorkerJob& job, Role role, bool loopback);

enum class Sides { own, both }; // the worker of this job's role, or also its peer on this machine

// Throws UsageError if these buffers need more memory than the machine and the control group have available.
void check_message_memory(const WorkerJob& job, bool loopback, Sides sides);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ipcmark {

// What noting one message costs on this machine: envelope, checks, histogram, counters, without clock and transport.
// Measured once in a process, in some tens of microseconds; the median of many short rounds.
[[nodiscard]] double harness_cost_ns();

} // namespace ipcmark

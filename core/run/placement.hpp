// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace ipcmark {

// The CPUs that this process may use, ascending.
[[nodiscard]] std::vector<int> allowed_cpus();

// Throws UsageError naming the first CPU of the list that is not there or not allowed, and those that are. `what` is
// the option that asked for it.
void check_cpus(const std::vector<int>& cpus, const std::string& what);

// Binds the calling thread to exactly these CPUs (threads that it starts later inherit that). Throws RunError.
void bind_thread(const std::vector<int>& cpus);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/run_request.hpp"
#include "host/run_settings.hpp"

#include <vector>

namespace ipcmark::host {

// --server, --client, --socket-path, --shared-memory-name and --message-queue-name of ipc-benchmark.
[[nodiscard]] std::vector<Option> stand_alone_options();

// Sets role, address and retry of the request where the arguments ask for one of the ends. The control connection goes
// where the predecessor's data went: HOST:PORT for tcp, the socket path for uds, the name (as an abstract socket) for
// shm and pmq. Throws UsageError for several mechanisms, or all.
void apply_stand_alone(const Arguments& arguments, const TestSettings& settings, RunRequest& request);

} // namespace ipcmark::host

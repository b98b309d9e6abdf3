// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/run_request.hpp"

#include <ipcmark/run.hpp>

#include <optional>
#include <string>

namespace ipcmark::host {

struct ServeRequest {
    std::string program = "ipcmark"; // in front of the lines of the log
    ServeOptions options;
    std::optional<std::string> log_file;
    bool quiet = false;
    unsigned verbosity = 0;
};

// Of ipc-benchmark's --server, which ends with its client.
[[nodiscard]] ServeRequest serve_request_of(const RunRequest& request);

// Serves until SIGINT or SIGTERM, the usual end: exit code 0. Throws UsageError, RunError.
[[nodiscard]] int execute_serve(const ServeRequest& request);

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/run_request.hpp"

namespace ipcmark::host {

// Runs what a request of role local or connect asks for, writes its outputs and prints its table. Returns the exit
// code: 0, 1 where a test failed without --continue-on-error, 128 + signal where it was interrupted. Throws UsageError
// before anything was started; RunError where there is nothing to write, or an output could not be written.
[[nodiscard]] int execute_run(Program program, const RunRequest& request);

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ipcmark {

// The main function of the worker program: finds its control connection and results memory on the descriptors of
// worker_process.hpp, does one job, ends. Ends at once when the coordinator is gone.
[[nodiscard]] int worker_main();

} // namespace ipcmark

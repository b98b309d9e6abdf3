// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ipcmark {

// The child's side of describe(): the worker program calls it for `ipcmark-worker --describe PATH`. Loads the module
// and writes to standard output, a line each: "stage NAME" before every step that runs code of the module, then either
// a JSON object (see describe_text.hpp) or "failed TEXT". What the module itself prints goes to standard error. Returns
// the exit code: 0, or 1 if the module cannot be described. The process should end after it.
[[nodiscard]] int describe_main(const char* path);

} // namespace ipcmark

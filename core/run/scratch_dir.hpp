// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ipcmark {

// A folder for modules that must have names in the file system. The coordinator chooses the path, the server worker
// makes it when its module needs it, and whoever of them is left at the end removes it with all that is in it.

// A path that nobody uses, under TMPDIR or /tmp: ipcmark-PID-RANDOM.
[[nodiscard]] std::string choose_scratch_dir();
// Mode 0700. Throws RunError.
void make_scratch_dir(const std::string& path);
// Nothing if it is not there. Does not follow links out of it.
void remove_scratch_dir(const std::string& path) noexcept;
// Removes the folders of processes that are gone: all of a run can be killed at once.
void sweep_scratch_dirs() noexcept;

} // namespace ipcmark

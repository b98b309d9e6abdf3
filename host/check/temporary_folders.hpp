// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>

namespace ipcmark::check {

// Makes the folders of temporary files (/tmp, /var/tmp, TMPDIR, the user's runtime folder) this process's own: what is
// in them can be used as before, and what comes new can only be of this process and its children. For a process in a
// mount namespace of its own, with an empty /dev/shm. False where the machine does not allow it.
[[nodiscard]] bool make_temporary_folders_private();

// Whose folders of temporary files are looked at.
enum class Sharing {
    private_, // all names count
    with_all, // other programs of the same user make files there all the time: only sockets and FIFOs count
};
[[nodiscard]] std::set<std::string> temporary_names(Sharing sharing);

} // namespace ipcmark::check

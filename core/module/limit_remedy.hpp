// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>

namespace ipcmark {

// What to do about an errno of a limit of this process: the end of a message, empty for all others.
[[nodiscard]] inline const char* limit_remedy(int error) noexcept {
    switch (error) {
    case EFBIG:
        return "; raise the limit of the size of files (ulimit -f)";
    case EMFILE:
        return "; raise the limit of open files (ulimit -n)";
    default:
        return "";
    }
}

// Where no thread could be started, which has one errno for all its reasons.
inline constexpr const char* thread_remedy = "; raise the limits of processes and memory (ulimit -u, -v, -d)";

} // namespace ipcmark

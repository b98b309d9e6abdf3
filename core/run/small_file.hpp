// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace ipcmark {

// The first bytes of a file of the kernel, without trailing white space; empty where it cannot be read. Bounded, since
// some files grow with the machine (/proc/cpuinfo) and the kernel makes them up on every read.
inline std::string read_small_file(const std::filesystem::path& path, std::size_t limit = 16'384) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return {};
    std::string text(limit, '\0');
    std::size_t size = 0;
    while (size < limit) {
        const ssize_t got = ::read(descriptor, text.data() + size, limit - size);
        if (got <= 0)
            break;
        size += static_cast<std::size_t>(got);
    }
    ::close(descriptor);
    text.resize(size);
    text.resize(text.find_last_not_of(" \n\t\0") + 1);
    return text;
}

} // namespace ipcmark

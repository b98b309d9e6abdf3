// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/fd.hpp>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include <fcntl.h>

namespace ipcmark::kit {

// The text of a small file such as one below /proc/sys, without the line feed at its end; nothing if it cannot be read.
inline std::optional<std::string> read_system_text(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return std::nullopt;
    }
    char text[4096];
    const auto length = ::read(file.get(), text, sizeof text);
    if (length < 0) {
        return std::nullopt;
    }
    std::string found(text, static_cast<std::size_t>(length));
    while (!found.empty() && found.back() == '\n') {
        found.pop_back();
    }
    return found;
}

// The number in such a file.
inline std::optional<std::uint64_t> read_system_number(const std::string& path) {
    const auto text = read_system_text(path);
    if (!text || text->empty()) {
        return std::nullopt;
    }
    char* end = nullptr;
    const auto number = std::strtoull(text->c_str(), &end, 10);
    return end != text->c_str() ? std::optional<std::uint64_t>(number) : std::nullopt;
}

} // namespace ipcmark::kit

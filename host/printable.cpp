// SPDX-License-Identifier: Apache-2.0
#include "host/printable.hpp"

#include "result/valid_utf8.hpp"

#include <iterator>

#include <fmt/format.h>

namespace ipcmark::host {

std::string printable(std::string_view text, Lines lines) {
    std::string shown;
    shown.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = result::utf8_length(text);
        const auto first = static_cast<unsigned char>(text[0]);
        const bool kept = lines == Lines::several && (first == '\n' || first == '\t');
        if (length == 0 || (!kept && (first < 0x20 || first == 0x7F)))
            fmt::format_to(std::back_inserter(shown), "\\x{:02x}", first);
        else if (first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) // U+0080 to U+009F
            fmt::format_to(std::back_inserter(shown), "\\u{:04x}", static_cast<unsigned char>(text[1]));
        else
            shown += text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return shown;
}

} // namespace ipcmark::host

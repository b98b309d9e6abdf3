// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace ipcmark::host {

enum class Lines { one, several };

// A text that may be a stranger's (a module's, a file's, the other end's) as it goes to a terminal or a log: control
// characters, with which it could paint over what we say, and bytes that are no UTF-8 are shown as "\x1b", "\u009b".
// With Lines::several line feeds and tabs stay. A text that went through this before stays as it is.
[[nodiscard]] std::string printable(std::string_view text, Lines lines = Lines::one);

} // namespace ipcmark::host

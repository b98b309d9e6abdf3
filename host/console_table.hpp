// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>

#include <string>

namespace ipcmark::host {

enum class Colour { none, ansi };

// Whether a stream takes colours: a terminal, NO_COLOR not set, TERM not "dumb".
[[nodiscard]] Colour colour_of(int descriptor);

// The results of a run for people: one line for each test and direction, below it what failed and what to know of the
// numbers. Ends in a line feed; empty where there is no result.
[[nodiscard]] std::string console_table(const ResultDocument& document, Colour colour);

} // namespace ipcmark::host

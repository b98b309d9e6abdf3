// SPDX-License-Identifier: Apache-2.0
#include "host/check/silence.hpp"

#include "host/check/sandbox.hpp"
#include "module/loaded_module.hpp"

#include <atomic>

#include <fmt/format.h>

namespace ipcmark::check {
namespace {

std::atomic<int> logged_lines{0};

void count_line(int /*level*/, const char* /*text*/) {
    ++logged_lines;
}

} // namespace

Silence::Silence() {
    logged_lines = 0;
    set_module_log(count_line);
}

void Silence::require(const char* functions) {
    const auto text = captured_.first_line();
    check::require(logged_lines == 0,
                   fmt::format("{} wrote {} lines to the log: they are [hot], where nothing is logged", functions,
                               logged_lines.load()));
    check::require(text.empty(),
                   fmt::format("{} wrote to standard output or error: '{}'; they are [hot], where nothing "
                               "is said",
                               functions, text));
}

} // namespace ipcmark::check

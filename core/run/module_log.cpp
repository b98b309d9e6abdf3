// SPDX-License-Identifier: Apache-2.0
#include "run/module_log.hpp"

#include <ipcmark/module.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace ipcmark {
namespace {

constexpr std::size_t most_lines = 32; // of a module that has another one for each message
constexpr const char* code = "module-warning";

} // namespace

void ModuleLog::write(const std::string& module_id, int level, const std::string& text) {
    const auto line = fmt::format("module {}: {}", module_id, text);
    if (level > IPCMARK_LOG_WARNING) {
        observer_.log(level, line);
        return;
    }
    const auto known =
        std::find_if(of_test_.begin(), of_test_.end(), [&](const Entry& entry) { return entry.line == line; });
    if (known != of_test_.end()) {
        ++known->count;
        return;
    }
    if (of_test_.size() == most_lines) {
        ++others_;
        return;
    }
    of_test_.push_back({line, 1});
    if (told_.insert(line).second)
        observer_.log(level == IPCMARK_LOG_WARNING ? IPCMARK_LOG_INFO : level, line);
}

std::vector<Warning> ModuleLog::take_warnings() {
    std::vector<Warning> warnings;
    for (const auto& [line, count] : std::exchange(of_test_, {}))
        warnings.push_back({code, count == 1 ? line : fmt::format("{} ({} times)", line, count), ""});
    if (const auto others = std::exchange(others_, 0); others != 0)
        warnings.push_back({code, fmt::format("{} more lines of the module's", others), ""});
    return warnings;
}

} // namespace ipcmark

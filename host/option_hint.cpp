// SPDX-License-Identifier: Apache-2.0
#include "host/option_hint.hpp"

#include "module/nearest_name.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

namespace ipcmark::host {

namespace {

// Names that other tools have, and that are like none of ours. The hint is for grammars that have `option`; without one
// for all.
struct Alias {
    std::string_view asked;
    std::string_view option;
    std::string_view hint;
};
constexpr std::string_view two_ends =
    "; the two ends of a measurement are 'ipcmark serve ADDRESS' and 'ipcmark connect "
    "ADDRESS', or 'ipc-benchmark --server' and 'ipc-benchmark --client'";
constexpr std::string_view as_json = "; the results as JSON on standard output are '-o -'";
constexpr std::string_view version = "; write 'ipcmark --version'";
constexpr std::array aliases{
    Alias{"--server", "--mechanism", two_ends},
    Alias{"--client", "--mechanism", two_ends},
    Alias{"--iterations", "--msg-count", "; did you mean '--msg-count' (-i)?"},
    Alias{"--msg-size", "--message-size", "; did you mean '--message-size'?"},
    Alias{"--json", "--output-file", as_json},
    Alias{"--format", "--output-file", as_json},
    Alias{"--version", "", version},
    Alias{"-V", "", version},
};

bool has(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

} // namespace

std::string option_hint(const Grammar& grammar, const std::string& asked) {
    std::vector<std::string> names;
    for (const auto& option : grammar.options)
        for (const auto& name : long_names(option))
            names.push_back("--" + name);
    auto dashed = asked;
    std::replace(dashed.begin(), dashed.end(), '_', '-');
    if (has(names, dashed))
        return fmt::format("; did you mean '{}'?", dashed);
    for (const auto& alias : aliases)
        if (dashed == alias.asked && (alias.option.empty() || has(names, alias.option)))
            return std::string(alias.hint);
    const auto nearest = asked.size() > 2 ? did_you_mean(asked, names) : std::string();
    return nearest.empty() ? fmt::format("; see '{} --help'", grammar.command) : nearest;
}

} // namespace ipcmark::host

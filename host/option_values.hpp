// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/command_line.hpp"

#include <ipcmark/plan.hpp>
#include <ipcmark/run.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

// How the values of options are read, beyond what ipcmark/units.hpp does. All throw UsageError that begins with the
// faulty text in quotes.
namespace ipcmark::host {

using Values = std::vector<std::string>;

// `value`, which `text` was read as, if it is from 1 to `most`.
std::uint64_t at_least_one(const std::string& text, std::uint64_t value, const char* what,
                           std::uint64_t most = std::numeric_limits<std::uint64_t>::max());
unsigned small_count(const std::string& text, const char* what, unsigned most);
std::chrono::nanoseconds more_than_zero(const std::string& text);
double parse_percentile(const std::string& text);
// "0-2 5", "0-2,5"
std::vector<int> parse_cpus(const Values& values);
WaitPolicy parse_wait_policy(const std::string& text);
// "spin", "adaptive:50us"
std::pair<WaitPolicy, std::optional<std::chrono::nanoseconds>> parse_wait(const std::string& text);
// "NAME=VALUE"; `form` is what a text without the sign should have been.
std::pair<std::string, std::string> parse_assignment(const std::string& text, const char* form);
std::uint16_t parse_port(const std::string& text);

// The file that an output goes to; in a folder, the one of the default name.
std::filesystem::path file_in(const std::string& text, const char* default_name);
// The same for samples, which are written while the run is under way and so cannot share standard output.
std::filesystem::path stream_file_in(const std::string& text, const char* default_name);
std::filesystem::path existing_folder(const std::string& text);

template <class T, class Parse> std::vector<T> each(const Values& values, Parse parse) {
    std::vector<T> parsed;
    for (const auto& text : split_list(values))
        parsed.push_back(parse(text));
    return parsed;
}

// One of the names given, or an error that lists them.
template <class T, std::size_t count>
T choose(const std::string& text, const std::pair<T, std::string_view> (&choices)[count]) {
    std::string names;
    for (const auto& [value, name] : choices) {
        if (text == name)
            return value;
        names += (names.empty() ? "" : ", ") + std::string(name);
    }
    throw UsageError(fmt::format("'{}' is none of {}", text, names));
}

} // namespace ipcmark::host

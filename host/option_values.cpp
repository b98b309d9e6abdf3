// SPDX-License-Identifier: Apache-2.0
#include "host/option_values.hpp"

#include "result/wait_policy_names.hpp"

#include <ipcmark/units.hpp>

#include <charconv>

namespace ipcmark::host {

std::uint64_t at_least_one(const std::string& text, std::uint64_t value, const char* what, std::uint64_t most) {
    if (value < 1 || value > most)
        throw UsageError(most == std::numeric_limits<std::uint64_t>::max()
                             ? fmt::format("'{}': {} must be at least 1", text, what)
                             : fmt::format("'{}': {} must be from 1 to {}", text, what, most));
    return value;
}

unsigned small_count(const std::string& text, const char* what, unsigned most) {
    return static_cast<unsigned>(at_least_one(text, parse_count(text), what, most));
}

std::chrono::nanoseconds more_than_zero(const std::string& text) {
    const auto time = parse_duration(text);
    if (time.count() == 0)
        throw UsageError(fmt::format("'{}': the time must be more than 0", text));
    return time;
}

double parse_percentile(const std::string& text) {
    double value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !(value > 0 && value <= 100))
        throw UsageError(
            fmt::format("'{}' is not a percentile; write a number above 0 and at most 100, such as 99.9", text));
    return value;
}

std::vector<int> parse_cpus(const Values& values) {
    std::string joined;
    for (const auto& text : values)
        joined += (joined.empty() ? "" : ",") + text;
    return parse_cpu_list(joined);
}

WaitPolicy parse_wait_policy(const std::string& text) {
    return choose(text, wait_policy_names);
}

std::pair<WaitPolicy, std::optional<std::chrono::nanoseconds>> parse_wait(const std::string& text) {
    const auto colon = text.find(':');
    const auto policy = parse_wait_policy(text.substr(0, colon));
    if (colon == std::string::npos)
        return {policy, std::nullopt};
    if (policy != WaitPolicy::adaptive)
        throw UsageError(fmt::format("'{}': only adaptive takes a duration, as in adaptive:50us", text));
    return {policy, parse_duration(text.substr(colon + 1))};
}

std::pair<std::string, std::string> parse_assignment(const std::string& text, const char* form) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        throw UsageError(fmt::format("'{}' is not {}", text, form));
    return {text.substr(0, equals), text.substr(equals + 1)};
}

std::uint16_t parse_port(const std::string& text) {
    std::uint32_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535)
        throw UsageError(fmt::format(
            "'{}' is not a port; write a number from 1 to 65535, or leave the option out for a free one", text));
    return static_cast<std::uint16_t>(port);
}

std::filesystem::path file_in(const std::string& text, const char* default_name) {
    if (text.empty())
        throw UsageError("'' is not a file name");
    std::filesystem::path path = text;
    std::error_code ignored;
    return std::filesystem::is_directory(path, ignored) ? path / default_name : path;
}

std::filesystem::path stream_file_in(const std::string& text, const char* default_name) {
    if (text == "-")
        throw UsageError("'-': samples go to a file; name one");
    return file_in(text, default_name);
}

std::filesystem::path existing_folder(const std::string& text) {
    std::error_code error;
    if (std::filesystem::is_directory(text, error))
        return text;
    throw UsageError(fmt::format("'{}': {}", text, error ? error.message() : "is not a folder"));
}

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#include "module/option_text.hpp"

#include "module/nearest_name.hpp"

#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <array>
#include <charconv>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ipcmark {
namespace {

std::int32_t parse_bool(std::string_view text) {
    for (const char* yes : {"true", "yes", "on", "1"})
        if (text == yes)
            return 1;
    for (const char* no : {"false", "no", "off", "0"})
        if (text == no)
            return 0;
    throw UsageError(fmt::format("'{}' is not true or false", text));
}

std::int64_t parse_i64(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range)
        throw UsageError(fmt::format("'{}' is too large", text));
    if (error != std::errc{} || end != text.data() + text.size())
        throw UsageError(fmt::format("'{}' is not a whole number", text));
    return value;
}

std::uint64_t parse_choice(const ipcmark_option& option, std::string_view text) {
    std::vector<std::string> names;
    for (const ipcmark_choice& choice : std::span(option.choices, option.choice_count)) {
        if (text == choice.name)
            return names.size();
        names.emplace_back(choice.name);
    }
    throw UsageError(fmt::format("'{}' is none of {}{}", text, fmt::join(names, ", "), did_you_mean(text, names)));
}

std::uint64_t parse_u64_family(const ipcmark_option& option, std::string_view text) {
    switch (option.type) {
    case IPCMARK_TYPE_BYTES:
        return parse_size_bytes(text);
    case IPCMARK_TYPE_DURATION:
        return static_cast<std::uint64_t>(parse_duration(text).count());
    default:
        return parse_count(text);
    }
}

bool has_bounds(const ipcmark_option& option) {
    const bool numeric = option.type >= IPCMARK_TYPE_I64 && option.type <= IPCMARK_TYPE_DURATION;
    return numeric && (option.minimum != 0 || option.maximum != 0);
}

std::string format_number(std::uint32_t type, std::int64_t bits) {
    const auto value = static_cast<std::uint64_t>(bits);
    switch (type) {
    case IPCMARK_TYPE_BYTES:
        return format_size_bytes(value);
    case IPCMARK_TYPE_DURATION:
        return bits < 0 ? fmt::format("{}ns", value) : format_duration(std::chrono::nanoseconds(bits));
    case IPCMARK_TYPE_I64:
        return fmt::format("{}", bits);
    default:
        return fmt::format("{}", value);
    }
}

void check_bounds(const ipcmark_option& option, const ipcmark_value& value, std::string_view text) {
    if (!has_bounds(option))
        return;
    const bool is_signed = option.type == IPCMARK_TYPE_I64;
    const bool below =
        is_signed ? value.as.i64 < option.minimum : value.as.u64 < static_cast<std::uint64_t>(option.minimum);
    const bool above =
        is_signed ? value.as.i64 > option.maximum : value.as.u64 > static_cast<std::uint64_t>(option.maximum);
    if (below || above)
        throw UsageError(fmt::format("'{}' is {} the {} of {} (allowed: {} to {})", text, below ? "below" : "above",
                                     below ? "minimum" : "maximum",
                                     below ? format_minimum(option) : format_maximum(option), format_minimum(option),
                                     format_maximum(option)));
}

} // namespace

const char* option_type_name(std::uint32_t type) {
    constexpr std::array names{"bool", "i64", "u64", "bytes", "duration", "enum", "string"};
    return type >= 1 && type <= names.size() ? names[type - 1] : "unknown";
}

ipcmark_value parse_option_text(const ipcmark_option& option, std::string_view text, std::string& storage) {
    ipcmark_value value{};
    value.type = option.type;
    switch (option.type) {
    case IPCMARK_TYPE_BOOL:
        value.as.boolean = parse_bool(text);
        break;
    case IPCMARK_TYPE_I64:
        value.as.i64 = parse_i64(text);
        break;
    case IPCMARK_TYPE_ENUM:
        value.as.u64 = parse_choice(option, text);
        break;
    case IPCMARK_TYPE_STRING:
        if (text.find('\0') != std::string_view::npos)
            throw UsageError("a text with a NUL in it is not allowed");
        storage = text;
        value.as.string = storage.c_str();
        break;
    default:
        value.as.u64 = parse_u64_family(option, text);
        break;
    }
    check_bounds(option, value, text);
    return value;
}

std::string format_option_value(const ipcmark_option& option, const ipcmark_value& value) {
    switch (option.type) {
    case IPCMARK_TYPE_BOOL:
        return value.as.boolean != 0 ? "true" : "false";
    case IPCMARK_TYPE_ENUM:
        return value.as.u64 < option.choice_count ? option.choices[value.as.u64].name
                                                  : fmt::format("choice {}", value.as.u64);
    case IPCMARK_TYPE_STRING:
        return value.as.string == nullptr ? "" : value.as.string;
    case IPCMARK_TYPE_I64:
        return fmt::format("{}", value.as.i64);
    default:
        return format_number(option.type, static_cast<std::int64_t>(value.as.u64));
    }
}

std::string format_minimum(const ipcmark_option& option) {
    return has_bounds(option) ? format_number(option.type, option.minimum) : "";
}

std::string format_maximum(const ipcmark_option& option) {
    return has_bounds(option) ? format_number(option.type, option.maximum) : "";
}

} // namespace ipcmark

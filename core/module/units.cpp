// SPDX-License-Identifier: Apache-2.0
#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

namespace ipcmark {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// The first name of each factor is the one that format_ functions write.
constexpr std::array size_units{Unit{"TiB", 1ull << 40},
                                Unit{"GiB", 1ull << 30},
                                Unit{"MiB", 1ull << 20},
                                Unit{"KiB", 1ull << 10},
                                Unit{"", 1},
                                Unit{"T", 1ull << 40},
                                Unit{"G", 1ull << 30},
                                Unit{"M", 1ull << 20},
                                Unit{"K", 1ull << 10},
                                Unit{"Ti", 1ull << 40},
                                Unit{"Gi", 1ull << 30},
                                Unit{"Mi", 1ull << 20},
                                Unit{"Ki", 1ull << 10},
                                Unit{"B", 1}};
constexpr std::array duration_units{
    Unit{"h", 3'600'000'000'000}, Unit{"m", 60'000'000'000}, Unit{"s", 1'000'000'000},
    Unit{"ms", 1'000'000},        Unit{"us", 1'000},         Unit{"ns", 1},
    Unit{"", 1'000'000'000},      Unit{"\u00b5s", 1'000},    Unit{"min", 60'000'000'000}};
constexpr std::array count_units{Unit{"G", 1'000'000'000}, Unit{"M", 1'000'000}, Unit{"k", 1'000}, Unit{"", 1}};

constexpr std::string_view size_rule =
    "a whole number of bytes, perhaps with K, M, G or T (KiB, MiB, GiB, TiB), like 64K";
constexpr std::string_view duration_rule = "a number with ns, us, ms, s, m or h, like 500ms; a bare number is seconds";
constexpr std::string_view count_rule = "a whole number, perhaps with k, M or G (thousands), like 10000 or 10k";
constexpr std::string_view rate_rule = "a number per second greater than 0, perhaps with k, M or G, like 2500 or 10k";
constexpr std::string_view cpu_rule = "CPU numbers and ranges separated by commas, like 0-2,5";
constexpr int largest_cpu = 65'535; // far above any kernel's limit; keeps a range from filling memory

[[noreturn]] void refuse(std::string_view text, std::string_view fault, std::string_view rule) {
    throw UsageError(fmt::format("'{}' {}: expected {}", text, fault, rule));
}

bool is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}

// A decimal number of the form 12, 12.5 or .5, exactly: whole + fraction / scale.
struct Decimal {
    std::uint64_t whole = 0;
    std::uint64_t fraction = 0;
    std::uint64_t scale = 1;
    bool has_point = false;
    std::string_view unit; // what follows, without space in between
};

Decimal split(std::string_view text, std::string_view rule) {
    if (text.empty())
        throw UsageError(fmt::format("'' is empty: expected {}", rule));
    if (text.front() == '-')
        refuse(text, "is negative", rule);
    Decimal number;
    std::size_t at = 0;
    while (at < text.size() && is_digit(text[at]))
        ++at;
    const std::size_t whole_digits = at;
    if (at > 0 && std::from_chars(text.data(), text.data() + at, number.whole).ec != std::errc{})
        refuse(text, "is too large", rule);
    std::size_t fraction_digits = 0;
    if (at < text.size() && text[at] == '.') {
        number.has_point = true;
        for (++at; at < text.size() && is_digit(text[at]); ++at, ++fraction_digits) {
            if (fraction_digits >= 18) // far below a nanosecond of an hour
                continue;
            number.fraction = number.fraction * 10 + static_cast<std::uint64_t>(text[at] - '0');
            number.scale *= 10;
        }
    }
    if (whole_digits + fraction_digits == 0)
        refuse(text, "is not a number", rule);
    while (at < text.size() && text[at] == ' ' && at + 1 < text.size())
        ++at;
    number.unit = text.substr(at);
    return number;
}

template <std::size_t count>
const Unit* find_unit(const std::array<Unit, count>& units, std::string_view name, bool case_counts) {
    const auto same = [&](char a, char b) { return a == b || (!case_counts && (a | 0x20) == (b | 0x20)); };
    const auto found = std::find_if(units.begin(), units.end(), [&](const Unit& unit) {
        return std::equal(unit.name.begin(), unit.name.end(), name.begin(), name.end(), same);
    });
    return found == units.end() ? nullptr : &*found;
}

template <std::size_t count>
std::string in_largest_unit(const std::array<Unit, count>& units, std::uint64_t value, std::string_view zero) {
    if (value == 0)
        return std::string(zero);
    const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return value % u.factor == 0; });
    return fmt::format("{}{}", value / unit->factor, unit->name);
}

std::uint64_t whole_number(std::string_view text, const Decimal& number, const Unit& unit, std::string_view rule) {
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(number.whole, unit.factor, &product))
        refuse(text, "is too large", rule);
    return product;
}

} // namespace

std::uint64_t parse_size_bytes(std::string_view text) {
    const Decimal number = split(text, size_rule);
    if (number.has_point)
        refuse(text, "is not a whole number", size_rule);
    const Unit* unit = find_unit(size_units, number.unit, false);
    if (unit == nullptr && number.unit.size() == 2 && (number.unit[1] | 0x20) == 'b')
        refuse(text, "may mean units of 1000 or of 1024", size_rule);
    if (unit == nullptr)
        refuse(text, "is not a size", size_rule);
    return whole_number(text, number, *unit, size_rule);
}

std::string format_size_bytes(std::uint64_t bytes) {
    return in_largest_unit(size_units, bytes, "0");
}

std::chrono::nanoseconds parse_duration(std::string_view text) {
    const Decimal number = split(text, duration_rule);
    const Unit* unit = find_unit(duration_units, number.unit, true);
    if (unit == nullptr)
        refuse(text, "is not a duration", duration_rule);
    __extension__ using Wide = unsigned __int128;
    const Wide scaled = Wide{number.fraction} * unit->factor;
    const Wide nanoseconds = Wide{number.whole} * unit->factor + (scaled + number.scale / 2) / number.scale;
    if (nanoseconds > static_cast<Wide>(std::numeric_limits<std::int64_t>::max()))
        refuse(text, "is too long", duration_rule);
    if (nanoseconds == 0 && number.fraction != 0)
        refuse(text, "is less than a nanosecond", duration_rule);
    return std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds));
}

std::string format_duration(std::chrono::nanoseconds duration) {
    return in_largest_unit(duration_units, static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count())),
                           "0s");
}

std::uint64_t parse_count(std::string_view text) {
    const Decimal number = split(text, count_rule);
    const Unit* unit = find_unit(count_units, number.unit, false);
    if (unit == nullptr || number.has_point)
        refuse(text, "is not a whole number", count_rule);
    return whole_number(text, number, *unit, count_rule);
}

std::string format_count(std::uint64_t count) {
    return in_largest_unit(count_units, count, "0");
}

double parse_rate(std::string_view text) {
    Decimal number = split(text, rate_rule);
    if (number.unit.ends_with("/s"))
        number.unit.remove_suffix(2);
    const Unit* unit = find_unit(count_units, number.unit, false);
    if (unit == nullptr)
        refuse(text, "is not a rate", rate_rule);
    const double rate =
        (static_cast<double>(number.whole) + static_cast<double>(number.fraction) / static_cast<double>(number.scale)) *
        static_cast<double>(unit->factor);
    if (rate <= 0)
        refuse(text, "is not greater than 0", rate_rule);
    return rate;
}

std::vector<int> parse_cpu_list(std::string_view text) {
    if (text.empty())
        throw UsageError(fmt::format("'' is empty: expected {}", cpu_rule));
    std::vector<int> cpus;
    std::set<int> seen;
    const char* at = text.data();
    const char* const end = text.data() + text.size();
    const auto number = [&] {
        int value = 0;
        const auto result = std::from_chars(at, end, value);
        if (at == end || !is_digit(*at) || result.ec == std::errc::invalid_argument)
            refuse(text, "is not a list of CPUs", cpu_rule);
        if (result.ec != std::errc{} || value > largest_cpu)
            refuse(text, fmt::format("names a CPU above {}", largest_cpu), cpu_rule);
        at = result.ptr;
        return value;
    };
    for (;;) {
        const int first = number();
        int last = first;
        int step = 1;
        if (at != end && *at == '-') {
            ++at;
            last = number();
            if (last < first)
                refuse(text, fmt::format("has the range {}-{}, which runs backwards", first, last), cpu_rule);
            if (at != end && *at == ':') {
                ++at;
                step = number();
                if (step == 0)
                    refuse(text, "has a range with a step of 0", cpu_rule);
            }
        }
        for (int cpu = first; cpu <= last; cpu += step) {
            if (!seen.insert(cpu).second)
                refuse(text, fmt::format("names CPU {} twice", cpu), cpu_rule);
            cpus.push_back(cpu);
        }
        if (at == end)
            return cpus;
        if (*at != ',')
            refuse(text, "is not a list of CPUs", cpu_rule);
        ++at;
    }
}

std::string format_cpu_list(const std::vector<int>& cpus) {
    std::string text;
    for (std::size_t first = 0; first < cpus.size();) {
        std::size_t last = first;
        while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1)
            ++last;
        if (!text.empty())
            text += ',';
        text += last == first ? fmt::format("{}", cpus[first]) : fmt::format("{}-{}", cpus[first], cpus[last]);
        first = last + 1;
    }
    return text;
}

} // namespace ipcmark

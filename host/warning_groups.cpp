// SPDX-License-Identifier: Apache-2.0
#include "host/warning_groups.hpp"

#include "result/test_parts.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

namespace ipcmark::host {

namespace {

// A text as what stands between its numbers, and these as they are written.
struct Phrase {
    std::vector<std::string> between{""};
    std::vector<std::string> numbers;
};

// A digit that is part of a word, a path or a quotation ("cpu0", "64KiB", "/tmp/7", "'5'") is no number.
Phrase phrase_of(std::string_view text) {
    const auto digit = [&](std::size_t at) {
        return at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0;
    };
    const auto word = [&](std::size_t at) {
        return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 ||
                                    std::string_view("_-./'\"").find(text[at]) != std::string_view::npos);
    };
    Phrase phrase;
    for (std::size_t i = 0; i < text.size();) {
        if (!digit(i) || (i > 0 && word(i - 1))) {
            phrase.between.back() += text[i++];
            continue;
        }
        std::size_t end = i;
        while (digit(end) || (end > i && text[end] == '.' && digit(end + 1)))
            ++end;
        const bool ends = !word(end) || (text[end] == '.' && !word(end + 1)); // a full stop may follow
        if (ends) {
            phrase.numbers.emplace_back(text.substr(i, end - i));
            phrase.between.emplace_back();
        } else {
            phrase.between.back() += text.substr(i, end - i);
        }
        i = end;
    }
    return phrase;
}

double value_of(const std::string& number) {
    double value = 0;
    std::from_chars(number.data(), number.data() + number.size(), value);
    return value;
}

// "3", "3 or 5", "3, 4 or 5", "3 to 9"
std::string together(std::vector<std::string> numbers) {
    constexpr std::size_t few = 3;
    std::sort(numbers.begin(), numbers.end(),
              [](const std::string& a, const std::string& b) { return value_of(a) < value_of(b); });
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    if (numbers.size() == 1)
        return numbers.front();
    if (numbers.size() > few)
        return numbers.front() + " to " + numbers.back();
    return fmt::format("{} or {}", fmt::join(numbers.begin(), numbers.end() - 1, ", "), numbers.back());
}

struct Group {
    const Warning* first;
    std::vector<Phrase> causes;
    Tests tests; // empty: the run
};

std::string cause_of(const Group& group) {
    std::string text;
    for (std::size_t i = 0; i < group.causes.front().between.size(); ++i) {
        text += group.causes.front().between[i];
        if (i == group.causes.front().numbers.size())
            break;
        std::vector<std::string> numbers;
        for (const Phrase& cause : group.causes)
            numbers.push_back(cause.numbers[i]);
        text += together(std::move(numbers));
    }
    return text;
}

// Without the direction at its begin, which the names of the tests have.
std::string_view cause_of(const Warning& warning) {
    std::string_view cause = warning.cause;
    if (warning.direction)
        if (const std::string head = fmt::format("{}: ", direction_name(*warning.direction)); cause.starts_with(head))
            cause.remove_prefix(head.size());
    return cause;
}

Tests tests_with(const ResultDocument& document, std::optional<Direction> direction) {
    Tests tests;
    for (std::size_t i = 0; i < document.results.size(); ++i) {
        if (!direction || result::measured_in(document.results[i], *direction))
            tests.push_back(i);
    }
    return tests;
}

void add(std::vector<Group>& groups, const Warning& warning, const Tests& tests) {
    Phrase cause = phrase_of(cause_of(warning));
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& known) {
        const Warning& first = *known.first;
        return first.code == warning.code && first.direction == warning.direction && first.remedy == warning.remedy &&
               known.causes.front().between == cause.between && known.tests.empty() == tests.empty();
    });
    if (group == groups.end())
        group = groups.insert(groups.end(), {&warning, {}, {}});
    group->causes.push_back(std::move(cause));
    for (const std::size_t test : tests)
        if (group->tests.empty() || group->tests.back() != test) // they come in their order
            group->tests.push_back(test);
}

} // namespace

std::vector<std::string> grouped_warnings(const ResultDocument& document, const TestNames& names) {
    std::vector<Group> groups;
    for (std::size_t i = 0; i < document.results.size(); ++i)
        for (const Warning& warning : document.results[i].warnings)
            add(groups, warning, {i});
    for (const Warning& warning : document.warnings)
        add(groups, warning, {});
    std::vector<std::string> texts;
    for (const Group& group : groups) {
        const auto direction = group.first->direction;
        std::string text;
        if (!group.tests.empty())
            text = names.of(group.tests, tests_with(document, direction), direction ? direction_name(*direction) : "") +
                   ": ";
        text += cause_of(group);
        if (!group.first->remedy.empty())
            text += "; " + group.first->remedy;
        texts.push_back(std::move(text));
    }
    return texts;
}

} // namespace ipcmark::host

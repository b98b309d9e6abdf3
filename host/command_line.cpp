// SPDX-License-Identifier: Apache-2.0
#include "host/command_line.hpp"

#include "host/mechanism_hint.hpp"
#include "host/option_hint.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <cctype>
#include <limits>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

namespace ipcmark::host {

namespace {

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(separator, begin), text.size());
        parts.emplace_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

bool looks_like_option(const std::string& text) {
    return text.size() > 1 && text[0] == '-' && (std::isalpha(static_cast<unsigned char>(text[1])) || text[1] == '-');
}

std::string display_name(const Option& option) {
    return "--" + option_key(option);
}

UsageError missing_value(const Option& option) {
    return UsageError(fmt::format("{} needs a value: {} {}", display_name(option), display_name(option), option.value));
}

bool contains(std::span<const std::string> arguments, const std::string& text) {
    return std::find(arguments.begin(), arguments.end(), text) != arguments.end();
}

// CLI11 lets a value be anything, the next option too, and keeps the '=' of "-o=FILE", which is not that of "-O =x".
std::string checked_value(const Option& option, std::span<const std::string> arguments, std::string text) {
    if (text.size() > 1 && text[0] == '=' && !contains(arguments, text))
        text.erase(0, 1);
    if (looks_like_option(text))
        throw missing_value(option);
    return text;
}

CLI::Option* add(CLI::App& app, const Option& option, std::span<const std::string> arguments) {
    if (option.arity == Arity::flag || option.arity == Arity::request || option.arity == Arity::counter) {
        // The overload with a callback, which nothing here needs, is the one that leaves the results as text.
        auto* added = app.add_flag(option.names);
        added->multi_option_policy(option.arity == Arity::counter ? CLI::MultiOptionPolicy::TakeAll
                                                                  : CLI::MultiOptionPolicy::TakeLast);
        return added;
    }
    auto* added = app.add_option(option.names, [](const CLI::results_t&) { return true; });
    added->type_size(1);
    if (option.arity == Arity::optional_value)
        added->expected(0, 1)->default_str(option.bare);
    else if (option.arity == Arity::many)
        added->expected(1, CLI::detail::expected_max_vector_size)
            ->allow_extra_args()
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    else
        added->expected(1);
    added->transform(
        [&option, arguments](std::string text) { return checked_value(option, arguments, std::move(text)); }, "", "");
    return added;
}

[[noreturn]] void refuse_argument(const Grammar& grammar, const std::string& extra) {
    const bool measures = std::any_of(grammar.options.begin(), grammar.options.end(),
                                      [](const Option& option) { return option.names.starts_with("-m,"); });
    const auto hint = measures ? mechanism_hint(extra) : "";
    throw UsageError(fmt::format("unexpected argument '{}'{}", extra,
                                 hint.empty() ? fmt::format("; see '{} --help'", grammar.command) : hint));
}

[[noreturn]] void refuse_option(const Grammar& grammar, const std::string& extra) {
    const auto asked = extra.substr(0, extra.find('='));
    throw UsageError(fmt::format("unknown option '{}'{}", asked, option_hint(grammar, asked)));
}

// What no option has taken: the positionals, and what is wrong. Behind "--" nothing is an option.
std::vector<std::string> take_positionals(const Grammar& grammar, const std::vector<std::string>& extras) {
    std::vector<std::string> positionals;
    bool may_be_option = true;
    for (const auto& extra : extras) {
        if (may_be_option && extra == "--")
            may_be_option = false;
        else if (may_be_option && looks_like_option(extra))
            refuse_option(grammar, extra);
        else if (positionals.size() == grammar.positionals.size())
            refuse_argument(grammar, extra);
        else
            positionals.push_back(extra);
    }
    return positionals;
}

// An option with several values may have taken the positional for one of them.
UsageError missing_positional(const Grammar& grammar, std::size_t index, std::span<const std::string> arguments) {
    const bool after_options = std::any_of(arguments.begin(), arguments.end(), looks_like_option);
    return UsageError(fmt::format("{} is missing{}: {} {}", grammar.positionals[index].name,
                                  after_options ? "; write it before the options" : "", grammar.command,
                                  grammar.usage));
}

// Those of --help and --version that stand there by themselves. Throws UsageError for one that has a value.
void take_requests(const Grammar& grammar, std::span<const std::string> arguments, Arguments& result) {
    const auto end = std::find(arguments.begin(), arguments.end(), "--");
    for (const auto& option : grammar.options) {
        if (option.arity != Arity::request)
            continue;
        const auto names = split(option.names, ',');
        for (auto argument = arguments.begin(); argument != end; ++argument) {
            if (argument->starts_with(display_name(option) + "="))
                throw UsageError(fmt::format("{0} takes no value; write {0} alone", display_name(option)));
            if (std::find(names.begin(), names.end(), *argument) != names.end())
                (option_key(option) == "help" ? result.help : result.version) = true;
        }
    }
}

// Breaks `text` at spaces so that no line is longer than `width` where a word allows it.
std::vector<std::string> wrap(const std::string& text, std::size_t width) {
    std::vector<std::string> lines;
    for (const auto& paragraph : split(text, '\n')) {
        if (paragraph.starts_with(' ')) { // an example: as it is
            lines.push_back(paragraph);
            continue;
        }
        std::string line;
        for (const auto& word : split(paragraph, ' ')) {
            if (!line.empty() && line.size() + 1 + word.size() > width) {
                lines.push_back(std::move(line));
                line.clear();
            }
            line += (line.empty() ? "" : " ") + word;
        }
        lines.push_back(std::move(line));
    }
    return lines;
}

void append_wrapped(std::string& out, const std::string& text, std::size_t indent, std::size_t width) {
    for (const auto& line : wrap(text, width - indent))
        out += line.empty() ? "\n" : std::string(indent, ' ') + line + "\n";
}

constexpr std::size_t help_width = 80;
constexpr std::size_t help_column = 28;

void append_entry(std::string& out, const std::string& left, const std::string& help) {
    const auto lines = wrap(help, help_width - help_column);
    out += "  " + left;
    auto column = left.size() + 2;
    if (column + 2 > help_column) {
        out += "\n";
        column = 0;
    }
    for (const auto& line : lines) {
        out += std::string(help_column - column, ' ') + line + "\n";
        column = 0;
    }
}

std::string option_heading(const Option& option) {
    auto names = split(option.names, ',');
    std::string heading;
    for (const auto& name : names)
        heading += (heading.empty() ? (name.starts_with("--") ? "    " : "") : ", ") + name;
    switch (option.arity) {
    case Arity::flag:
    case Arity::request:
    case Arity::counter:
        return heading;
    case Arity::optional_value:
        return heading + " [" + option.value + "]";
    case Arity::one:
        return heading + " " + option.value;
    case Arity::many:
        return heading + " " + option.value + "...";
    }
    return heading;
}

} // namespace

std::vector<std::string> long_names(const Option& option) {
    std::vector<std::string> names;
    for (const auto& name : split(option.names, ','))
        if (name.starts_with("--"))
            names.push_back(name.substr(2));
    return names;
}

std::string option_key(const Option& option) {
    return long_names(option).front();
}

bool parse_bool(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    if (lower == "true" || lower == "yes" || lower == "on" || lower == "1")
        return true;
    if (lower == "false" || lower == "no" || lower == "off" || lower == "0")
        return false;
    throw UsageError(fmt::format("'{}' is neither true nor false", text));
}

std::vector<std::string> split_list(const std::vector<std::string>& texts) {
    std::vector<std::string> items;
    for (const auto& text : texts)
        for (auto& item : split(text, ',')) {
            item.erase(0, item.find_first_not_of(' '));
            item.erase(item.find_last_not_of(' ') + 1);
            if (item.empty())
                throw UsageError(fmt::format("'{}' has an empty item; write the items with one comma between", text));
            items.push_back(std::move(item));
        }
    return items;
}

bool Arguments::flag(const std::string& name) const {
    const auto found = values.find(name);
    if (found == values.end())
        return false;
    try {
        return parse_bool(found->second.back());
    } catch (const UsageError& error) {
        throw UsageError(fmt::format("--{} {}", name, error.what()));
    }
}

std::vector<std::string> Arguments::list(const std::string& name) const {
    const auto found = values.find(name);
    if (found == values.end())
        return {};
    try {
        return split_list(found->second);
    } catch (const UsageError& error) {
        throw UsageError(fmt::format("--{} {}", name, error.what()));
    }
}

Option help_option() {
    return {"-h,--help", "", Arity::request, "General", "Print this help.", ""};
}

Option version_option() {
    return {"-V,--version", "", Arity::request, "General", "Print the version.", ""};
}

Arguments parse_command_line(const Grammar& grammar, std::span<const std::string> arguments) {
    Arguments result;
    take_requests(grammar, arguments, result);
    if (result.help || result.version)
        return result;
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    std::vector<CLI::Option*> added;
    for (const auto& option : grammar.options)
        added.push_back(add(app, option, arguments));

    // CLI11 takes the arguments in reverse.
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    try {
        app.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
        for (std::size_t i = 0; i < added.size(); ++i) {
            const auto& option = grammar.options[i];
            if (std::string(error.what()).rfind(display_name(option) + ":", 0) != 0)
                continue;
            if (added[i]->results().size() > 1)
                throw UsageError(fmt::format("{} was given more than once", display_name(option)));
            throw missing_value(option);
        }
        throw UsageError(error.what());
    }
    for (std::size_t i = 0; i < added.size(); ++i)
        if (added[i]->count() > 0)
            result.values[option_key(grammar.options[i])] = added[i]->results();
    result.help = result.has("help"); // of several in one word: -hV
    result.version = result.has("version");
    if (result.help || result.version)
        return result;
    result.positionals = take_positionals(grammar, app.remaining());
    if (grammar.needs_positionals && result.positionals.size() < grammar.positionals.size())
        throw missing_positional(grammar, result.positionals.size(), arguments);
    return result;
}

std::string help_text(const Grammar& grammar) {
    std::string out = fmt::format("Usage: {} {}\n\n", grammar.command, grammar.usage);
    append_wrapped(out, grammar.description, 0, help_width);
    if (!grammar.positionals.empty())
        out += "\nArguments:\n";
    for (const auto& positional : grammar.positionals)
        append_entry(out, positional.name, positional.help);
    std::vector<std::string> groups;
    for (const auto& option : grammar.options)
        if (std::find(groups.begin(), groups.end(), option.group) == groups.end())
            groups.push_back(option.group);
    for (const auto& group : groups) {
        out += "\n" + group + ":\n";
        for (const auto& option : grammar.options)
            if (option.group == group)
                append_entry(out, option_heading(option), option.help);
    }
    if (!grammar.footer.empty())
        append_wrapped(out += "\n", grammar.footer, 0, help_width);
    return out;
}

} // namespace ipcmark::host

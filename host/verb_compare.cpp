// SPDX-License-Identifier: Apache-2.0
#include "host/command_line.hpp"
#include "host/option_values.hpp"
#include "host/printable.hpp"
#include "host/standard_output.hpp"
#include "host/text_table.hpp"
#include "host/verbs.hpp"
#include "result/compare.hpp"
#include "result/json_text.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <map>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::host {

namespace {

namespace json = boost::json;
using namespace result;

constexpr const char* default_threshold = "5%";

Grammar grammar() {
    Grammar grammar;
    grammar.command = "ipcmark compare";
    grammar.usage = "A.json[,...] B.json[,...] [options]";
    grammar.description =
        "Compare two result documents, test by test: B against A. Either may be several, separated by commas, whose "
        "tests count as repetitions: measure A and B in turns, for what the machine does otherwise from minute to "
        "minute is then in both. Documents of rusty-comms are read too.";
    grammar.positionals = {{"A", "The result document, or documents, to compare with."}, {"B", "Those to judge."}};
    grammar.options = {
        {"--threshold", "PERCENT", Arity::one, "Judgement", "Changes up to this much are taken for noise (default 5%).",
         ""},
        {"--fail-on-regression", "", Arity::flag, "Judgement",
         "Exit with 1 where B is clearly worse, or fails where A did not.", ""},
        {"--json", "", Arity::flag, "Output", "Print JSON.", ""},
        help_option(),
    };
    grammar.footer =
        "A figure has changed where it differs by more than the threshold, A and B have four runs of the test or more "
        "(run --repeat N, or several documents), and the ranges that these span do not touch; else it is unclear, "
        "which "
        "is no regression: the runs cannot tell a change from noise. Unclear is also what was measured while a check "
        "failed on one side only, such as that of the share of its CPU that a process had.";
    return grammar;
}

// A file may have commas in its name.
ImportedDocument import_files(const std::string& text) {
    std::error_code ignored;
    if (std::filesystem::exists(text, ignored))
        return import_file(text);
    std::vector<ImportedDocument> documents;
    for (const std::string& name : split_list({text}))
        documents.push_back(import_file(name));
    return joined(std::move(documents));
}

// "5%" or "5", as a fraction.
double parse_threshold(const std::string& text) {
    std::string_view number = text;
    if (number.ends_with('%'))
        number.remove_suffix(1);
    double percent = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), percent);
    if (error != std::errc{} || end != number.data() + number.size() || !std::isfinite(percent) || percent < 0)
        throw UsageError(fmt::format("--threshold \"{}\" is not a percentage; write for example 5% or 0.5%", text));
    return percent / 100;
}

const char* name_of(std::optional<Direction> direction) {
    return direction ? direction_name(*direction) : "summary";
}

const char* name_of(Change change) {
    switch (change) {
    case Change::worse:
        return "worse";
    case Change::better:
        return "better";
    case Change::unclear:
        return "unclear";
    case Change::none:
        break;
    }
    return "same";
}

Style style_of(Change change) {
    switch (change) {
    case Change::worse:
        return Style::red;
    case Change::better:
        return Style::green;
    case Change::unclear:
        return Style::yellow;
    case Change::none:
        break;
    }
    return Style::plain;
}

void add_cells(std::vector<Cell>& row, const std::optional<ComparedFigure>& figure, std::string (*human)(double)) {
    if (!figure) {
        row.insert(row.end(), {{"-"}, {"-"}, {"-"}});
        return;
    }
    row.push_back({human(figure->first.value)});
    row.push_back({human(figure->second.value)});
    row.push_back({fmt::format("{:.2f}", figure->ratio), style_of(figure->change)});
}

// The first of these that any figure of a test has is what the test is counted as.
constexpr Change by_weight[] = {Change::worse, Change::unclear, Change::better, Change::none};

std::vector<std::string> figures_with(const ComparedTest& test, Change change) {
    std::vector<std::string> names;
    for (const auto& [name, figure] :
         {std::pair("p50", &test.p50_ns), std::pair("p99", &test.p99_ns), std::pair("rate", &test.messages_per_second)})
        if (*figure && (*figure)->change == change)
            names.emplace_back(name);
    return names;
}

Change heaviest(const ComparedTest& test) {
    return *std::find_if(std::begin(by_weight), std::end(by_weight),
                         [&](Change change) { return change == Change::none || !figures_with(test, change).empty(); });
}

// All that is not the same, in a word or two: "worse: p99; unclear: rate".
Cell verdict_of(const ComparedTest& test) {
    std::string text;
    for (const Change change : by_weight)
        if (const auto names = figures_with(test, change); change != Change::none && !names.empty())
            text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", name_of(change), fmt::join(names, ","));
    return {text.empty() ? name_of(Change::none) : text, style_of(heaviest(test))};
}

// "12 tests: 1 worse, 2 unclear, 9 same"
std::string counted(const Comparison& comparison) {
    std::string text = fmt::format("{} test{}: ", comparison.tests.size(), comparison.tests.size() == 1 ? "" : "s");
    bool first = true;
    for (const Change change : by_weight) {
        const auto count = std::count_if(comparison.tests.begin(), comparison.tests.end(),
                                         [&](const ComparedTest& test) { return heaviest(test) == change; });
        if (count == 0)
            continue;
        text += fmt::format("{}{} {}", first ? "" : ", ", count, name_of(change));
        first = false;
    }
    return text;
}

// A field of the configuration under the name that the table of a run has for it.
struct ConfigurationColumn {
    std::string_view field;
    std::string_view heading;
    std::string_view unit;
    std::string_view none;
};

constexpr ConfigurationColumn configuration_columns[] = {
    {"first_message", "first message", "", "-"},
    {"msg_count", "count", "", "-"},
    {"rate_per_second", "rate", "/s", "max"},
    {"send_delay_ns", "delay", " ns", "-"},
    {"spin_ns", "spin", " ns", "-"},
    {"wait_policy", "wait", "", "-"},
    {"warmup_iterations", "warm-up", "", "-"},
};

ConfigurationColumn column_of(std::string_view field) {
    for (const ConfigurationColumn& column : configuration_columns)
        if (column.field == field)
            return column;
    constexpr std::string_view option = "option ";
    return {field, field.starts_with(option) ? field.substr(option.size()) : field, "", "-"};
}

// Not rounded: two tests never look the same.
std::string value_of(const ComparedTest& test, const std::string& field) {
    const ConfigurationColumn column = column_of(field);
    const auto found = test.configuration.find(field);
    return found == test.configuration.end() || found->second == "null" ? std::string(column.none)
                                                                        : found->second + std::string(column.unit);
}

std::string described(const ComparedTest& test, const std::vector<std::string>& varying) {
    std::string text = fmt::format("{} {}, {}, conc {}", test.mechanism, name_of(test.direction),
                                   human_size(test.message_size_bytes), test.concurrency);
    for (const std::string& field : varying)
        text += fmt::format(", {} {}", column_of(field).heading, value_of(test, field));
    return text;
}

// Each of their texts once, with the tests that have it.
std::vector<std::string> in_tests(const Comparison& comparison, std::vector<std::string> ComparedTest::*member) {
    std::vector<std::pair<std::string, std::vector<std::string>>> found;
    for (const ComparedTest& test : comparison.tests)
        for (const std::string& own : test.*member) {
            auto known =
                std::find_if(found.begin(), found.end(), [&](const auto& entry) { return entry.first == own; });
            if (known == found.end())
                known = found.insert(found.end(), {own, {}});
            known->second.push_back(described(test, comparison.varying));
        }
    std::vector<std::string> texts;
    for (const auto& [own, tests] : found)
        texts.push_back(tests.size() == comparison.tests.size() ? own
                                                                : fmt::format("{}: {}", fmt::join(tests, "; "), own));
    return texts;
}

std::vector<std::string_view> reasons_for_unclear(const Comparison& comparison) {
    bool few_runs = false;
    bool one_is_suspicious = false;
    bool ranges_touch = false;
    for (const ComparedTest& test : comparison.tests) {
        if (figures_with(test, Change::unclear).empty())
            continue;
        if (std::min(test.runs_first, test.runs_second) < fewest_runs)
            few_runs = true;
        else if (!test.suspicious_alike)
            one_is_suspicious = true;
        else
            ranges_touch = true;
    }
    std::vector<std::string_view> reasons;
    if (few_runs)
        reasons.emplace_back("beyond the threshold, but fewer than four runs of a test cannot tell a change from the "
                             "noise between runs; use run --repeat 5 for both");
    if (one_is_suspicious)
        reasons.emplace_back("beyond the threshold, but one side did not pass a check that the other did: measure that "
                             "side again");
    if (ranges_touch)
        reasons.emplace_back("beyond the threshold, but the ranges of A and B touch: more repetitions may tell");
    return reasons;
}

std::string as_text(const Comparison& comparison, const ImportedDocument& a, const ImportedDocument& b, Colour colour) {
    std::string text = fmt::format("A: {}\nB: {}\n\n", printable(a.name), printable(b.name));
    TextTable table;
    for (const char* heading : {"mechanism", "direction"})
        table.add_column(heading, Align::left);
    for (const char* heading : {"size", "conc"})
        table.add_column(heading, Align::right);
    for (const std::string& field : comparison.varying)
        table.add_column(std::string(column_of(field).heading), Align::right);
    for (const char* heading : {"p50 A", "B", "B/A", "p99 A", "B", "B/A", "msg/s A", "B", "B/A"})
        table.add_column(heading, Align::right);
    table.add_column("", Align::left);
    for (const ComparedTest& test : comparison.tests) {
        std::vector<Cell> row{{test.mechanism},
                              {name_of(test.direction)},
                              {human_size(test.message_size_bytes)},
                              {std::to_string(test.concurrency)}};
        for (const std::string& field : comparison.varying)
            row.push_back({value_of(test, field)});
        add_cells(row, test.p50_ns, human_time);
        add_cells(row, test.p99_ns, human_time);
        add_cells(row, test.messages_per_second, human_count);
        row.push_back(verdict_of(test));
        table.add_row(std::move(row));
    }
    text += table.text(colour);
    std::string notes;
    const auto note = [&](std::string_view head, const std::string& words, Style style) {
        const std::string line = paragraph(head, words, style, colour);
        if (notes.find(line) == std::string::npos)
            notes += line;
    };
    for (const std::string& failed : comparison.newly_failed)
        note("failed in B:", failed, Style::red);
    for (const std::string& test : comparison.only_first)
        note("only in A:", test, Style::yellow);
    for (const std::string& test : comparison.only_second)
        note("only in B:", test, Style::yellow);
    for (const std::string& difference : comparison.machine_differences)
        note("the machines differ:", difference, Style::yellow);
    for (const std::string& difference : in_tests(comparison, &ComparedTest::differences))
        note("the tests differ:", difference, Style::yellow);
    for (const std::string& check : in_tests(comparison, &ComparedTest::suspicious))
        note("did not pass a check:", check, Style::yellow);
    for (const std::string_view reason : reasons_for_unclear(comparison))
        note("unclear:", std::string(reason), Style::yellow);
    if (!comparison.tests.empty())
        note("compared:", counted(comparison), Style::plain);
    return notes.empty() ? text : text + "\n" + notes;
}

json::value as_json(const std::optional<ComparedFigure>& figure) {
    if (!figure)
        return nullptr;
    const auto side = [](const Figure& f) {
        return json::object{{"value", f.value}, {"low", f.low}, {"high", f.high}};
    };
    return json::object{{"a", side(figure->first)},
                        {"b", side(figure->second)},
                        {"ratio", figure->ratio},
                        {"change", name_of(figure->change)}};
}

json::array as_json(const std::vector<std::string>& texts) {
    return json::array(texts.begin(), texts.end());
}

json::object as_json(const std::map<std::string, std::string>& texts) {
    json::object object;
    for (const auto& [key, value] : texts)
        object.emplace(key, value);
    return object;
}

std::string as_json_text(const Comparison& comparison) {
    json::array tests;
    for (const ComparedTest& test : comparison.tests)
        tests.push_back({{"mechanism", test.mechanism},
                         {"direction", name_of(test.direction)},
                         {"message_size", test.message_size_bytes},
                         {"concurrency", test.concurrency},
                         {"configuration", as_json(test.configuration)},
                         {"runs_a", test.runs_first},
                         {"runs_b", test.runs_second},
                         {"differences", as_json(test.differences)},
                         {"suspicious", as_json(test.suspicious)},
                         {"p50_ns", as_json(test.p50_ns)},
                         {"p99_ns", as_json(test.p99_ns)},
                         {"messages_per_second", as_json(test.messages_per_second)}});
    return to_text(json::object{{"regression", comparison.any_regression()},
                                {"unclear", comparison.any_unclear()},
                                {"tests", std::move(tests)},
                                {"newly_failed", as_json(comparison.newly_failed)},
                                {"only_a", as_json(comparison.only_first)},
                                {"only_b", as_json(comparison.only_second)},
                                {"machine_differences", as_json(comparison.machine_differences)}});
}

} // namespace

int verb_compare(const Invocation& invocation) {
    const Arguments arguments = parse_command_line(grammar(), invocation.arguments);
    if (arguments.help) {
        print(help_text(grammar()));
        return exit_ok;
    }
    const double threshold =
        parse_threshold(arguments.has("threshold") ? arguments.values.at("threshold").back() : default_threshold);
    const ImportedDocument a = import_files(arguments.positionals.at(0));
    const ImportedDocument b = import_files(arguments.positionals.at(1));
    const Comparison comparison = compare(a, b, threshold);
    print(arguments.flag("json") ? as_json_text(comparison) : as_text(comparison, a, b, colour_of(STDOUT_FILENO)));
    return arguments.flag("fail-on-regression") && comparison.any_regression() ? exit_failed : exit_ok;
}

} // namespace ipcmark::host

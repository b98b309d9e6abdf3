// SPDX-License-Identifier: Apache-2.0
#include "result/compare.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace ipcmark::result {

namespace {

using Member = std::optional<Figure> ImportedResult::*;

bool same_test(const ImportedResult& a, const ImportedResult& b) {
    return a.mechanism == b.mechanism && a.direction == b.direction && a.message_size_bytes == b.message_size_bytes &&
           a.concurrency == b.concurrency;
}

// What is configured otherwise, as far as both documents say.
std::vector<std::string> differences(const std::map<std::string, std::string>& a,
                                     const std::map<std::string, std::string>& b) {
    std::vector<std::string> found;
    for (const auto& [key, value] : a)
        if (const auto other = b.find(key); other != b.end() && other->second != value)
            found.push_back(fmt::format("{}: {}, {}", key, value.empty() ? "none" : value,
                                        other->second.empty() ? "none" : other->second));
    return found;
}

// The same of two tests. An option that was given in one of them only is compared with what the other one had.
std::vector<std::string> differences(const ImportedResult& a, const ImportedResult& b) {
    auto ours = a.configuration;
    auto theirs = b.configuration;
    for (const auto& [key, value] : b.configuration)
        if (const auto had = a.unasked.find(key); had != a.unasked.end())
            ours.insert(*had);
    for (const auto& [key, value] : a.configuration)
        if (const auto had = b.unasked.find(key); had != b.unasked.end())
            theirs.insert(*had);
    return differences(ours, theirs);
}

// The repetitions of one test.
struct Group {
    std::vector<const ImportedResult*> runs;
    bool taken = false;
    [[nodiscard]] const ImportedResult& test() const { return *runs.front(); }
};

std::vector<Group> group(const ImportedDocument& document) {
    std::vector<Group> groups;
    for (const ImportedResult& result : document.results) {
        const auto same = std::find_if(groups.begin(), groups.end(), [&](const Group& known) {
            return same_test(known.test(), result) && known.test().configuration == result.configuration;
        });
        if (same != groups.end())
            same->runs.push_back(&result);
        else
            groups.push_back({{&result}});
    }
    return groups;
}

// A single run has its own range; several have the one that they span.
std::optional<Figure> figure_of(const Group& runs, Member member) {
    std::vector<Figure> figures;
    for (const ImportedResult* run : runs.runs)
        if (run->*member)
            figures.push_back(*(run->*member));
    if (figures.size() <= 1)
        return figures.empty() ? std::nullopt : std::optional(figures.front());
    std::sort(figures.begin(), figures.end(), [](const Figure& a, const Figure& b) { return a.value < b.value; });
    const std::size_t middle = figures.size() / 2;
    const double median =
        figures.size() % 2 == 1 ? figures[middle].value : (figures[middle - 1].value + figures[middle].value) / 2;
    return Figure{median, figures.front().value, figures.back().value};
}

enum class Wanted { small, large };
enum class Evidence { enough, lacking };

Change judge(const Figure& first, const Figure& second, Wanted wanted, Evidence evidence, double threshold) {
    const double ratio = second.value / first.value;
    const bool apart = first.high < second.low || second.high < first.low;
    if (ratio <= 1 + threshold && ratio >= 1 / (1 + threshold))
        return Change::none;
    if (!apart || evidence == Evidence::lacking)
        return Change::unclear;
    return (ratio > 1) == (wanted == Wanted::small) ? Change::worse : Change::better;
}

// How many runs of a test did not pass each check.
std::map<std::string, std::size_t> suspicions(const Group& runs) {
    std::map<std::string, std::size_t> counts;
    for (const ImportedResult* run : runs.runs)
        for (const std::string& check : run->suspicious)
            ++counts[check];
    return counts;
}

void add_suspicions(const Group& first, const Group& second, ComparedTest& test) {
    auto ours = suspicions(first);
    auto theirs = suspicions(second);
    std::set<std::string> checks;
    for (const auto* counts : {&ours, &theirs})
        for (const auto& entry : *counts)
            checks.insert(entry.first);
    for (const std::string& check : checks) {
        test.suspicious.push_back(fmt::format("{}: in {} of {} runs, {} of {}", check, ours[check], first.runs.size(),
                                              theirs[check], second.runs.size()));
        if (ours[check] == 0 || theirs[check] == 0)
            test.suspicious_alike = false;
    }
}

std::optional<ComparedFigure> compare_figures(const Group& first, const Group& second, Member member, Wanted wanted,
                                              Evidence evidence, double threshold) {
    const auto a = figure_of(first, member);
    const auto b = figure_of(second, member);
    if (!a || !b || a->value <= 0)
        return std::nullopt;
    return ComparedFigure{*a, *b, b->value / a->value, judge(*a, *b, wanted, evidence, threshold)};
}

ComparedTest compare_tests(const Group& first, const Group& second, double threshold) {
    const ImportedResult& test = first.test();
    ComparedTest compared;
    compared.mechanism = test.mechanism;
    compared.direction = test.direction;
    compared.message_size_bytes = test.message_size_bytes;
    compared.concurrency = test.concurrency;
    compared.configuration = test.configuration;
    compared.runs_first = first.runs.size();
    compared.runs_second = second.runs.size();
    compared.differences = differences(test, second.test());
    add_suspicions(first, second, compared);
    const auto evidence =
        std::min(compared.runs_first, compared.runs_second) >= fewest_runs && compared.suspicious_alike
            ? Evidence::enough
            : Evidence::lacking;
    const auto figures = [&](Member member, Wanted wanted) {
        return compare_figures(first, second, member, wanted, evidence, threshold);
    };
    const bool both_count = test.messages_per_second && second.test().messages_per_second;
    compared.p50_ns = figures(&ImportedResult::p50_ns, Wanted::small);
    compared.p99_ns = figures(&ImportedResult::p99_ns, Wanted::small);
    compared.messages_per_second =
        figures(both_count ? &ImportedResult::messages_per_second : &ImportedResult::bytes_per_second, Wanted::large);
    return compared;
}

// Added to `varying` in their order, each once.
void add_varying(const ImportedDocument& document, std::vector<std::string>& varying) {
    std::map<std::string, std::set<std::string>> values;
    for (const ImportedResult& result : document.results)
        for (const auto& [key, value] : result.configuration)
            values[key].insert(value);
    for (const auto& entry : values) {
        const std::string& key = entry.first;
        const bool some_have_none =
            std::any_of(document.results.begin(), document.results.end(),
                        [&](const ImportedResult& result) { return !result.configuration.contains(key); });
        if (entry.second.size() + (some_have_none ? 1 : 0) > 1 &&
            std::find(varying.begin(), varying.end(), key) == varying.end())
            varying.push_back(key);
    }
}

std::string described(const ImportedResult& test, const std::vector<std::string>& varying) {
    std::string text = fmt::format("{} {} {} bytes, concurrency {}", test.mechanism,
                                   test.direction ? direction_name(*test.direction) : "summary",
                                   test.message_size_bytes, test.concurrency);
    for (const std::string& key : varying)
        if (const auto found = test.configuration.find(key);
            found != test.configuration.end() && found->second != "null")
            text += fmt::format(", {} {}", key, found->second);
    return text;
}

bool any(const std::vector<ComparedTest>& tests, Change change) {
    return std::any_of(tests.begin(), tests.end(), [change](const ComparedTest& test) {
        const auto has = [change](const std::optional<ComparedFigure>& figure) {
            return figure && figure->change == change;
        };
        return has(test.p50_ns) || has(test.p99_ns) || has(test.messages_per_second);
    });
}

} // namespace

bool Comparison::any_regression() const {
    return !newly_failed.empty() || any(tests, Change::worse);
}

bool Comparison::any_unclear() const {
    return any(tests, Change::unclear);
}

Comparison compare(const ImportedDocument& first, const ImportedDocument& second, double threshold) {
    Comparison comparison;
    add_varying(first, comparison.varying);
    add_varying(second, comparison.varying);
    std::vector<Group> ours = group(first);
    std::vector<Group> theirs = group(second);
    std::vector<Group*> partner(ours.size());
    for (const bool exact : {true, false}) {
        for (std::size_t i = 0; i < ours.size(); ++i) {
            if (partner[i] != nullptr)
                continue;
            const auto match = std::find_if(theirs.begin(), theirs.end(), [&](const Group& other) {
                return !other.taken && same_test(ours[i].test(), other.test()) &&
                       (!exact || differences(ours[i].test(), other.test()).empty());
            });
            if (match != theirs.end()) {
                match->taken = true;
                partner[i] = &*match;
            }
        }
    }
    for (std::size_t i = 0; i < ours.size(); ++i) {
        const ImportedResult& test = ours[i].test();
        if (partner[i] != nullptr) {
            comparison.tests.push_back(compare_tests(ours[i], *partner[i], threshold));
            continue;
        }
        const auto failure =
            std::find_if(second.failures.begin(), second.failures.end(), [&](const ImportedFailure& failed) {
                return failed.mechanism == test.mechanism && failed.message_size_bytes == test.message_size_bytes &&
                       failed.concurrency == test.concurrency &&
                       (!test.direction || std::find(failed.directions.begin(), failed.directions.end(),
                                                     *test.direction) != failed.directions.end());
            });
        if (failure != second.failures.end())
            comparison.newly_failed.push_back(
                fmt::format("{}: {}", described(test, comparison.varying), failure->reason));
        else
            comparison.only_first.push_back(described(test, comparison.varying));
    }
    for (const Group& other : theirs)
        if (!other.taken)
            comparison.only_second.push_back(described(other.test(), comparison.varying));
    if (comparison.tests.empty() && comparison.newly_failed.empty())
        throw UsageError(fmt::format("{} and {} have no test in common: mechanism, direction, message size and "
                                     "concurrency must be the same",
                                     first.name, second.name));
    comparison.machine_differences = differences(first.machine, second.machine);
    return comparison;
}

} // namespace ipcmark::result

// SPDX-License-Identifier: Apache-2.0
#include "host/test_columns.hpp"

#include "result/test_parts.hpp"
#include "result/wait_policy_names.hpp"

#include <ipcmark/units.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace ipcmark::host {

using result::mechanism_of;

namespace {

std::string given_options(const TestResult& result) {
    std::string text;
    for (const auto& [name, value] : result.plan.options)
        text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
    return text;
}

std::string cpus_of(const TestResult& result) {
    const auto list = [](const std::vector<int>& cpus) {
        return cpus.empty() ? std::string("any") : fmt::format("{}", fmt::join(cpus, ","));
    };
    return list(result.plan.server_cpus) + "/" + list(result.plan.client_cpus);
}

std::string wait_of(const TestResult& result) {
    const std::string name(wait_policy_name(result.plan.wait));
    return result.plan.wait == WaitPolicy::adaptive
               ? fmt::format("{}:{}", name, human_time(static_cast<double>(result.plan.spin.count())))
               : name;
}

std::string length_of(const TestResult& result) {
    const TestPlan& plan = result.plan;
    return plan.duration ? human_time(static_cast<double>(plan.duration->count()))
                         : std::to_string(plan.message_count.value_or(0));
}

std::string directions_of(const TestResult& result) {
    std::string text;
    for (const Direction direction : result.plan.directions)
        text += fmt::format("{}{}", text.empty() ? "" : "+", direction_name(direction));
    return text;
}

struct Known {
    const char* heading;
    Align align;
    std::string (*value)(const TestResult&);
    const char* words;
};

constexpr Known known_columns[] = {
    {"options", Align::left, given_options, "{}"},
    {"conc", Align::right, [](const TestResult& r) { return std::to_string(r.plan.concurrency); }, "conc {}"},
    {"mode", Align::left,
     [](const TestResult& r) { return std::string(r.plan.mode == Mode::blocking ? "blocking" : "async"); }, "{}"},
    {"wait", Align::left, wait_of, "wait {}"},
    {"access", Align::left,
     [](const TestResult& r) { return std::string(r.plan.access == Access::direct ? "direct" : "copy"); }, "{}"},
    {"rate", Align::right,
     [](const TestResult& r) {
         return r.plan.rate_per_second ? human_count(*r.plan.rate_per_second) + "/s" : std::string("max");
     },
     "rate {}"},
    {"delay", Align::right,
     [](const TestResult& r) { return human_time(static_cast<double>(r.plan.send_delay.count())); }, "delay {}"},
    {"window", Align::right, [](const TestResult& r) { return std::to_string(r.plan.window); }, "window {}"},
    {"batch", Align::right, [](const TestResult& r) { return std::to_string(r.plan.batch); }, "batch {}"},
    {"cpus", Align::left, cpus_of, "cpus {}"},
    {"buffer", Align::right,
     [](const TestResult& r) {
         return r.plan.buffer_size_bytes ? human_size(*r.plan.buffer_size_bytes) : std::string("own");
     },
     "buffer {}"},
    {"length", Align::right, length_of, "length {}"},
    {"warm-up", Align::right, [](const TestResult& r) { return std::to_string(r.plan.warmup_messages); }, "warm-up {}"},
    {repeat_heading.data(), Align::right, [](const TestResult& r) { return std::to_string(r.plan.repeat_index + 1); },
     "#{}"},
};

} // namespace

std::vector<TestColumn> columns_that_vary(const ResultDocument& document) {
    std::vector<TestColumn> columns;
    std::set<std::vector<std::string>> different;
    for (const Known& column : known_columns)
        if (std::any_of(document.results.begin(), document.results.end(), [&](const TestResult& result) {
                return column.value(result) != column.value(document.results.front());
            }))
            columns.push_back({column.heading, column.align, column.value, column.words});
    for (const TestResult& result : document.results) {
        std::vector<std::string> all{mechanism_of(result), human_size(result.plan.message_size_bytes),
                                     directions_of(result)};
        for (const TestColumn& column : columns)
            all.push_back(column.value(result));
        different.insert(std::move(all));
    }
    if (different.size() < document.results.size())
        columns.push_back({"test", Align::right,
                           [first = document.results.data()](const TestResult& result) {
                               return std::to_string(&result - first + 1);
                           },
                           "test {}"});
    return columns;
}

TestNames::TestNames(const ResultDocument& document) {
    const std::vector<TestColumn> columns = columns_that_vary(document);
    const auto words_of = [](const TestColumn& column, const TestResult& result) {
        const std::string value = column.value(result);
        return value.empty() ? "no " + column.heading : fmt::format(fmt::runtime(column.words), value);
    };
    using Kind = std::pair<std::string, std::uint64_t>;
    const auto kind_of = [](const TestResult& result) {
        return Kind(mechanism_of(result), result.plan.message_size_bytes);
    };
    std::map<Kind, std::vector<std::set<std::string>>> seen;
    for (const TestResult& result : document.results) {
        auto& sets = seen[kind_of(result)];
        sets.resize(columns.size());
        for (std::size_t i = 0; i < columns.size(); ++i)
            sets[i].insert(columns[i].value(result));
    }
    for (const TestResult& result : document.results) {
        const std::string size = human_size(result.plan.message_size_bytes);
        parts_.push_back({mechanism_of(result), size});
        values_.push_back({"of " + mechanism_of(result), "of " + size});
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const std::string words = words_of(columns[i], result);
            values_.back().push_back("with " + words);
            if (seen[kind_of(result)][i].size() > 1)
                parts_.back().push_back(words);
        }
    }
}

std::string TestNames::of(std::size_t test) const {
    return fmt::format("{}", fmt::join(parts_.at(test), ", "));
}

// Names that differ in their last part only are one, with these parts in parentheses.
std::string TestNames::list(const Tests& tests) const {
    std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> merged;
    std::map<std::vector<std::string>, std::size_t> known;
    for (const std::size_t test : tests) {
        std::vector<std::string> begin = parts_.at(test);
        std::string last = begin.back();
        begin.pop_back();
        const auto [same, fresh] = known.emplace(begin, merged.size());
        if (fresh)
            merged.push_back({std::move(begin), {std::move(last)}});
        else
            merged[same->second].second.push_back(std::move(last));
    }
    std::string text;
    for (const auto& [begin, last] : merged) {
        text += fmt::format("{}{}", text.empty() ? "" : "; ", fmt::join(begin, ", "));
        text += last.size() == 1 ? ", " + last.front() : fmt::format(" ({})", fmt::join(last, ", "));
    }
    return text;
}

// "with conc 4", where just these tests have it; else empty.
std::string TestNames::shared_value(const Tests& tests, const Tests& among) const {
    for (std::size_t i = 0; i < values_.front().size(); ++i) {
        const std::string& value = values_.at(tests.front())[i];
        Tests having;
        std::copy_if(among.begin(), among.end(), std::back_inserter(having),
                     [&](std::size_t test) { return values_.at(test)[i] == value; });
        if (having == tests)
            return value;
    }
    return "";
}

std::string TestNames::of(const Tests& tests, const Tests& among, std::string_view direction) const {
    constexpr std::size_t few = 3;
    const auto all = [&](std::size_t count) {
        return fmt::format("all {} {}{}tests", count, direction, direction.empty() ? "" : " ");
    };
    if (tests.size() >= few && tests == among)
        return all(tests.size());
    if (tests.size() >= few)
        if (const std::string value = shared_value(tests, among); !value.empty())
            return all(tests.size()) + " " + value;
    Tests others;
    std::set_difference(among.begin(), among.end(), tests.begin(), tests.end(), std::back_inserter(others));
    if (others.size() <= few && tests.size() > 2 * few)
        return all(among.size()) + " but " + list(others);
    return (direction.empty() ? "" : fmt::format("{} of ", direction)) + list(tests);
}

} // namespace ipcmark::host

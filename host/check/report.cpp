// SPDX-License-Identifier: Apache-2.0
#include "host/check/report.hpp"

#include "host/text_table.hpp"
#include "result/json_text.hpp"
#include "result/valid_utf8.hpp"
#include "result/wait_policy_names.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace ipcmark::check {
namespace {

namespace json = boost::json;
using host::Colour;
using host::Style;

double seconds(const CaseResult& result) {
    return std::chrono::duration<double>(result.time).count();
}

Style style_of(Outcome outcome) {
    return outcome == Outcome::pass ? Style::green : outcome == Outcome::skip ? Style::yellow : Style::red;
}

bool has_failed(const CaseResult& result) {
    return is_failure(result.outcome);
}

// Failures with one reason, whose numbers may differ: of sizes, of messages, of seconds.
struct Group {
    std::string reason;
    std::vector<const CaseResult*> results;
};

std::string without_numbers(const std::string& reason) {
    std::string text;
    for (const char c : reason) {
        if (c < '0' || c > '9') {
            text += c;
        } else if (text.ends_with("#.")) {
            text.pop_back();
        } else if (!text.ends_with('#')) {
            text += '#';
        }
    }
    return text;
}

// In the order in which they came first.
std::vector<Group> groups_of(const std::vector<CaseResult>& results) {
    std::vector<Group> groups;
    for (const auto& result : results) {
        if (!has_failed(result)) {
            continue;
        }
        auto reason = fmt::format("{} {}", outcome_name(result.outcome), without_numbers(result.reason));
        const auto found =
            std::find_if(groups.begin(), groups.end(), [&](const Group& group) { return group.reason == reason; });
        auto& group = found != groups.end() ? *found : groups.emplace_back(Group{std::move(reason), {}});
        group.results.push_back(&result);
    }
    return groups;
}

// As --only takes them: a test by its id where it is in the group with each wait policy that it was run with, and a
// group of tests by a pattern where all of them are.
std::vector<std::string> names_of(const Group& group, const std::vector<CaseResult>& results) {
    const auto is_in = [&](const CaseResult& result) {
        return std::find(group.results.begin(), group.results.end(), &result) != group.results.end();
    };
    const auto all_in = [&](const auto& belongs) {
        return std::all_of(results.begin(), results.end(), [&](const CaseResult& result) {
            return !belongs(result) || result.outcome == Outcome::skip || is_in(result);
        });
    };
    std::vector<std::string> names;
    for (const auto* result : group.results) {
        const std::string id = result->which.test->id;
        const auto prefix = id.substr(0, id.find('.') + 1);
        const auto has_prefix = [&](const CaseResult& one) { return one.which.name.starts_with(prefix); };
        const auto has_id = [&](const CaseResult& one) { return one.which.test == result->which.test; };
        const bool are_several = std::any_of(results.begin(), results.end(),
                                             [&](const CaseResult& one) { return has_prefix(one) && !has_id(one); });
        const auto name = are_several && all_in(has_prefix) ? prefix + "*" : all_in(has_id) ? id : result->which.name;
        if (names.empty() || names.back() != name) {
            names.push_back(name);
        }
    }
    return names;
}

std::string indented_lines(const std::string& text) {
    std::string out = "      | ";
    for (const char c : text) {
        out += c;
        if (c == '\n') {
            out += "      | ";
        }
    }
    while (out.ends_with('\n') || out.ends_with(' ') || out.ends_with('|')) {
        out.pop_back();
    }
    return out.empty() ? "" : out + '\n';
}

// Text for XML: the five special characters, and nothing that XML forbids.
std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t' ? '?' : c;
        }
    }
    return out;
}

} // namespace

Totals totals(const std::vector<CaseResult>& results) {
    Totals counts;
    for (const auto& result : results) {
        (has_failed(result) ? counts.failed : result.outcome == Outcome::skip ? counts.skipped : counts.passed) += 1;
    }
    return counts;
}

std::string result_text(const CaseResult& result, const CaseResult* same_as, Colour colour) {
    auto text =
        fmt::format("{} {:<44} {:>8.0f} ms\n",
                    host::styled(fmt::format("{:<8}", outcome_name(result.outcome)), style_of(result.outcome), colour),
                    result.which.name, seconds(result) * 1e3);
    if (same_as != nullptr) {
        return text + host::paragraph("    ", "for the same reason as " + same_as->which.name, Style::faint, colour);
    }
    if (!result.reason.empty()) {
        text += host::paragraph("    ", result.reason, has_failed(result) ? Style::plain : Style::faint, colour);
    }
    if (has_failed(result)) {
        text += host::paragraph("    why it matters: ", result.which.test->proves, Style::faint, colour);
        text += result.output.empty() ? "" : indented_lines(result.output);
    }
    return text;
}

std::string summary_text(const Report& report, Colour colour) {
    const auto& results = report.results;
    const auto counts = totals(results);
    std::string text;
    const auto groups = groups_of(results);
    text += groups.empty() ? "" : "\nFailed:\n";
    for (const auto& group : groups) {
        const auto& first = *group.results.front();
        const auto outcome = host::styled(outcome_name(first.outcome), Style::red, colour);
        if (group.results.size() == 1) {
            text += fmt::format("  {} {}: {}\n", outcome, first.which.name, first.reason);
        } else {
            text += fmt::format("  {} {} tests: {}\n", outcome, group.results.size(), first.reason);
            text += host::paragraph("     ", fmt::format("{}", fmt::join(names_of(group, results), ", ")), Style::plain,
                                    colour, host::Hanging::below_words);
        }
    }
    if (groups.size() > 1) {
        text += fmt::format("\nBegin with {}: what the first tests are about all others need.\n",
                            groups.front().results.front()->which.name);
    }
    if (!report.not_run.empty()) {
        text += fmt::format("\nNot run after the first failure: {}, from {} on\n", report.not_run.size(),
                            report.not_run.front().name);
    }
    text += fmt::format("\n{} passed, {} failed, {} skipped\n", counts.passed, counts.failed, counts.skipped);
    return text;
}

std::string list_text(const std::vector<Case>& cases, Colour colour) {
    std::string text;
    const Test* last = nullptr;
    for (const auto& which : cases) {
        if (which.test == last) {
            continue;
        }
        last = which.test;
        text += host::styled(which.test->id, Style::bold, colour);
        text += which.test->waits == Waits::each ? "  (with each wait policy)\n" : "\n";
        text += host::paragraph("    ", which.test->proves, Style::plain, colour);
    }
    return text;
}

std::string json_text(const Request& request, const Report& report) {
    json::array tests;
    for (const auto& result : report.results) {
        tests.push_back({
            {"name", result.which.name},
            {"id", result.which.test->id},
            {"wait", wait_policy_name(result.which.wait)},
            {"outcome", outcome_name(result.outcome)},
            {"reason", result.reason},
            {"output", result.output},
            {"seconds", seconds(result)},
            {"proves", result.which.test->proves},
        });
    }
    const auto counts = totals(report.results);
    return result::to_text({
        {"module", request.module.string()},
        {"passed", counts.passed},
        {"failed", counts.failed},
        {"skipped", counts.skipped},
        {"not_run", report.not_run.size()},
        {"tests", std::move(tests)},
    });
}

std::string list_json_text(const std::vector<Case>& cases) {
    json::array tests;
    for (const auto& which : cases) {
        tests.push_back({{"name", which.name}, {"id", which.test->id}, {"proves", which.test->proves}});
    }
    return result::to_text(tests);
}

std::string junit_text(const Request& request, const Report& report) {
    const auto counts = totals(report.results);
    const auto name = request.module.stem().string();
    std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    text += fmt::format("<testsuite name=\"ipcmark check {}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n",
                        escaped(name), report.results.size() + report.not_run.size(), counts.failed,
                        counts.skipped + report.not_run.size());
    for (const auto& result : report.results) {
        text += fmt::format("  <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"", escaped(name),
                            escaped(result.which.name), seconds(result));
        if (result.outcome == Outcome::pass) {
            text += "/>\n";
            continue;
        }
        const auto reason = escaped(result.reason);
        text += result.outcome == Outcome::skip
                    ? fmt::format(">\n    <skipped message=\"{}\"/>\n  </testcase>\n", reason)
                    : fmt::format(">\n    <failure type=\"{}\" message=\"{}\">{}\n{}</failure>\n  </testcase>\n",
                                  outcome_name(result.outcome), reason, escaped(result.which.test->proves),
                                  escaped(result.output));
    }
    for (const auto& which : report.not_run) {
        text += fmt::format("  <testcase classname=\"{}\" name=\"{}\" time=\"0.000\">\n    <skipped message=\"not run: "
                            "the run ended at the first failure\"/>\n  </testcase>\n",
                            escaped(name), escaped(which.name));
    }
    return result::valid_utf8(text + "</testsuite>\n");
}

} // namespace ipcmark::check

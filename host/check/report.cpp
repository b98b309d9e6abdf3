// SPDX-License-Identifier: Apache-2.0
#include "host/check/report.hpp"

#include "host/text_table.hpp"
#include "result/json_text.hpp"
#include "result/valid_utf8.hpp"
#include "result/wait_policy_names.hpp"

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

std::string result_text(const CaseResult& result, Colour colour) {
    auto text =
        fmt::format("{} {:<44} {:>8.0f} ms\n",
                    host::styled(fmt::format("{:<8}", outcome_name(result.outcome)), style_of(result.outcome), colour),
                    result.which.name, seconds(result) * 1e3);
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
    if (counts.failed > 0) {
        text += "\nFailed:\n";
        for (const auto& result : results) {
            if (has_failed(result)) {
                text += fmt::format("  {} {}: {}\n", host::styled(outcome_name(result.outcome), Style::red, colour),
                                    result.which.name, result.reason);
            }
        }
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

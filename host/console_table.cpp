// SPDX-License-Identifier: Apache-2.0
#include "host/console_table.hpp"

#include "host/test_columns.hpp"
#include "host/text_table.hpp"
#include "host/warning_groups.hpp"
#include "result/test_parts.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::host {

using result::measured_in;
using result::mechanism_of;

namespace {

// 10^6 bytes a second, without a unit.
std::string megabytes(double bytes_per_second) {
    const double mb = bytes_per_second / 1e6;
    return mb >= 999.5 ? fmt::format("{:.0f}", mb) : human_count(mb);
}

double median_of(const std::vector<double>& sorted) {
    const std::size_t middle = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Whether some sample lies beyond a percentile. If none does it is the maximum, however many nines it has. The rounding
// of a percentile that is no binary fraction must not decide: 0.1 % of 1,000 samples are one.
bool tells(const Histogram& histogram, double percentile) {
    constexpr double rounding = 1e-6;
    return percentile >= 100 || (1 - percentile / 100) * static_cast<double>(histogram.total_count()) > 1 - rounding;
}

bool has_problem(const DirectionResult& measured) {
    const Delivery& delivery = measured.delivery;
    return measured.partial || delivery.lost + delivery.duplicated + delivery.corrupted != 0 ||
           std::any_of(measured.audit.begin(), measured.audit.end(),
                       [](const AuditCheck& check) { return check.verdict == CheckVerdict::suspicious; });
}

// The percentiles that some test asked for, ascending; of many a few, from the first to the last.
struct Percentiles {
    std::vector<double> shown;
    std::size_t asked;
};

Percentiles percentiles_of(const ResultDocument& document) {
    constexpr std::size_t room = 6;
    std::set<double> asked;
    for (const TestResult& result : document.results) {
        const std::vector<double>& own = result.plan.percentiles;
        const std::vector<double> usual{50, 99, 99.9};
        const std::vector<double>& wanted = own == TestPlan().percentiles ? usual : own;
        asked.insert(wanted.begin(), wanted.end());
    }
    const std::vector<double> all(asked.begin(), asked.end());
    if (all.size() <= room)
        return {all, all.size()};
    std::vector<double> some;
    for (std::size_t i = 0; i < room; ++i)
        some.push_back(all[i * (all.size() - 1) / (room - 1)]);
    return {some, all.size()};
}

// "box7 (x86_64, AMD EPYC 9B14, Linux 6.1.0)"; both machines may have the same name, as containers and images do.
std::string machine_text(const SystemInfo& system) {
    std::string text = fmt::format("{} ({}", system.hostname, system.architecture);
    if (!system.cpu_model.empty())
        text += ", " + system.cpu_model;
    return text + fmt::format(", {} {})", system.os, system.kernel);
}

class Console {
public:
    Console(const ResultDocument& document, Colour colour)
        : document_(document), colour_(colour), names_(document), varying_(columns_that_vary(document)),
          percentiles_(percentiles_of(document)) {}

    std::string text() { return table() + notes(); }

private:
    std::string table() {
        TextTable table;
        table.add_column("mechanism", Align::left);
        table.add_column("direction", Align::left);
        table.add_column("size", Align::right);
        for (const TestColumn& column : varying_)
            table.add_column(column.heading, column.align);
        for (const double percentile : percentiles_.shown)
            table.add_column(fmt::format("p{}", percentile), Align::right);
        for (const char* heading : {"max", "msg/s", "MB/s"})
            table.add_column(heading, Align::right);
        table.add_column("", Align::left); // a mark beside figures with a note
        for (std::size_t first = 0, end = 0; first < document_.results.size(); first = end) {
            end = first + 1;
            while (end < document_.results.size() && document_.results[end].plan.repeat_index == end - first)
                ++end;
            add_rows(table, std::span(document_.results).subspan(first, end - first));
        }
        return table.text(colour_);
    }

    // One test, with its repetitions.
    void add_rows(TextTable& table, std::span<const TestResult> runs) const {
        for (const Direction direction : {Direction::one_way, Direction::round_trip}) {
            for (const TestResult& run : runs)
                if (const auto& measured = measured_in(run, direction)) {
                    std::vector<Cell> row = begin_row(run, direction_name(direction));
                    add_figures(row, figures_of(*measured), has_problem(*measured) ? Style::yellow : Style::plain);
                    row.push_back(has_problem(*measured) ? Cell{"!", Style::yellow} : Cell{""});
                    table.add_row(std::move(row));
                }
            add_summary(table, runs, direction);
        }
        for (const TestResult& run : runs)
            if (run.failure || (!run.one_way && !run.round_trip)) {
                std::vector<Cell> row = begin_row(run, "");
                row.push_back({run.failure ? "FAILED" : "not run", Style::red});
                table.add_row(std::move(row));
            }
    }

    std::vector<Cell> begin_row(const TestResult& result, const char* direction) const {
        std::vector<Cell> row{{mechanism_of(result)}, {direction}, {human_size(result.plan.message_size_bytes)}};
        for (const TestColumn& column : varying_)
            row.push_back({column.value(result)});
        return row;
    }

    // Median, least and most of each figure over the repetitions that were measured to their end.
    void add_summary(TextTable& table, std::span<const TestResult> runs, Direction direction) const {
        std::vector<std::vector<double>> figures; // by column
        bool marked = false;
        for (const TestResult& run : runs)
            if (const auto& measured = measured_in(run, direction);
                measured && !measured->partial && !measured->latency.histogram.empty()) {
                const std::vector<double> own = figures_of(*measured);
                marked = marked || has_problem(*measured);
                figures.resize(own.size());
                for (std::size_t i = 0; i < own.size(); ++i)
                    figures[i].push_back(own[i]);
            }
        if (figures.empty() || figures.front().size() < 2)
            return;
        for (std::vector<double>& column : figures) {
            // Of repetitions of which some have no figure, none has an order.
            if (std::any_of(column.begin(), column.end(), [](double figure) { return std::isnan(figure); }))
                column.assign(column.size(), std::numeric_limits<double>::quiet_NaN());
            else
                std::sort(column.begin(), column.end());
        }
        constexpr std::pair<const char*, double (*)(const std::vector<double>&)> rows[] = {
            {"median", median_of}, {"least", [](const auto& v) { return v.front(); }}, {"most", [](const auto& v) {
                                                                                            return v.back();
                                                                                        }}};
        for (const auto& [name, value] : rows) {
            std::vector<Cell> row = begin_row(runs.front(), direction_name(direction));
            for (std::size_t i = 0; i < varying_.size(); ++i)
                if (varying_[i].heading == repeat_heading)
                    row[row.size() - varying_.size() + i].text = name;
            std::vector<double> line;
            for (const std::vector<double>& column : figures)
                line.push_back(value(column));
            add_figures(row, line, Style::bold);
            row.push_back(marked ? Cell{"!", Style::yellow} : Cell{""});
            table.add_row(std::move(row));
        }
    }

    // In the order of the columns; not a number where nothing was measured, or too little to tell.
    std::vector<double> figures_of(const DirectionResult& measured) const {
        const Histogram& histogram = measured.latency.histogram;
        const auto time = [&](std::uint64_t ns) {
            return histogram.empty() ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(ns);
        };
        std::vector<double> figures;
        for (const double percentile : percentiles_.shown)
            figures.push_back(tells(histogram, percentile) ? time(histogram.percentile_ns(percentile))
                                                           : std::numeric_limits<double>::quiet_NaN());
        figures.push_back(time(histogram.max_ns()));
        figures.push_back(measured.throughput.messages_per_second);
        figures.push_back(measured.throughput.bytes_per_second);
        return figures;
    }

    void add_figures(std::vector<Cell>& row, const std::vector<double>& figures, Style style) const {
        const std::size_t times = percentiles_.shown.size() + 1;
        for (std::size_t i = 0; i < figures.size(); ++i) {
            const double figure = figures[i];
            row.push_back({std::isnan(figure) ? "-"
                           : i < times        ? human_time(figure)
                           : i == times       ? human_count(figure)
                                              : megabytes(figure),
                           style});
        }
    }

    std::string notes() {
        for (std::size_t i = 0; i < document_.results.size(); ++i)
            if (const TestResult& result = document_.results[i]; result.failure)
                note("failed", Style::red, names_.of(i) + ": " + *result.failure);
        for (std::size_t i = 0; i < document_.results.size(); ++i) {
            const TestResult& result = document_.results[i];
            for (Direction direction : {Direction::one_way, Direction::round_trip})
                if (const auto& measured = measured_in(result, direction))
                    add_notes(fmt::format("{} of {}", direction_name(direction), names_.of(i)), result, *measured);
        }
        for (const std::string& words : grouped_warnings(document_, names_))
            note("warning", Style::yellow, words);
        if (percentiles_.asked > percentiles_.shown.size())
            note("percentiles", Style::faint,
                 fmt::format("{} of the {} that were asked for; the document (-o) has all", percentiles_.shown.size(),
                             percentiles_.asked));
        if (const auto& server = document_.server_system)
            note("machines", Style::faint,
                 fmt::format("the client on {}, the server on {}, connected to {}", machine_text(document_.system),
                             machine_text(*server), document_.control_address.value_or("it")));
        if (document_.interrupted)
            note("interrupted", Style::yellow, "the results are of what was measured until then");
        return notes_.empty() ? "" : "\n" + notes_;
    }

    // What the run has a warning for, with cause and remedy, is not said twice.
    void add_notes(const std::string& name, const TestResult& result, const DirectionResult& measured) {
        const auto warned = [&](const std::string& code) {
            return std::any_of(result.warnings.begin(), result.warnings.end(), [&](const Warning& warning) {
                return warning.code == code &&
                       warning.direction.value_or(measured.latency.direction) == measured.latency.direction;
            });
        };
        if (measured.partial)
            note("partial", Style::yellow,
                 name + ": it ended before its time; the figures are of what came until then");
        const Delivery& d = measured.delivery;
        if (d.lost + d.duplicated + d.reordered + d.corrupted != 0 && !warned("sequence"))
            note("delivery", Style::yellow,
                 fmt::format("{}: of {} messages {} lost, {} duplicated, {} reordered, {} corrupted", name, d.sent,
                             d.lost, d.duplicated, d.reordered, d.corrupted));
        for (const AuditCheck& check : measured.audit)
            if (check.verdict == CheckVerdict::suspicious && !warned(check.id))
                note("audit", Style::yellow,
                     fmt::format("{}: {} is {:.4g}, expected {}", name, check.id, check.value, check.expectation));
        if (measured.streaming_dropped != 0 && !warned("streaming-dropped"))
            note("streaming", Style::yellow,
                 fmt::format("{}: {} samples did not fit the streaming output; a send delay or a rate makes room", name,
                             measured.streaming_dropped));
    }

    // Each note once, however many tests it is about.
    void note(std::string_view kind, Style style, const std::string& words) {
        const std::string text = paragraph(fmt::format("{}:", kind), words, style, colour_);
        if (notes_.find(text) == std::string::npos)
            notes_ += text;
    }

    const ResultDocument& document_;
    Colour colour_;
    TestNames names_;
    std::vector<TestColumn> varying_;
    Percentiles percentiles_;
    std::string notes_;
};

} // namespace

Colour colour_of(int descriptor) {
    const char* no_colour = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    const bool refused = no_colour != nullptr && *no_colour != '\0';
    const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
    return !refused && !dumb && ::isatty(descriptor) == 1 ? Colour::ansi : Colour::none;
}

std::string console_table(const ResultDocument& document, Colour colour) {
    return document.results.empty() ? "" : Console(document, colour).text();
}

} // namespace ipcmark::host

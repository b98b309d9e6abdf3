// SPDX-License-Identifier: Apache-2.0
#include "host/console_table.hpp"

#include "host/text_table.hpp"
#include "result/wait_policy_names.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::host {

namespace {

std::string mechanism_of(const TestResult& result) {
    return result.module.id.empty() ? result.plan.mechanism : result.module.id;
}

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

// What tells one test of a run from another; a column only where it is not the same in all of them.
struct Varying {
    const char* heading;
    Align align;
    std::string (*value)(const TestResult&);
};

constexpr Varying varying_columns[] = {
    {"options", Align::left, given_options},
    {"conc", Align::right, [](const TestResult& r) { return std::to_string(r.plan.concurrency); }},
    {"mode", Align::left,
     [](const TestResult& r) { return std::string(r.plan.mode == Mode::blocking ? "blocking" : "async"); }},
    {"wait", Align::left, [](const TestResult& r) { return std::string(wait_policy_name(r.plan.wait)); }},
    {"access", Align::left,
     [](const TestResult& r) { return std::string(r.plan.access == Access::direct ? "direct" : "copy"); }},
    {"rate", Align::right,
     [](const TestResult& r) {
         return r.plan.rate_per_second ? human_count(*r.plan.rate_per_second) + "/s" : std::string("max");
     }},
    {"delay", Align::right,
     [](const TestResult& r) { return human_time(static_cast<double>(r.plan.send_delay.count())); }},
    {"window", Align::right, [](const TestResult& r) { return std::to_string(r.plan.window); }},
    {"batch", Align::right, [](const TestResult& r) { return std::to_string(r.plan.batch); }},
    {"cpus", Align::left, cpus_of},
    {"#", Align::right, [](const TestResult& r) { return std::to_string(r.plan.repeat_index + 1); }},
};

std::vector<Varying> columns_that_vary(const ResultDocument& document) {
    std::vector<Varying> columns;
    for (const Varying& column : varying_columns) {
        const std::string first = column.value(document.results.front());
        if (std::any_of(document.results.begin(), document.results.end(),
                        [&](const TestResult& result) { return column.value(result) != first; }))
            columns.push_back(column);
    }
    return columns;
}

const std::optional<DirectionResult>& result_of(const TestResult& result, Direction direction) {
    return direction == Direction::one_way ? result.one_way : result.round_trip;
}

// 10^6 bytes a second, without a unit.
std::string megabytes(double bytes_per_second) {
    const double mb = bytes_per_second / 1e6;
    return mb >= 999.5 ? fmt::format("{:.0f}", mb) : human_count(mb);
}

std::string short_name(const TestResult& result) {
    return fmt::format("{}, {}", mechanism_of(result), human_size(result.plan.message_size_bytes));
}

bool has_problem(const DirectionResult& measured) {
    const Delivery& delivery = measured.delivery;
    return measured.partial || delivery.lost + delivery.duplicated + delivery.corrupted != 0 ||
           std::any_of(measured.audit.begin(), measured.audit.end(),
                       [](const AuditCheck& check) { return check.verdict == CheckVerdict::suspicious; });
}

class Console {
public:
    Console(const ResultDocument& document, Colour colour) : document_(document), colour_(colour) {}

    std::string text() { return table() + notes(); }

private:
    std::string table() {
        const std::vector<Varying> varying = columns_that_vary(document_);
        TextTable table;
        table.add_column("mechanism", Align::left);
        table.add_column("direction", Align::left);
        table.add_column("size", Align::right);
        for (const Varying& column : varying)
            table.add_column(column.heading, column.align);
        for (const char* heading : {"p50", "p99", "p99.9", "max", "msg/s", "MB/s"})
            table.add_column(heading, Align::right);
        table.add_column("", Align::left); // a mark beside figures with a note
        for (const TestResult& result : document_.results) {
            const auto begin_row = [&](const char* direction) {
                std::vector<Cell> row{
                    {mechanism_of(result)}, {direction}, {human_size(result.plan.message_size_bytes)}};
                for (const Varying& column : varying)
                    row.push_back({column.value(result)});
                return row;
            };
            bool any = false;
            for (Direction direction : {Direction::one_way, Direction::round_trip}) {
                const auto& measured = result_of(result, direction);
                if (!measured)
                    continue;
                any = true;
                std::vector<Cell> row = begin_row(direction_name(direction));
                add_figures(row, *measured);
                table.add_row(std::move(row));
            }
            if (result.failure || !any) {
                std::vector<Cell> row = begin_row("");
                row.push_back({result.failure ? "FAILED" : "not run", Style::red});
                table.add_row(std::move(row));
            }
        }
        return table.text(colour_);
    }

    static void add_figures(std::vector<Cell>& row, const DirectionResult& measured) {
        const Histogram& histogram = measured.latency.histogram;
        const Style style = has_problem(measured) ? Style::yellow : Style::plain;
        for (double percentile : {50.0, 99.0, 99.9})
            row.push_back(
                {histogram.empty() ? "-" : human_time(static_cast<double>(histogram.percentile_ns(percentile))),
                 style});
        row.push_back({histogram.empty() ? "-" : human_time(static_cast<double>(histogram.max_ns())), style});
        row.push_back({human_count(measured.throughput.messages_per_second), style});
        row.push_back({megabytes(measured.throughput.bytes_per_second), style});
        row.push_back({has_problem(measured) ? "!" : "", style});
    }

    std::string notes() {
        for (const TestResult& result : document_.results)
            if (result.failure)
                note("failed", Style::red, short_name(result) + ": " + *result.failure);
        for (const TestResult& result : document_.results) {
            const std::string name = short_name(result);
            for (Direction direction : {Direction::one_way, Direction::round_trip})
                if (const auto& measured = result_of(result, direction))
                    add_notes(fmt::format("{} {}", name, direction_name(direction)), result, *measured);
            for (const Warning& warning : result.warnings)
                add(name, warning);
        }
        for (const Warning& warning : document_.warnings)
            add("", warning);
        for (const GroupedWarning& group : grouped_)
            note(group);
        if (document_.interrupted)
            note("interrupted", Style::yellow, "the results are of what was measured until then");
        return notes_.empty() ? "" : "\n" + notes_;
    }

    // What the run has a warning for, with cause and remedy, is not said twice.
    void add_notes(const std::string& name, const TestResult& result, const DirectionResult& measured) {
        const auto warned = [&](const std::string& code) {
            return std::any_of(result.warnings.begin(), result.warnings.end(),
                               [&](const Warning& warning) { return warning.code == code; });
        };
        if (measured.partial)
            note("partial", Style::yellow,
                 name + ": it ended before its time; the figures are of what came until then");
        const Delivery& d = measured.delivery;
        if (d.lost + d.duplicated + d.reordered + d.corrupted != 0)
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

    // A warning that several tests have is said once, of the first, with the names of the others.
    struct GroupedWarning {
        Warning first;
        std::vector<std::string> names;
    };

    void add(const std::string& name, const Warning& warning) {
        auto group = std::find_if(grouped_.begin(), grouped_.end(), [&](const GroupedWarning& known) {
            return known.first.code == warning.code && known.first.remedy == warning.remedy;
        });
        if (group == grouped_.end())
            group = grouped_.insert(grouped_.end(), {warning, {}});
        if (std::find(group->names.begin(), group->names.end(), name) == group->names.end())
            group->names.push_back(name);
    }

    void note(const GroupedWarning& group) {
        constexpr std::size_t names_shown = 3;
        std::string words;
        const std::size_t shown = std::min(group.names.size(), names_shown);
        words +=
            fmt::format("{}", fmt::join(group.names.begin(), group.names.begin() + static_cast<long>(shown), "; "));
        if (group.names.size() > shown)
            words += fmt::format(" and {} more", group.names.size() - shown);
        words += (words.empty() ? "" : ": ") + group.first.cause;
        if (!group.first.remedy.empty())
            words += "; " + group.first.remedy;
        note("warning", Style::yellow, words);
    }

    // Each note once, however many tests it is about.
    void note(std::string_view kind, Style style, const std::string& words) {
        const std::string text = paragraph(fmt::format("{}:", kind), words, style, colour_);
        if (notes_.find(text) == std::string::npos)
            notes_ += text;
    }

    const ResultDocument& document_;
    Colour colour_;
    std::string notes_;
    std::vector<GroupedWarning> grouped_;
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

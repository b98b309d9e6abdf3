// SPDX-License-Identifier: Apache-2.0
#include "result/csv_text.hpp"
#include "result/option_size.hpp"
#include "result/summary.hpp"
#include "result/tables.hpp"
#include "result/test_parts.hpp"
#include "result/valid_utf8.hpp"

#include <ipcmark/result.hpp>

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace ipcmark {

using result::csv_cell;

namespace {

template <class Enumeration> std::string_view name_of(Enumeration value) {
    for (const auto& [candidate, name] : result::Names<Enumeration>::names)
        if (candidate == value)
            return name;
    return "";
}

std::string cpu_list(const std::vector<int>& cpus) {
    return fmt::format("{}", fmt::join(cpus, " "));
}

// New ones are appended: readers count columns.
constexpr std::string_view headings =
    "mechanism,module,direction,message_size,concurrency,mode,wait_policy,access,window,batch,rate_per_second,"
    "send_delay_ns,server_cpus,client_cpus,repeat_index,status,partial,total_messages,duration_ns,messages_per_second,"
    "bytes_per_second,min_ns,mean_ns,p50_ns,p95_ns,p99_ns,p999_ns,max_ns,std_dev_ns,lost,failure_reason,"
    "options,spin_ns,buffer_size,message_count,asked_duration_ns,warmup_messages,timestamp,sent,received,duplicated,"
    "reordered,corrupted,warnings\n";

// The columns up to `partial`, which is left to the caller with those after it.
std::string configuration(const TestResult& r, std::optional<Direction> direction) {
    const TestPlan& plan = r.plan;
    const unsigned window = direction ? plan.window_of(*direction) : plan.window;
    const unsigned batch = direction ? plan.batch_of(*direction) : plan.batch;
    return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},",
                       csv_cell(r.module.result_name.empty() ? plan.mechanism : r.module.result_name),
                       csv_cell(result::mechanism_of(r)), direction ? name_of(*direction) : "", plan.message_size_bytes,
                       plan.concurrency, name_of(plan.mode), name_of(plan.wait), name_of(plan.access), window, batch,
                       plan.rate_per_second ? fmt::format("{}", *plan.rate_per_second) : "", plan.send_delay.count(),
                       cpu_list(plan.server_cpus), cpu_list(plan.client_cpus), plan.repeat_index,
                       r.failure ? "Failure" : "Success");
}

// "nodelay=true;node=/a\\;b": the options that were given.
std::string options_of(const TestResult& r) {
    std::string text;
    const auto add = [&](const std::string& name, const std::string& value) {
        text += fmt::format("{}{}=", text.empty() ? "" : ";", name);
        for (const char c : value)
            text += c == ';' || c == '\\' ? std::string{'\\', c} : std::string{c};
    };
    if (r.options.empty()) // the test did not come so far
        for (const auto& [name, value] : r.plan.options)
            add(name, value);
    for (const OptionValue& option : r.options)
        if (option.given)
            add(option.name, option.value);
    return text;
}

// Codes of what a reader of this direction's figures must know, suspicious checks included.
std::string warnings_of(const TestResult& r, const DirectionResult* measured, std::optional<Direction> direction) {
    std::set<std::string> codes;
    for (const Warning& warning : r.warnings)
        if (!warning.direction || warning.direction == direction)
            codes.insert(warning.code);
    if (measured != nullptr)
        for (const AuditCheck& check : measured->audit)
            if (check.verdict == CheckVerdict::suspicious)
                codes.insert(check.id);
    return fmt::format("{}", fmt::join(codes, ";"));
}

// The columns after `failure_reason`.
std::string more(const TestResult& r, const DirectionResult* measured, std::optional<Direction> direction) {
    const TestPlan& plan = r.plan;
    std::string delivery = ",,,,";
    if (measured != nullptr) {
        const Delivery& d = measured->delivery;
        delivery = fmt::format("{},{},{},{},{}", d.sent, d.received, d.duplicated, d.reordered, d.corrupted);
    }
    return fmt::format(",{},{},{},{},{},{},{},{},{}\n", csv_cell(options_of(r)),
                       plan.wait == WaitPolicy::adaptive ? std::to_string(plan.spin.count()) : "",
                       result::buffer_size_bytes(r),
                       plan.message_count && !plan.duration ? std::to_string(*plan.message_count) : "",
                       plan.duration ? std::to_string(plan.duration->count()) : "", plan.warmup_messages,
                       csv_cell(measured != nullptr ? measured->timestamp : r.timestamp), delivery,
                       csv_cell(warnings_of(r, measured, direction)));
}

} // namespace

std::string to_csv(const ResultDocument& document) {
    std::string text(headings);
    for (const TestResult& r : document.results) {
        const std::string reason = csv_cell(r.failure.value_or(""));
        for (Direction direction : {Direction::one_way, Direction::round_trip}) {
            const auto& measured = result::measured_in(r, direction);
            if (!measured)
                continue;
            const result::DirectionSummary s = result::summarize(*measured, direction);
            text += configuration(r, direction) +
                    fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}", measured->partial, s.messages,
                                measured->throughput.duration_ns, s.messages_per_second, s.average_bytes_per_second,
                                s.min_ns, s.mean_ns, s.p50_ns, s.p95_ns, s.p99_ns, s.p999_ns, s.max_ns,
                                measured->latency.histogram.std_dev_ns(), measured->delivery.lost, reason) +
                    more(r, &*measured, direction);
        }
        if (!r.one_way && !r.round_trip)
            text += configuration(r, std::nullopt) + "false,0,,,,,,,,,,,,," + reason + more(r, nullptr, std::nullopt);
    }
    return result::valid_utf8(text);
}

} // namespace ipcmark

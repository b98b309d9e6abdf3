// SPDX-License-Identifier: Apache-2.0
#include "host/execute_run.hpp"

#include "host/console_table.hpp"
#include "host/interrupt.hpp"
#include "host/log.hpp"
#include "host/progress.hpp"
#include "host/several_mechanisms.hpp"
#include "host/standard_output.hpp"
#include "host/verbs.hpp"
#include "result/descriptor_path.hpp"
#include "result/output_file.hpp"

#include <ipcmark/module.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::host {

namespace {

std::vector<std::filesystem::path> output_paths(const RunRequest& request) {
    std::vector<std::filesystem::path> paths;
    for (const auto& path : {request.output_file, request.csv, request.hdr_log, request.plan.streaming.json,
                             request.plan.streaming.csv, request.plan.streaming.ndjson})
        if (path)
            paths.push_back(*path);
    return paths;
}

// So that an hour's work is not lost to a typing error.
void check_outputs(const RunRequest& request) {
    for (const auto& path : output_paths(request))
        if (path != standard_output_path)
            check_output(path);
}

bool is_standard_output(const std::filesystem::path& path) {
    if (path == standard_output_path)
        return true;
    const auto named = descriptor_path(path);
    return named && named->own && named->number == STDOUT_FILENO;
}

// Then the table would be in the middle of it.
bool uses_standard_output(const RunRequest& request) {
    const auto paths = output_paths(request);
    return std::any_of(paths.begin(), paths.end(), is_standard_output);
}

// All that can be written are; then throws the first RunError.
void write_outputs(const RunRequest& request, const ResultDocument& document) {
    std::exception_ptr first;
    const auto write = [&](const std::optional<std::filesystem::path>& path, const auto& make_text) {
        if (!path)
            return;
        try {
            if (path == standard_output_path)
                print(make_text());
            else
                write_output(*path, make_text());
        } catch (const RunError&) {
            if (!first)
                first = std::current_exception();
        }
    };
    write(request.output_file, [&] { return to_json(document, request.schema); });
    write(request.csv, [&] { return to_csv(document); });
    write(request.hdr_log, [&] { return to_hdr_log(document); });
    if (first)
        std::rethrow_exception(first);
}

// "written: r.json, r.csv", or nothing.
std::string written_files(const RunRequest& request, const ResultDocument& document) {
    const auto failed = [&](const std::filesystem::path& path) {
        return std::any_of(document.streaming_failures.begin(), document.streaming_failures.end(),
                           [&](const OutputFailure& failure) { return failure.path == path; });
    };
    std::string names;
    for (const auto& path : output_paths(request))
        if (!failed(path))
            names += (names.empty() ? "\nwritten: " : ", ") + path.string();
    return names.empty() ? names : names + "\n";
}

// On a terminal the table has just said what failed; a script reads standard error.
bool table_says_it(bool table_printed) {
    return table_printed && ::isatty(STDOUT_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
}

void report(const TestResult& result, const std::string& text, int level, Log& log) {
    log.write(level, fmt::format("{}, {} bytes: {}", result.plan.mechanism, result.plan.message_size_bytes, text));
}

void report_failures(const ResultDocument& document, Log& log) {
    for (const auto& result : document.results)
        if (result.failure)
            report(result, *result.failure, IPCMARK_LOG_ERROR, log);
}

// What is wrong with a test of a suite says where that test is; of one of several mechanisms, how to do without.
ResultDocument measured(const RunRequest& request, Observer& observer, std::stop_token stop) {
    try {
        return request.role == Role::connect
                   ? connect(request.plan, *request.address, request.retry, observer, std::move(stop))
                   : run(request.plan, observer, std::move(stop));
    } catch (const TestUsageError& error) {
        const auto place = request.places.empty() ? "" : request.places.at(error.test()) + ": ";
        throw UsageError(place + error.what() +
                         several_mechanisms_hint(request.plan, error, module_lookup(request.plan.modules)));
    }
}

// Rows that are not in a file of samples, as nothing in the file itself shows it, and what the modules had to say.
void report_warnings(const ResultDocument& document, Log& log) {
    for (const TestResult& result : document.results)
        for (const Warning& warning : result.warnings)
            if (warning.code == "streaming-dropped")
                report(result, fmt::format("{}; {}", warning.cause, warning.remedy), IPCMARK_LOG_ERROR, log);
            else if (warning.code == "module-warning")
                report(result, warning.cause, IPCMARK_LOG_WARNING, log);
}

} // namespace

int execute_run(Program program, const RunRequest& request) {
    check_outputs(request);
    Log log(program_name(program), request.log_file, request.verbosity, request.quiet ? Quiet::yes : Quiet::no);
    for (const auto& note : request.notes)
        log.write(IPCMARK_LOG_WARNING, note);

    ProgressObserver observer(log, terminal_for_progress() && !request.quiet ? ShowProgress::yes : ShowProgress::no);
    Interrupt interrupt;
    const auto document = measured(request, observer, interrupt.token());
    observer.clear();

    const bool print_table = !request.quiet && !uses_standard_output(request);
    if (print_table) {
        print(console_table(document, colour_of(STDOUT_FILENO)));
        flush_standard_output(); // before what standard error has to say
    }
    if (!table_says_it(print_table)) {
        report_failures(document, log);
        report_warnings(document, log);
    }
    write_outputs(request, document);
    if (print_table)
        print(written_files(request, document));
    if (interrupt.signal() != 0)
        return exit_by_signal(interrupt.signal());
    if (!document.streaming_failures.empty() || log.broken())
        return exit_failed; // why has been said
    const bool failed = std::any_of(document.results.begin(), document.results.end(),
                                    [](const TestResult& result) { return result.failure.has_value(); });
    return failed && request.plan.on_error == OnError::stop ? exit_failed : exit_ok;
}

} // namespace ipcmark::host

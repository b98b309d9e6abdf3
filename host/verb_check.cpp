// SPDX-License-Identifier: Apache-2.0
#include "host/check/child.hpp"
#include "host/check/context.hpp"
#include "host/check/report.hpp"
#include "host/check/runner.hpp"
#include "host/option_values.hpp"
#include "host/printable.hpp"
#include "host/run_options.hpp"
#include "host/standard_output.hpp"
#include "host/text_table.hpp"
#include "host/verbs.hpp"
#include "module/elf_file.hpp"
#include "module/trust.hpp"
#include "result/output_file.hpp"

#include <ipcmark/modules.hpp>
#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::host {
namespace {

Grammar grammar() {
    Grammar grammar;
    grammar.command = "ipcmark check";
    grammar.usage = "MODULE [options]";
    grammar.description = "Check whether a module keeps the contract of ipcmark/module.h. Every test runs in processes "
                          "of its own. Exit code 0: it does; 1: it does not; 2: the call was wrong.";
    grammar.positionals = {{"MODULE", "The file, or an id (see 'ipcmark list'). Write it before the options."}};
    grammar.options = {
        {"--list", "", Arity::flag, "Tests", "Print the tests and what each proves; needs no MODULE.", ""},
        {"--only", "ID", Arity::many, "Tests",
         "Only these tests, by id; * and ? stand for others: 'interrupt.*', '*@spin'.", ""},
        {"--wait", "POLICY", Arity::many, "Tests",
         "Run the tests that depend on it with these wait policies: block, spin, adaptive (default: all three).", ""},
        {"--timeout", "TIME", Arity::one, "Tests",
         "Give each test this long in all. By itself a test has 60s (few have 20s or 180s; three times that with the "
         "wait policy spin) from the last call that returned, and ten times that in all. A call that is watched and "
         "does not return fails its test after a third of the limit, 2s to 15s.",
         ""},
        {"--stop-at-first", "", Arity::flag, "Tests",
         "End after the first test that fails, and say how many were not run.", ""},
        {"--in-process", "", Arity::flag, "Tests",
         "Run the tests in this process, for a debugger; a crash or a hang is then this program's own.", ""},
        {"-O,--module-option", "NAME=VALUE", Arity::many, "Module", "Set an option of the module.", ""},
        {"-q,--quiet", "", Arity::flag, "Output", "Print failures and the summary only.", ""},
        {"--json", "", Arity::flag, "Output", "Print JSON instead of text.", ""},
        {"--junit", "FILE", Arity::one, "Output", "Write a JUnit report as well.", ""},
    };
    const auto search = module_search_options();
    grammar.options.insert(grammar.options.end(), search.begin(), search.end());
    grammar.options.push_back(help_option());
    return grammar;
}

// A file of that name, else the module of that id.
std::filesystem::path module_path(const std::string& text, const ModuleSearch& search) {
    std::error_code error;
    if (std::filesystem::is_regular_file(text, error)) {
        // As given, links and all, and before any test: some of them load the file by themselves.
        const auto path = std::filesystem::absolute(text);
        if (const auto reason = reason_for_distrust(path, group_rule_of(path))) {
            throw UsageError(fmt::format("module {} {}", text, *reason));
        }
        return std::filesystem::canonical(path);
    }
    if (text.find('/') != std::string::npos) {
        throw UsageError(fmt::format("there is no file '{}'", text));
    }
    return std::filesystem::canonical(find_module(search, text).path);
}

// What is no shared object for this machine would fail every test, and say nothing about the contract.
void check_file(const std::filesystem::path& path) {
    try {
        const ElfFile file(path);
    } catch (const ElfError& error) {
        throw UsageError(fmt::format("'{}' {}; give a module, the shared object that its build has made", path.string(),
                                     error.what()));
    }
}

check::Request request_of(const Arguments& arguments) {
    check::Request request;
    request.only = arguments.list("only");
    const auto read = [&](const std::string& name, const auto& set) {
        if (!arguments.has(name)) {
            return;
        }
        try {
            set(arguments.values.at(name));
        } catch (const UsageError& error) {
            throw UsageError(fmt::format("--{} {}", name, error.what()));
        }
    };
    read("module-option", [&](const Values& values) {
        for (const auto& text : values) {
            auto [name, value] = parse_assignment(text, "NAME=VALUE");
            request.options[name] = std::move(value);
        }
    });
    read("wait", [&](const Values& values) { request.waits = each<WaitPolicy>(values, parse_wait_policy); });
    read("timeout", [&](const Values& values) { request.test_timeout = more_than_zero(values.front()); });
    request.in_process = arguments.flag("in-process");
    request.stop_at_first = arguments.flag("stop-at-first");
    return request;
}

// As a person gets to see it: the reason may have the module's words, the output is all its own.
check::CaseResult shown(check::CaseResult result) {
    result.reason = printable(result.reason, Lines::several);
    result.output = printable(result.output, Lines::several);
    return result;
}

int print_list(const check::Request& request, bool as_json, Colour colour) {
    const auto cases = check::selected_cases(request);
    print(as_json ? check::list_json_text(cases) : check::list_text(cases, colour));
    return exit_ok;
}

} // namespace

int verb_check(const Invocation& invocation) {
    const auto& words = invocation.arguments;
    if (words.size() == 2 && words[0] == "--child") {
        // What the program ignores for its own output a module must not be spared.
        ::signal(SIGPIPE, SIG_DFL);
        return check::run_child(check::parse_role(words[1]));
    }
    auto form = grammar();
    form.needs_positionals = std::find(words.begin(), words.end(), "--list") == words.end();
    const auto arguments = parse_command_line(form, words);
    if (arguments.help) {
        print(help_text(grammar()));
        return exit_ok;
    }
    auto request = request_of(arguments);
    const auto colour = colour_of(STDOUT_FILENO);
    const bool as_json = arguments.flag("json");
    if (arguments.flag("list")) {
        return print_list(request, as_json, colour);
    }
    request.module = module_path(arguments.positionals.front(), module_search_of(arguments));
    check_file(request.module);
    const auto cases = check::selected_cases(request);
    if (arguments.has("junit")) {
        check_output(arguments.values.at("junit").front());
    }
    check::Report report;
    const bool quiet = arguments.flag("quiet");
    bool said_not_loaded = false;                      // by one test for all of them
    std::map<std::string, check::CaseResult> failures; // the first one of each reason
    const auto first_with_reason = [&](const check::CaseResult& result) {
        const auto [first, is_new] = failures.try_emplace(result.reason, result);
        return is_new ? nullptr : &first->second;
    };
    check::run_cases(request, cases, [&](const check::CaseResult& result) {
        report.results.push_back(result);
        const bool good = !check::is_failure(result.outcome);
        const bool repeats = result.reason.starts_with(check::not_loaded) && std::exchange(said_not_loaded, true);
        if (!as_json && !(quiet && good) && !repeats) {
            const auto* same = good ? nullptr : first_with_reason(result);
            print(check::result_text(shown(result), same, colour));
            flush_standard_output();
        }
    });
    report.not_run.assign(cases.begin() + static_cast<std::ptrdiff_t>(report.results.size()), cases.end());
    if (said_not_loaded && !as_json && !quiet) {
        print(paragraph("skip    ", "all others that need a module that can be loaded", Style::yellow, colour));
    }
    if (as_json) {
        print(check::json_text(request, report));
    } else {
        check::Report texts;
        texts.not_run = report.not_run;
        std::transform(report.results.begin(), report.results.end(), std::back_inserter(texts.results), shown);
        print(check::summary_text(texts, colour));
    }
    if (arguments.has("junit")) {
        write_output(arguments.values.at("junit").front(), check::junit_text(request, report));
    }
    return check::totals(report.results).failed == 0 ? exit_ok : exit_failed;
}

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#include "host/execute_serve.hpp"
#include "host/run_options.hpp"
#include "host/standard_output.hpp"
#include "host/verbs.hpp"

#include <fmt/format.h>

namespace ipcmark::host {

namespace {

constexpr const char* shared_options[] = {"server-affinity", "module-path", "allow-module", "debug-module",
                                          "log-file",        "quiet",       "verbose"};

Grammar grammar() {
    Grammar grammar;
    grammar.command = "ipcmark serve";
    grammar.usage = "ADDRESS [options]";
    grammar.description = "Be the receiving end of measurements that 'ipcmark connect ADDRESS' asks for, one client "
                          "at a time, until Ctrl-C. Only control messages go to ADDRESS; the transport under test "
                          "makes its own connection. Who connects and says nothing, or stops in the middle, is sent "
                          "away and keeps nobody else waiting for long.";
    grammar.positionals = {
        {"ADDRESS", "tcp:HOST:PORT (IPv6 in brackets), unix:PATH, or unix:@NAME in the abstract namespace."}};
    grammar.options.push_back(
        {"--once", "", Arity::flag, "Run",
         "End when the first client has gone: with 1 where it was lost in the middle of a measurement.", ""});
    for (const auto* name : shared_options)
        grammar.options.push_back(find_run_option(name)->option);
    for (auto& option : grammar.options)
        if (option_key(option) == "verbose")
            option.help = "Log what is done; the steps of a measurement are in the log of its client ('connect -vv').";
    grammar.options.push_back(help_option());
    grammar.footer = "Whoever reaches ADDRESS can make this program run its modules: listen on a loopback address or a "
                     "unix socket wherever that does.";
    return grammar;
}

} // namespace

int verb_serve(const Invocation& invocation) {
    const auto arguments = parse_command_line(grammar(), invocation.arguments);
    if (arguments.help) {
        print(help_text(grammar()));
        return exit_ok;
    }
    RunSettings settings;
    for (const auto* name : shared_options)
        set_option(*find_run_option(name), arguments, settings);
    ServeRequest request;
    request.options.address = parse_control_address(arguments.positionals.front());
    request.options.modules = settings.wide.modules;
    request.options.server_cpus = settings.test.server_cpus.value_or(std::vector<int>{});
    request.options.once = arguments.flag("once");
    request.log_file = settings.wide.log_file;
    request.quiet = settings.wide.quiet;
    request.verbosity = settings.wide.verbosity;
    return execute_serve(request);
}

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#include "host/execute_run.hpp"
#include "host/standard_output.hpp"
#include "host/verbs.hpp"

#include <fmt/format.h>

namespace ipcmark::host {

int verb_connect(const Invocation& invocation) {
    // The address comes first, since an option with many values would take it for one of them.
    auto arguments = invocation.arguments;
    std::string address;
    if (!arguments.empty() && !arguments.front().starts_with('-')) {
        address = arguments.front();
        arguments.erase(arguments.begin());
    }
    auto request = parse_run_arguments(invocation.program, RunVerb::connect, arguments, module_lookup);
    if (request.help) {
        print(help_text(run_grammar(invocation.program, RunVerb::connect)));
        return exit_ok;
    }
    if (address.empty())
        throw UsageError("ADDRESS is missing; write it before the options: ipcmark connect ADDRESS [options]");
    request.address = parse_control_address(address);
    request.plan.command_line = invocation.command_line;
    return execute_run(invocation.program, request);
}

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#include "config.h"
#include "host/execute_run.hpp"
#include "host/execute_serve.hpp"
#include "host/standard_output.hpp"
#include "host/verbs.hpp"

#include <fmt/format.h>

namespace ipcmark::host {

int verb_run(const Invocation& invocation) {
    auto request = parse_run_arguments(invocation.program, RunVerb::run, invocation.arguments, module_lookup);
    if (request.help) {
        print(help_text(run_grammar(invocation.program, RunVerb::run)));
        return exit_ok;
    }
    if (request.version) {
        print(fmt::format("{} {}\n", program_name(invocation.program), IPCMARK_VERSION));
        return exit_ok;
    }
    request.plan.command_line = invocation.command_line;
    if (request.role == Role::serve)
        return execute_serve(serve_request_of(request));
    return execute_run(invocation.program, request);
}

} // namespace ipcmark::host

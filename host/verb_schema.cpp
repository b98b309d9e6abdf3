// SPDX-License-Identifier: Apache-2.0
#include "host/run_options.hpp"
#include "host/standard_output.hpp"
#include "host/verbs.hpp"

#include <ipcmark/result.hpp>

#include <fmt/format.h>

namespace ipcmark::host {

int verb_schema(const Invocation& invocation) {
    Grammar grammar;
    grammar.command = "ipcmark schema";
    grammar.usage = "[options]";
    grammar.description = "Print the JSON Schema (draft 2020-12) of the result document.";
    const auto& schema_option = *find_run_option("schema");
    grammar.options = {schema_option.option, help_option()};
    grammar.options.front().help = "Which one: ipcmark (the default) or rusty-comms.";
    const auto arguments = parse_command_line(grammar, invocation.arguments);
    if (arguments.help) {
        print(help_text(grammar));
        return exit_ok;
    }
    RunSettings settings;
    set_option(schema_option, arguments, settings);
    print(json_schema(settings.wide.schema.value_or(Schema::ipcmark)));
    return exit_ok;
}

} // namespace ipcmark::host

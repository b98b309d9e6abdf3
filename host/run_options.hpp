// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/command_line.hpp"
#include "host/run_settings.hpp"

#include <span>
#include <string>
#include <vector>

namespace ipcmark::host {

enum class OptionScope {
    test,       // about a test: on the command line, in a suite, in a test of a suite
    run,        // about the whole run: on the command line and at the top of a suite
    invocation, // on the command line only
};

// An option of `run` with what it does. The values are as written; lists are not yet split. `set` throws UsageError
// that begins with the faulty text in quotes.
struct RunOption {
    Option option;
    OptionScope scope = OptionScope::test;
    void (*set)(RunSettings& settings, const std::vector<std::string>& values) = nullptr;
};

// Those that `run`, `connect` and ipc-benchmark share.
[[nodiscard]] std::span<const RunOption> run_options();

// By any of its long names; '_' stands for '-'. nullptr if there is none.
[[nodiscard]] const RunOption* find_run_option(std::string name);

// Does what the arguments say with that option, if anything. Throws UsageError that begins with its name.
void set_option(const RunOption& option, const Arguments& arguments, RunSettings& settings);

// --module-path and --allow-module, for the verbs that only look at modules.
[[nodiscard]] std::vector<Option> module_search_options();
[[nodiscard]] ModuleSearch module_search_of(const Arguments& arguments);

} // namespace ipcmark::host

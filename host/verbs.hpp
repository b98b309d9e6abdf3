// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/run_request.hpp"

#include <span>
#include <string>
#include <vector>

namespace ipcmark::host {

// How the program was called, for a verb.
struct Invocation {
    Program program = Program::ipcmark;
    std::vector<std::string> arguments;    // after the verb
    std::vector<std::string> command_line; // all, for the result document
};

// A verb returns the exit code. UsageError, RunError and other exceptions are printed by main, as one line.
struct Verb {
    const char* name;
    const char* summary; // one line, for 'ipcmark --help'
    int (*call)(const Invocation& invocation);
};

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

// In the order of the help; the first is the default.
[[nodiscard]] std::span<const Verb> verbs();

int verb_run(const Invocation& invocation);
int verb_list(const Invocation& invocation);
int verb_inspect(const Invocation& invocation);
int verb_check(const Invocation& invocation);
int verb_new_module(const Invocation& invocation);
int verb_serve(const Invocation& invocation);
int verb_connect(const Invocation& invocation);
int verb_compare(const Invocation& invocation);
int verb_schema(const Invocation& invocation);

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/command_line.hpp"
#include "host/test_matrix.hpp"

#include <ipcmark/plan.hpp>
#include <ipcmark/result.hpp>
#include <ipcmark/run.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ipcmark::host {

// The name that the program was called by decides defaults and which options there are.
enum class Program {
    ipcmark,
    ipc_benchmark, // the drop-in for rusty-comms
};
[[nodiscard]] constexpr const char* program_name(Program program) {
    return program == Program::ipc_benchmark ? "ipc-benchmark" : "ipcmark";
}

// In place of an output file.
inline constexpr const char* standard_output_path = "-";

enum class Role {
    local,   // both sides here: run
    connect, // the server side is in a serve elsewhere
    serve,   // the drop-in's --server
};

// What the arguments of run, connect or ipc-benchmark ask for.
struct RunRequest {
    bool help = false;    // print help_text(run_grammar(...)); nothing else is set
    bool version = false; // print the version; the same
    Plan plan;
    std::vector<std::string> places; // of each test of the plan, where a suite file has it: "suite.yaml:4"
    Role role = Role::local;
    std::optional<ControlAddress> address;            // of the drop-in's ends; the verb connect takes it apart itself
    std::chrono::nanoseconds retry{0};                // connect: try so long to reach the server
    Schema schema = Schema::ipcmark;                  // of output_file
    std::optional<std::filesystem::path> output_file; // these three: perhaps standard_output_path
    std::optional<std::filesystem::path> csv;
    std::optional<std::filesystem::path> hdr_log;
    std::optional<std::string> log_file; // or "stderr"
    bool quiet = false;
    unsigned verbosity = 0;
    std::vector<std::string> notes; // for standard error: what was understood otherwise than written
};

enum class RunVerb { run, connect };

[[nodiscard]] Grammar run_grammar(Program program, RunVerb verb);

// Reads the suite file that the arguments name, and nothing else; starts nothing but what `lookup` starts. Throws
// UsageError of one line.
[[nodiscard]] RunRequest parse_run_arguments(Program program, RunVerb verb, const std::vector<std::string>& arguments,
                                             const std::function<ModuleLookup(const ModuleSearch&)>& lookup);

} // namespace ipcmark::host

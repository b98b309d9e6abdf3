// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/run_request.hpp"

#include <ipcmark/run.hpp>

#include <sstream>
#include <string>
#include <vector>

// Arguments as in a shell, split at spaces, to the request that they make; modules are not looked for.
inline std::vector<std::string> words(const std::string& line) {
    std::istringstream in(line);
    std::vector<std::string> result;
    for (std::string word; in >> word;)
        result.push_back(word == "''" ? "" : word);
    return result;
}

inline ipcmark::host::ModuleLookup known_modules() {
    return {[](const std::string& mechanism) {
                return mechanism.find('/') == std::string::npos ? mechanism : std::string("pipe");
            },
            [](const std::string& mechanism) -> std::vector<std::string> {
                if (mechanism == "tcp")
                    return {"host", "port", "nodelay"};
                if (mechanism == "pmq")
                    return {"depth", "priority"};
                return {};
            }};
}

inline ipcmark::host::RunRequest request_of(ipcmark::host::Program program, const std::string& line,
                                            ipcmark::host::RunVerb verb = ipcmark::host::RunVerb::run) {
    return ipcmark::host::parse_run_arguments(program, verb, words(line),
                                              [](const ipcmark::ModuleSearch&) { return known_modules(); });
}

inline ipcmark::host::RunRequest run_of(const std::string& line) {
    return request_of(ipcmark::host::Program::ipcmark, line);
}

inline ipcmark::host::RunRequest drop_in_of(const std::string& line) {
    return request_of(ipcmark::host::Program::ipc_benchmark, line);
}

// The message of the UsageError, or "" where there was none.
template <class Make> std::string usage_error(Make make) {
    try {
        make();
    } catch (const ipcmark::UsageError& error) {
        return error.what();
    }
    return "";
}

inline std::string run_error(const std::string& line) {
    return usage_error([&] { return run_of(line); });
}

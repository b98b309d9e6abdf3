// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/run_settings.hpp"

#include <ipcmark/plan.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ipcmark::host {

// What a matrix must know of a mechanism beyond its name; the real ones come from the module's file.
struct ModuleLookup {
    // The id of the module that a mechanism names: itself, or what is in the file where it is a path.
    std::function<std::string(const std::string& mechanism)> id;
    // The names of its options. Starts a process: called only where a setting depends on them.
    std::function<std::vector<std::string>(const std::string& mechanism)> option_names;
};
[[nodiscard]] ModuleLookup module_lookup(const ModuleSearch& search);

// Options that some mechanism or direction of the plan must take; those left over at the end were meant for none.
struct OptionUse {
    std::map<std::string, std::string> asked; // "--port", and for which directions it is, empty where for mechanisms
    std::set<std::string> used;
    std::set<std::string> mechanisms;
};

// Far more than anyone waits for; a slip of the finger should not fill the memory.
inline constexpr unsigned most_tests = 100'000;

struct MatrixDefaults {
    Mode mode = Mode::blocking;
};

// "uds", "all" and strangers; `all` is replaced by uds, shm, tcp, pmq, and none of these is then run twice.
[[nodiscard]] std::vector<std::string> expand_mechanisms(const std::vector<std::string>& asked);

// Every combination: mechanism by mechanism, then by size, concurrency, rate, repeat, so that the lines of a table that
// a reader compares stand together. Throws UsageError for settings that contradict each other.
[[nodiscard]] std::vector<TestPlan> make_tests(const TestSettings& settings, const MatrixDefaults& defaults,
                                               const ModuleLookup& modules, OptionUse& use);

} // namespace ipcmark::host

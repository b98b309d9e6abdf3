// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/run_settings.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace ipcmark::host {

// A suite: run-wide options and defaults at the top, and a list of tests. The keys are the long names of the options of
// `run`, with '-' or '_'.
//
//     size: [64, 1K]
//     output-file: suite.json
//     tests:
//       - mechanism: [uds, shm]
//       - mechanism: tcp
//         module-option: {nodelay: false}
//
// Without `tests` the file is one test: a configuration file.
struct Suite {
    struct Test {
        TestSettings settings;
        std::string where; // "suite.yaml:4"
    };
    RunSettings top;
    std::vector<Test> tests; // at least one
};

// YAML, of which JSON is a part; flat TOML where the name ends in ".toml". Throws UsageError that begins with the file
// and the line.
[[nodiscard]] Suite read_suite(const std::filesystem::path& file);

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>
#include <ipcmark/run.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace ipcmark {

// What the modules of a run say to the host's log, with their names. Each endpoint of a test may have the same warning:
// it is passed on once in a run, as information, and becomes one of the test's warnings, with its count.
class ModuleLog {
public:
    explicit ModuleLog(Observer& observer) : observer_(observer) {}

    void write(const std::string& module_id, int level, const std::string& text);
    // Those of the test that has ended.
    [[nodiscard]] std::vector<Warning> take_warnings();

private:
    struct Entry {
        std::string line;
        std::uint64_t count;
    };
    Observer& observer_;
    std::vector<Entry> of_test_;
    std::uint64_t others_ = 0; // lines of this test that found no room
    std::set<std::string> told_;
};

} // namespace ipcmark

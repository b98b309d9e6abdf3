// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/text_table.hpp"

#include <ipcmark/document.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// What tells one test of a run from another: in the table as columns, in what is said of a test as its name.
namespace ipcmark::host {

struct TestColumn {
    std::string heading;
    Align align;
    std::function<std::string(const TestResult&)> value;
    std::string words; // a value in a name: "conc {}"
};

inline constexpr std::string_view repeat_heading = "#";

// Those beside mechanism and size that are not the same in all tests. Where two tests are still the same in all of
// them, also their number in the run. For results that are elements of this document only, and no longer than it lives.
[[nodiscard]] std::vector<TestColumn> columns_that_vary(const ResultDocument& document);

// Tests by their index in the document.
using Tests = std::vector<std::size_t>;

class TestNames {
public:
    explicit TestNames(const ResultDocument& document);
    // "uds, 64 B, conc 4": mechanism and size, then what tells it from the others of these two.
    [[nodiscard]] std::string of(std::size_t test) const;
    // "all 6 one-way tests with conc 4", or their names, "one-way of uds, 64 B (conc 1, conc 4); shm, 64 B, conc 1".
    // `among` are those that could be meant; `direction` may be empty. Both lists ascend.
    [[nodiscard]] std::string of(const Tests& tests, const Tests& among, std::string_view direction) const;

private:
    [[nodiscard]] std::string list(const Tests& tests) const;
    [[nodiscard]] std::string shared_value(const Tests& tests, const Tests& among) const;

    std::vector<std::vector<std::string>> parts_; // of each test's name
    // Of each test, the value of every column, as "with conc 4".
    std::vector<std::vector<std::string>> values_;
};

} // namespace ipcmark::host

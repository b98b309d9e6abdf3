// SPDX-License-Identifier: Apache-2.0
#include "host/check/test.hpp"

#include <algorithm>

namespace ipcmark::check {

const std::vector<Test>& all_tests() {
    static const auto tests = [] {
        std::vector<Test> all;
        for (const auto group :
             {loading_tests, options_tests, lifecycle_tests, messages_tests, sizes_tests, duplex_tests,
              concurrency_tests, interrupt_tests, peer_death_tests, waiting_tests, claims_tests, pollfd_tests,
              loan_tests, batch_tests, short_structs_tests, leaks_tests, threads_tests}) {
            const auto of_group = group();
            all.insert(all.end(), of_group.begin(), of_group.end());
        }
        return all;
    }();
    return tests;
}

const Test* find_test(const std::string& id) {
    const auto& tests = all_tests();
    const auto found = std::find_if(tests.begin(), tests.end(), [&](const Test& test) { return id == test.id; });
    return found == tests.end() ? nullptr : &*found;
}

} // namespace ipcmark::check

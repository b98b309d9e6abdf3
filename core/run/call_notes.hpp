// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>
#include <utility>

namespace ipcmark {

// Which function of its module, by its name in the table, a worker calls outside of the measurement: for the word about
// one that does not return.
class CallNotes {
public:
    // tell: is given each name that is not the one before, on the calling thread and before the call.
    explicit CallNotes(std::function<void(const char*)> tell) : tell_(std::move(tell)) {}

    // Before a call of the set-up; of these there is one at a time.
    void set_up(const char* function) {
        if (std::exchange(told_, function) != function)
            tell_(function);
    }

private:
    std::function<void(const char*)> tell_;
    std::string_view told_;
};

} // namespace ipcmark

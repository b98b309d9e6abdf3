// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <string_view>
#include <utility>

namespace ipcmark {

// Which function of its module, by its name in the table, a worker calls outside of the measurement: for the word about
// one that does not return. Two can be under way, as the module is interrupted from a thread of its own.
class CallNotes {
public:
    // tell: is given each name of the set-up that is not the one before, on the calling thread and before the call.
    explicit CallNotes(std::function<void(const char*)> tell) : tell_(std::move(tell)) {}

    // Lives as long as the call.
    class Call {
    public:
        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;
        ~Call() { note_ = nullptr; }

    private:
        friend class CallNotes;
        Call(std::atomic<const char*>& note, const char* function) : note_(note) { note_ = function; }
        std::atomic<const char*>& note_;
    };

    // Of these two there is one call at a time.
    [[nodiscard]] Call set_up(const char* function) {
        if (std::exchange(told_, function) != function)
            tell_(function);
        return {making_or_closing_, function};
    }
    [[nodiscard]] Call closing(const char* function) { return {making_or_closing_, function}; }
    // And of these.
    [[nodiscard]] Call interrupting(const char* function) { return {interrupting_, function}; }

    // [any thread] What is being called; null for nothing. What is closed waits for what is interrupted.
    [[nodiscard]] const char* under_way() const {
        const char* const interrupting = interrupting_;
        return interrupting != nullptr ? interrupting : making_or_closing_.load();
    }

private:
    std::function<void(const char*)> tell_;
    std::string_view told_;
    std::atomic<const char*> making_or_closing_{nullptr};
    std::atomic<const char*> interrupting_{nullptr};
};

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/sandbox.hpp"
#include "host/check/starvation.hpp"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace ipcmark::check {

// A call on a thread of its own that may never return: a call that hangs is what the tests look for, so this is given
// up where a std::thread would have to be joined.
class Task {
public:
    explicit Task(std::function<void()> work) : state_(std::make_shared<State>()) {
        std::thread([state = state_, work = std::move(work)] {
            std::exception_ptr error;
            try {
                work();
            } catch (...) {
                error = std::current_exception();
            }
            const std::lock_guard lock(state->mutex);
            state->error = error;
            state->done = true;
            state->finished.notify_all();
        }).detach();
    }

    // Whether the work was done within `time`, not counting time in which the machine let nobody here run; throws what
    // it threw.
    [[nodiscard]] bool done_within(std::chrono::nanoseconds time) {
        const Patience patience(time);
        std::unique_lock lock(state_->mutex);
        bool done = state_->done;
        for (auto left = patience.left(); !done && left.count() > 0; left = patience.left()) {
            done = state_->finished.wait_for(lock, left, [this] { return state_->done; });
        }
        if (done && state_->error) {
            std::rethrow_exception(std::exchange(state_->error, nullptr));
        }
        return done;
    }
    void join(const std::string& what) { require(done_within(std::chrono::seconds(600)), what + " never returned"); }

private:
    struct State {
        std::mutex mutex;
        std::condition_variable finished;
        std::exception_ptr error;
        bool done = false;
    };
    std::shared_ptr<State> state_;
};

} // namespace ipcmark::check

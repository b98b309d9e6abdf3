// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <stop_token>

#include <sys/eventfd.h>
#include <unistd.h>

namespace ipcmark {

// Wakes a poll when a stop is asked for.
class StopEvent {
public:
    explicit StopEvent(const std::stop_token& stop)
        : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), callback_(stop, [this] {
              const std::uint64_t one = 1;
              [[maybe_unused]] const auto written = write(event_.get(), &one, sizeof one);
          }) {}
    [[nodiscard]] int descriptor() const noexcept { return event_.get(); }

private:
    UniqueFd event_;
    std::stop_callback<std::function<void()>> callback_;
};

} // namespace ipcmark

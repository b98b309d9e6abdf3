// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/loop_context.hpp"
#include "measure/usage.hpp"

#include <chrono>
#include <cstdint>

namespace ipcmark {

// The order of things on the client side, shared by all its loops: warm-up, wait until the server has taken all of it,
// all endpoints at the start line, measure, leave the sums.
class ClientPhases {
public:
    // A virtual machine may have a CPU taken away for seconds.
    static constexpr std::chrono::seconds drain_patience{6};

    explicit ClientPhases(const LoopContext& context) noexcept : context_(&context), slot_(&context.client_slot()) {
        slot_->phase.store(Phase::warming, std::memory_order_release);
    }

    // Waits until the server has taken all of the warm-up, so that the first measured messages do not queue behind it:
    // as long as it takes some, until a stop, or until it has taken none for `patience`; then what it has not taken is
    // left in the slot.
    void await_drain(std::chrono::nanoseconds patience = drain_patience) const noexcept;
    // Notes what the warm-up used.
    void begin_measuring() noexcept {
        usage_.begin();
        slot_->phase.store(Phase::measuring, std::memory_order_release);
    }
    void finish() noexcept {
        slot_->usage = usage_.end();
        slot_->max_resident_bytes = max_resident_bytes();
        slot_->phase.store(Phase::finished, std::memory_order_release);
    }

private:
    const LoopContext* context_;
    Slot* slot_;
    UsageSpan usage_;
};

} // namespace ipcmark

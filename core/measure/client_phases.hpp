// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/loop_context.hpp"
#include "measure/usage.hpp"

#include <cstdint>

namespace ipcmark {

// The order of things on the client side, shared by all its loops: warm-up, wait until the server has taken all of it,
// all endpoints at the start line, measure, leave the sums.
class ClientPhases {
public:
    explicit ClientPhases(const LoopContext& context) noexcept : context_(&context), slot_(&context.client_slot()) {
        slot_->phase.store(Phase::warming, std::memory_order_release);
    }

    // Waits until what the warm-up left in the transport has been taken, so that the first measured messages do not
    // queue behind it.
    void await_drain() const noexcept;
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

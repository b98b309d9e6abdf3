// SPDX-License-Identifier: Apache-2.0
#include "run/sample_drain.hpp"

#include <chrono>

namespace ipcmark {

SampleDrain::SampleDrain(ResultsMemory& memory, Role recording, const RunClock& clock, StreamingWriter& writer)
    : memory_(memory), recording_(recording), writer_(writer), scale_(memory.scale()), origin_tick_(clock.now()),
      origin_ns_(static_cast<std::uint64_t>(
          std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count())) {}

void SampleDrain::drain() {
    for (unsigned endpoint = 0; endpoint < memory_.shape().endpoints; ++endpoint) {
        const auto ring = memory_.samples(endpoint);
        if (ring.empty())
            return;
        Slot& slot = memory_.slot(recording_, endpoint);
        const std::uint64_t head = slot.samples_head.load(std::memory_order_acquire);
        std::uint64_t tail = slot.samples_tail.load(std::memory_order_relaxed);
        // A worker that went mad may have written anything; more than a ring cannot be there.
        if (head - tail > ring.size())
            tail = head - ring.size();
        batch_.clear();
        for (; tail != head; ++tail) {
            const RingSample& sample = ring[tail % ring.size()];
            batch_.push_back({origin_ns_ + scale_.to_ns(sample.tick - origin_tick_) - sample.latency_ns,
                              sample.sequence, sample.latency_ns});
        }
        slot.samples_tail.store(tail, std::memory_order_release);
        if (!batch_.empty())
            writer_.add(endpoint, batch_);
    }
}

std::uint64_t SampleDrain::dropped() const noexcept {
    std::uint64_t dropped = 0;
    for (unsigned endpoint = 0; endpoint < memory_.shape().endpoints; ++endpoint)
        dropped += memory_.slot(recording_, endpoint).samples_dropped.load(std::memory_order_relaxed);
    return dropped;
}

} // namespace ipcmark

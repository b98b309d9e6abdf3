// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/results_memory.hpp"
#include "run/worker_job.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

#include <boost/json/object.hpp>

namespace ipcmark {

// How much of the warm-up of a stream the server of another program has taken, for a client that does not share its
// memory: it waits for all of it, as long as it hears that there is more. At the server's end.
class WarmUpReport {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    // Between two looks; measuring begins so much later than it could.
    static constexpr std::chrono::milliseconds tick{5};

    WarmUpReport(const ResultsMemory& memory, const WorkerJob& job);

    // The message that the client is to have now, if any: twice a second while the warm-up moves, and at its end.
    std::optional<boost::json::object> look(TimePoint now = std::chrono::steady_clock::now());
    // Nothing more is to be told.
    [[nodiscard]] bool over() const noexcept { return over_; }

private:
    const ResultsMemory& memory_;
    bool over_;
    std::uint64_t told_ = 0; // messages taken, all endpoints together
    std::optional<TimePoint> told_at_;
};

// At the client's end: puts the message into the slots of a server that does not write there. Throws RunError for what
// does not fit the memory.
void note_warm_up(const boost::json::object& message, const ResultsMemory& memory);

} // namespace ipcmark

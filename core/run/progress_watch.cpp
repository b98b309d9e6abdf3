// SPDX-License-Identifier: Apache-2.0
#include "run/progress_watch.hpp"

#include "run/message_memory.hpp"
#include "run/plan_limits.hpp"

#include <algorithm>
#include <utility>

namespace ipcmark {

using namespace std::chrono_literals;

std::chrono::nanoseconds stall_limit(const WorkerJob& job) {
    constexpr double slowest_copy_bytes_per_s = 100e6;
    const double bytes = static_cast<double>(message_memory_bytes(job, Role::server, false)) +
                         static_cast<double>(message_memory_bytes(job, Role::client, false)) +
                         static_cast<double>(job.message_size);
    double seconds = 30 + bytes / slowest_copy_bytes_per_s + 2e-9 * static_cast<double>(job.send_delay_ns);
    if (job.rate_per_second > 0)
        seconds += 2.0 * job.endpoints / job.rate_per_second;
    // Whatever a stranger has put into a job.
    const double most = std::chrono::duration<double>(longest_time).count();
    return std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 * std::min(seconds, most)));
}

ProgressWatch::ProgressWatch(const ResultsMemory& memory, const WorkerJob& job) : memory_(memory), job_(job) {}

bool ProgressWatch::look() {
    const bool arrivals_here = job_.direction == Direction::round_trip || memory_.shape().shared_with_peer != 0;
    const Role arriving = job_.direction == Direction::round_trip ? Role::client : Role::server;
    std::uint64_t messages = 0;
    std::uint64_t moved = 0;
    // This thread may lose its CPU in the middle. A slice is from before one look to after another, so that no message
    // is counted that came in a time which is not: a peak may be told too low, not too high.
    const auto before = Clock::now();
    for (unsigned endpoint = 0; endpoint < job_.endpoints; ++endpoint) {
        const Slot& server = memory_.slot(Role::server, endpoint);
        const Slot& client = memory_.slot(Role::client, endpoint);
        broken_ = broken_ || server.broken.load(std::memory_order_relaxed) != 0 ||
                  client.broken.load(std::memory_order_relaxed) != 0;
        // The warm-up counts what it sends in the same place.
        const bool measuring = client.phase.load(std::memory_order_acquire) >= Phase::measuring;
        messages += arrivals_here ? memory_.slot(arriving, endpoint).received.load(std::memory_order_relaxed)
                    : measuring   ? client.sent.load(std::memory_order_relaxed)
                                  : 0;
        moved += server.consumed.load(std::memory_order_relaxed) + client.sent.load(std::memory_order_relaxed) +
                 client.received.load(std::memory_order_relaxed) +
                 static_cast<std::uint64_t>(client.phase.load(std::memory_order_relaxed)) +
                 static_cast<std::uint64_t>(server.phase.load(std::memory_order_relaxed));
    }
    const auto now = Clock::now();
    messages_ = messages;
    if (messages != 0)
        follow_rate(before, now);
    return moved != std::exchange(moved_, moved);
}

// The looks took place between these two moments.
void ProgressWatch::follow_rate(Clock::time_point before, Clock::time_point now) {
    if (begin_ == Clock::time_point{}) {
        begin_ = slice_begin_ = before;
        slice_messages_ = messages_;
        return;
    }
    // A shorter slice would make a burst after a pause look like a rate, and one of few messages would count a whole
    // one that took longer than the slice.
    constexpr std::uint64_t fewest_messages = 20;
    const auto slice = now - slice_begin_;
    if (slice < 100ms || messages_ < slice_messages_ + fewest_messages)
        return;
    slice_rate_ = static_cast<double>(messages_ - slice_messages_ - 1) / std::chrono::duration<double>(slice).count();
    peak_ = std::max(peak_, slice_rate_);
    slice_begin_ = before;
    slice_messages_ = messages_;
}

Progress ProgressWatch::progress() const {
    Progress progress;
    progress.direction = job_.direction;
    progress.messages = messages_;
    progress.messages_per_second = slice_rate_;
    if (begin_ != Clock::time_point{})
        progress.elapsed = Clock::now() - begin_;
    if (job_.count != 0) {
        progress.total = job_.count;
        progress.fraction = std::min(1.0, static_cast<double>(messages_) / static_cast<double>(job_.count));
    } else {
        progress.fraction = std::min(1.0, std::chrono::duration<double, std::nano>(progress.elapsed).count() /
                                              static_cast<double>(job_.duration_ns));
    }
    if (progress.fraction > 0)
        progress.remaining = std::chrono::nanoseconds(static_cast<std::int64_t>(
            static_cast<double>(progress.elapsed.count()) * (1 - progress.fraction) / progress.fraction));
    return progress;
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ipcmark {

// Counts lost, doubled and reordered messages from their sequence numbers. In order it costs one comparison.
class SequenceTracker {
public:
    // Counts from `first` on; what came before is not looked at.
    explicit SequenceTracker(std::uint64_t first) noexcept : first_(first), expected_(first) {}

    // True if this message is to be measured: it is new.
    bool arrived(std::uint64_t sequence) noexcept {
        if (sequence == expected_) [[likely]] {
            ++expected_;
            return true;
        }
        return out_of_order(sequence);
    }

    // The next `count` have come, one after the other.
    void arrived_in_order(std::uint64_t count) noexcept { expected_ += count; }

    [[nodiscard]] std::uint64_t expected() const noexcept { return expected_; }
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }
    [[nodiscard]] std::uint64_t duplicated() const noexcept { return duplicated_; }
    [[nodiscard]] std::uint64_t reordered() const noexcept { return reordered_; }
    // The sender says that `sequence` messages were sent in all: what has not come is lost.
    void ended_at(std::uint64_t sequence) noexcept {
        if (sequence > expected_)
            lost_ += sequence - expected_;
    }

private:
    struct Gap {
        std::uint64_t begin;
        std::uint64_t end;
    };

    [[gnu::noinline, gnu::cold]] bool out_of_order(std::uint64_t sequence) noexcept {
        if (sequence > expected_) {
            lost_ += sequence - expected_;
            gaps_[next_gap_++ % gaps_.size()] = {expected_, sequence};
            expected_ = sequence + 1;
            return true;
        }
        if (sequence < first_)
            return false;
        for (Gap& gap : gaps_) {
            if (sequence < gap.begin || sequence >= gap.end)
                continue;
            // It was thought lost and has come late. The gap keeps its larger part, so that the same message a second
            // time is seen as a double.
            --lost_;
            ++reordered_;
            const Gap low{gap.begin, sequence};
            const Gap high{sequence + 1, gap.end};
            gap = high.begin < high.end ? high : Gap{};
            if (low.begin < low.end)
                gaps_[next_gap_++ % gaps_.size()] = low;
            return true;
        }
        ++duplicated_;
        return false;
    }

    std::uint64_t first_;
    std::uint64_t expected_;
    std::uint64_t lost_ = 0;
    std::uint64_t duplicated_ = 0;
    std::uint64_t reordered_ = 0;
    std::array<Gap, 256> gaps_{};
    std::size_t next_gap_ = 0;
};

} // namespace ipcmark

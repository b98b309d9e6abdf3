// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "copy.hpp"
#include "ring.hpp"

// One direction's ring of slots: what Writer and Reader are for records, for messages of one size of which few are
// under way. All that a header can say is known beforehand but one thing, the number of the lap, which tells a new
// message from the one before; nothing is cleared, and a message touches its own lines only. In front of its header
// each slot says how much its sender has taken from the other direction, so who answers message by message never has to
// ask for the line of `consumed`. Positions are counted in messages.
//
// Neither side trusts the other: what it reads is compared with all that it may be.
namespace ipcmark::shm {

namespace header {
inline constexpr std::uint64_t lap = std::uint64_t{1} << 32; // the laps are counted above the size, from 1
} // namespace header

// Where both halves are: the header of the next slot, and what stands in it when the message is there.
class SlotCursor {
public:
    SlotCursor() = default;
    SlotCursor(std::byte* memory, const Layout::Ring& ring, std::uint64_t size) noexcept
        : first_(memory + ring.offset + lead_of(ring.slot)), end_(first_ + ring.capacity), slot_(ring.slot),
          next_(first_), header_(header::lap | size) {}

    [[nodiscard]] std::atomic<std::uint64_t>& header() const noexcept { return header_at(next_, 0); }
    [[nodiscard]] std::uint64_t expected() const noexcept { return header_; }
    [[nodiscard]] std::byte* payload() const noexcept { return next_ + header_size; }
    [[nodiscard]] std::uint64_t size() const noexcept { return static_cast<std::uint32_t>(header_); }
    // What the sender of the slot had taken.
    [[nodiscard]] std::atomic<std::uint64_t>& taken() const noexcept { return header_at(next_ - header_size, 0); }

    void step() noexcept {
        next_ += slot_;
        if (next_ == end_) {
            next_ = first_;
            header_ += header::lap;
        }
    }

private:
    std::byte* first_ = nullptr;
    std::byte* end_ = nullptr;
    std::uint64_t slot_ = 0;
    std::byte* next_ = nullptr;
    std::uint64_t header_ = 0;
};

// The sender's half. One thread.
class SlotWriter {
public:
    static constexpr bool streams = false; // never many messages, nor long ones
    static void copy(std::byte* to, const std::byte* from, std::size_t size) noexcept { copy_small(to, from, size); }

    SlotWriter() = default;
    // `taken`: what this side has taken from the other direction. `told`: where the SlotReader of the other direction
    // leaves what the peer's slots said. Both outlive the SlotWriter.
    SlotWriter(std::byte* memory, const Layout::Ring& ring, std::uint64_t size, const Channel& channel,
               const std::atomic<std::uint64_t>& taken, const std::atomic<std::uint64_t>& told) noexcept
        : cursor_(memory, ring, size), slots_(ring.capacity / ring.slot), consumed_(&channel.consumed), taken_(&taken),
          told_(&told), limit_(slots_) {}

    ipcmark_status reserve(std::uint64_t /*payload*/, Slot& /*slot*/) noexcept {
        return written_ != limit_ ? IPCMARK_OK : look_for_room();
    }
    [[nodiscard]] std::byte* payload(const Slot& /*slot*/) const noexcept { return cursor_.payload(); }

    void commit(Group& group, const Slot& /*slot*/, std::uint64_t /*payload*/) noexcept {
        cursor_.taken().store(taken_->load(std::memory_order_acquire), std::memory_order_relaxed);
        group.add(cursor_.header(), cursor_.expected());
        cursor_.step();
        ++written_;
    }
    void commit(const Slot& slot, std::uint64_t payload) noexcept {
        Group group;
        commit(group, slot, payload);
        group.publish();
    }

private:
    ipcmark_status look_for_room() noexcept {
        // What cannot be told gives no room; the peer's position itself is looked at next.
        if (const auto told = told_->load(std::memory_order_acquire); written_ - told < slots_) {
            limit_ = told + slots_;
            return IPCMARK_OK;
        }
        const auto consumed = consumed_->load(std::memory_order_acquire);
        if (written_ - consumed > slots_) {
            return IPCMARK_INTERNAL;
        }
        limit_ = consumed + slots_;
        return written_ != limit_ ? IPCMARK_OK : IPCMARK_WOULD_BLOCK;
    }

    SlotCursor cursor_;
    std::uint64_t slots_ = 0;
    const std::atomic<std::uint64_t>* consumed_ = nullptr;
    const std::atomic<std::uint64_t>* taken_ = nullptr;
    const std::atomic<std::uint64_t>* told_ = nullptr;
    std::uint64_t written_ = 0; // messages since the start
    std::uint64_t limit_ = 0;   // written_ may grow up to here, as far as this side has looked
};

// The receiver's half. One thread.
class SlotReader {
public:
    static constexpr bool streams = false;
    static void copy(std::byte* to, const std::byte* from, std::size_t size) noexcept { copy_small(to, from, size); }

    SlotReader() = default;
    SlotReader(std::byte* memory, const Layout::Ring& ring, std::uint64_t size, Channel& channel,
               std::atomic<std::uint64_t>& told) noexcept
        : cursor_(memory, ring, size), consumed_(&channel.consumed), told_(&told) {}

    ipcmark_status peek(Record& /*record*/) noexcept {
        const auto head = cursor_.header().load(std::memory_order_acquire);
        // The payload is mostly in a line of its own: both come at once, instead of the second after the first.
        __builtin_prefetch(cursor_.payload());
        if (head == cursor_.expected()) {
            told_->store(cursor_.taken().load(std::memory_order_relaxed), std::memory_order_release);
            return IPCMARK_OK;
        }
        return head == cursor_.expected() - header::lap || head == header::none ? IPCMARK_WOULD_BLOCK
                                                                                : IPCMARK_INTERNAL;
    }
    [[nodiscard]] const std::byte* payload(const Record& /*record*/) const noexcept { return cursor_.payload(); }
    [[nodiscard]] std::uint64_t size(const Record& /*record*/) const noexcept { return cursor_.size(); }
    [[nodiscard]] static constexpr bool goes_on(const Record& /*record*/) noexcept { return false; }

    // The sender hears of every one: it has no more slots than messages that may be under way.
    [[nodiscard]] bool consume(const Record& /*record*/) noexcept {
        cursor_.step();
        ++taken_;
        return true;
    }
    [[nodiscard]] bool unpublished() const noexcept { return taken_ != published_; }
    void publish() noexcept {
        consumed_->store(taken_, std::memory_order_release);
        published_ = taken_;
    }

private:
    SlotCursor cursor_;
    std::atomic<std::uint64_t>* consumed_ = nullptr;
    std::atomic<std::uint64_t>* told_ = nullptr;
    std::uint64_t taken_ = 0; // messages since the start
    std::uint64_t published_ = 0;
};

} // namespace ipcmark::shm

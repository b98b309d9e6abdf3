// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "layout.hpp"

#include <ipcmark/module.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

// One direction's ring of records. A record is a header of 8 bytes and its payload, contiguous. The header is written
// last and is what the receiver watches, so that a small message crosses between the cores in the very line that
// announces it; there is no index that the sender would publish. Each record also clears the header behind it (mostly
// in the line that it writes anyway), so old bytes are never taken for a header. A record that does not fit before the
// end leaves a mark there and begins at the start. (slots.hpp has the other kind of ring.)
//
// Neither side trusts the other: what it reads is checked before it becomes an address.
namespace ipcmark::shm {

namespace header {
inline constexpr std::uint64_t none = 0;
inline constexpr std::uint64_t wrap = ~std::uint64_t{0};      // the next record is at the start
inline constexpr std::uint64_t more = std::uint64_t{1} << 63; // the message goes on in the next record
} // namespace header

inline std::atomic<std::uint64_t>& header_at(std::byte* first, std::uint64_t offset) noexcept {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(first + offset);
}

// Where a record is about to be written.
struct Slot {
    std::uint64_t at = 0;    // offset of the header
    std::uint64_t taken = 0; // bytes of the ring before the record, at its end
};

// A record that the receiver looks at.
struct Record {
    std::byte* payload = nullptr;
    std::uint64_t size = 0;
    std::uint64_t flags = 0; // header::more
};

// Several records made visible at once: only the first of their headers is held back to the end.
class Group {
public:
    void add(std::atomic<std::uint64_t>& entry, std::uint64_t value) noexcept {
        if (first_ == nullptr) {
            first_ = &entry;
            value_ = value;
        } else {
            entry.store(value, std::memory_order_relaxed);
        }
    }
    void publish() noexcept {
        if (first_ != nullptr) {
            first_->store(value_, std::memory_order_release);
            first_ = nullptr;
        }
    }

private:
    std::atomic<std::uint64_t>* first_ = nullptr;
    std::uint64_t value_ = 0;
};

// The sender's half. One thread.
class Writer {
public:
    static constexpr bool streams = true;
    static void copy(std::byte* to, const std::byte* from, std::size_t size) noexcept { std::memcpy(to, from, size); }

    Writer() = default;
    Writer(std::byte* memory, const Layout::Ring& ring, Channel& channel) noexcept
        : first_(memory + ring.offset + ring_lead), capacity_(ring.capacity), granule_(ring.granule),
          consumed_(&channel.consumed), limit_(ring.capacity) {}

    // Room for a record of up to `payload` bytes, or IPCMARK_WOULD_BLOCK; IPCMARK_INTERNAL if the receiver's position
    // cannot be. Changes nothing that the receiver sees.
    ipcmark_status reserve(std::uint64_t payload, Slot& slot) noexcept {
        const auto stride = stride_of(payload, granule_);
        const auto left = capacity_ - offset_;
        slot = stride <= left ? Slot{offset_, 0} : Slot{0, left};
        // The header behind the record is cleared too, so that must be free as well.
        const auto end = written_ + slot.taken + stride + granule_;
        if (end > limit_) [[unlikely]] {
            const auto consumed = consumed_->load(std::memory_order_acquire);
            if (written_ - consumed > capacity_) {
                return IPCMARK_INTERNAL;
            }
            limit_ = consumed + capacity_;
            if (end > limit_) {
                return IPCMARK_WOULD_BLOCK;
            }
        }
        return IPCMARK_OK;
    }
    [[nodiscard]] std::byte* payload(const Slot& slot) const noexcept { return first_ + slot.at + header_size; }

    // Makes the record at a reserved slot visible. `flags`: 0 or header::more.
    void commit(const Slot& slot, std::uint64_t payload, std::uint64_t flags = 0) noexcept {
        const auto next = place(slot, payload);
        header_at(first_, slot.at).store(payload | flags, std::memory_order_release);
        if (slot.at != offset_) [[unlikely]] {
            header_at(first_, offset_).store(header::wrap, std::memory_order_release);
        }
        offset_ = next;
    }

    // The same, with the others of the group.
    void commit(Group& group, const Slot& slot, std::uint64_t payload) noexcept {
        const auto next = place(slot, payload);
        auto& entry = header_at(first_, slot.at);
        if (slot.at != offset_) [[unlikely]] {
            entry.store(payload, std::memory_order_relaxed);
            group.add(header_at(first_, offset_), header::wrap);
        } else {
            group.add(entry, payload);
        }
        offset_ = next;
    }

private:
    // Clears the header behind the record and counts it; returns where that header is.
    std::uint64_t place(const Slot& slot, std::uint64_t payload) noexcept {
        const auto stride = stride_of(payload, granule_);
        auto next = slot.at + stride;
        if (next == capacity_) [[unlikely]] {
            next = 0;
        }
        header_at(first_, next).store(header::none, std::memory_order_relaxed);
        written_ += slot.taken + stride;
        return next;
    }

    std::byte* first_ = nullptr; // the first header
    std::uint64_t capacity_ = 0;
    std::uint64_t granule_ = 0;
    std::atomic<std::uint64_t>* consumed_ = nullptr;
    std::uint64_t offset_ = 0;  // of the next header
    std::uint64_t written_ = 0; // bytes since the start
    std::uint64_t limit_ = 0;   // written_ may grow up to here, as far as this side has looked
};

// The receiver's half. One thread.
class Reader {
public:
    static constexpr bool streams = true;
    static void copy(std::byte* to, const std::byte* from, std::size_t size) noexcept { std::memcpy(to, from, size); }

    Reader() = default;
    Reader(std::byte* memory, const Layout::Ring& ring, Channel& channel) noexcept
        : first_(memory + ring.offset + ring_lead), capacity_(ring.capacity), granule_(ring.granule),
          consumed_(&channel.consumed), step_(ring.capacity / 8) {}

    // The next record, or IPCMARK_WOULD_BLOCK; IPCMARK_INTERNAL if what stands there cannot be.
    ipcmark_status peek(Record& record) noexcept {
        auto head = header_at(first_, offset_).load(std::memory_order_acquire);
        if (head == header::wrap) [[unlikely]] {
            taken_ += capacity_ - offset_;
            offset_ = 0;
            head = header_at(first_, 0).load(std::memory_order_acquire);
        }
        if (head == header::none) {
            return IPCMARK_WOULD_BLOCK;
        }
        record.size = head & ~header::more;
        record.flags = head & header::more;
        record.payload = first_ + offset_ + header_size;
        if (record.size - 1 >= capacity_ - offset_ - header_size) [[unlikely]] {
            return IPCMARK_INTERNAL;
        }
        return IPCMARK_OK;
    }

    [[nodiscard]] static const std::byte* payload(const Record& record) noexcept { return record.payload; }
    [[nodiscard]] static std::uint64_t size(const Record& record) noexcept { return record.size; }
    // Whether the message goes on in the next record.
    [[nodiscard]] static bool goes_on(const Record& record) noexcept { return record.flags != 0; }

    // Steps over the record that peek showed. True if enough was taken that the sender should hear of it: publish.
    [[nodiscard]] bool consume(const Record& record) noexcept {
        const auto stride = stride_of(record.size, granule_);
        taken_ += stride;
        offset_ += stride;
        if (offset_ == capacity_) [[unlikely]] {
            offset_ = 0;
        }
        return taken_ - published_ >= step_;
    }
    [[nodiscard]] bool unpublished() const noexcept { return taken_ != published_; }
    // Gives everything taken so far back to the sender.
    void publish() noexcept {
        consumed_->store(taken_, std::memory_order_release);
        published_ = taken_;
    }

private:
    std::byte* first_ = nullptr;
    std::uint64_t capacity_ = 0;
    std::uint64_t granule_ = 0;
    std::atomic<std::uint64_t>* consumed_ = nullptr;
    std::uint64_t offset_ = 0;
    std::uint64_t taken_ = 0;     // bytes since the start
    std::uint64_t published_ = 0; // of these, known to the sender
    std::uint64_t step_ = 0;      // publish in steps of this, so that the line of `consumed` rarely moves
};

} // namespace ipcmark::shm

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "layout.hpp"

#include <ipcmark/module_kit/fd.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace ipcmark::shm {

enum class Pages : std::uint64_t { base, huge_2m, huge_1g };

[[nodiscard]] std::uint64_t page_size(Pages pages);

// Bytes of such pages that this process may still get.
[[nodiscard]] std::uint64_t memory_room(Pages pages);

// Why so many bytes for each of so many endpoints cannot be had, and what to do about it; nothing if they can.
[[nodiscard]] std::optional<std::string> lack_of_memory(std::uint64_t bytes, std::uint32_t endpoints, Pages pages);

// Throws kit::Error if this machine has no such NUMA node.
void check_node(unsigned node);

// A memfd, mapped, all of it resident, so that no page fault falls into a measurement. It has no name, so nothing can
// be left behind and no limit of /dev/shm applies. Its size is sealed, so that no peer can cut it off under the other.
class Memory {
public:
    Memory() = default;
    // Throws kit::Error: NO_MEMORY with what is wanted and what there is, LIMIT for huge pages that are not there.
    static Memory make(std::uint64_t bytes, Pages pages, std::optional<unsigned> numa_node);
    // Takes a descriptor from the peer. Throws kit::Error if it is not sealed or has another size.
    static Memory open(kit::Fd descriptor, std::uint64_t bytes);

    Memory(Memory&& other) noexcept
        : descriptor_(std::move(other.descriptor_)), bytes_(std::exchange(other.bytes_, {})) {}
    Memory& operator=(Memory&& other) noexcept {
        unmap();
        descriptor_ = std::move(other.descriptor_);
        bytes_ = std::exchange(other.bytes_, {});
        return *this;
    }
    ~Memory() { unmap(); }

    [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }
    [[nodiscard]] std::byte* data() const noexcept { return bytes_.data(); }
    [[nodiscard]] std::uint64_t size() const noexcept { return bytes_.size(); }
    // The page size and the NUMA node that it really has; the node as the kernel tells it for the first page.
    [[nodiscard]] std::uint64_t page() const;
    [[nodiscard]] std::optional<unsigned> node() const;

private:
    void map(std::uint64_t bytes);
    void unmap() noexcept;

    kit::Fd descriptor_;
    std::span<std::byte> bytes_;
};

} // namespace ipcmark::shm

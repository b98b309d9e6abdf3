// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ipcmark::shm {

// memcpy for a small message on its way there and back, which waits for each instruction: 32 to 64 bytes without a
// call. (In streams the library's function with its wider registers is a little faster.)
[[gnu::always_inline]] inline void copy_small(std::byte* to, const std::byte* from, std::size_t size) noexcept {
    struct Block {
        std::uint64_t words __attribute__((vector_size(16)));
    };
    constexpr auto block = sizeof(Block);
    if (size - 2 * block > 2 * block) [[unlikely]] {
        std::memcpy(to, from, size);
        return;
    }
    Block blocks[4];
    std::memcpy(&blocks[0], from, block);
    std::memcpy(&blocks[1], from + block, block);
    std::memcpy(&blocks[2], from + size - 2 * block, block);
    std::memcpy(&blocks[3], from + size - block, block);
    std::memcpy(to, &blocks[0], block);
    std::memcpy(to + block, &blocks[1], block);
    std::memcpy(to + size - 2 * block, &blocks[2], block);
    std::memcpy(to + size - block, &blocks[3], block);
}

} // namespace ipcmark::shm

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory.hpp"

#include <ipcmark/module_kit.hpp>

#include <array>
#include <cstdint>
#include <optional>

namespace ipcmark::shm {

namespace option {
enum Index : std::uint32_t { buffer_size, huge_pages, numa_node, count };
}

inline constexpr std::uint64_t smallest_ring = 4096;

inline constexpr std::array<ipcmark_choice, 3> huge_page_choices{{
    {"off", "the system's base pages"},
    {"2M", "huge pages of 2 MiB, which the system must have reserved"},
    {"1G", "huge pages of 1 GiB, which the system must have reserved"},
}};

inline constexpr std::array<ipcmark_option, option::count> options{{
    {"buffer-size", IPCMARK_TYPE_BYTES, 0, "0", 0, std::int64_t{1} << 40, nullptr, "bytes",
     "memory of the ring of each direction, at least 4K; 0: just enough for the messages under way "
     "where that is 16K or less, else at least 4M, or a share of some MiB where there are many endpoints"},
    {"huge-pages", IPCMARK_TYPE_ENUM, huge_page_choices.size(), "off", 0, 0, huge_page_choices.data(), nullptr,
     "pages that the rings are made of"},
    {"numa-node", IPCMARK_TYPE_I64, 0, "-1", -1, 1023, nullptr, nullptr,
     "NUMA node that the rings are on; -1: where the kernel puts them"},
}};

struct Settings {
    explicit Settings(const kit::Options& given)
        : buffer_size(given.bytes(option::buffer_size)), pages(given.choice<Pages>(option::huge_pages)) {
        if (buffer_size != 0 && buffer_size < smallest_ring) {
            throw kit::Error(IPCMARK_BAD_ARGUMENT, "buffer-size " + std::to_string(buffer_size) +
                                                       " is too small; give at least 4K, or 0 to have it chosen");
        }
        if (const auto node = given.i64(option::numa_node); node >= 0) {
            numa_node = static_cast<unsigned>(node);
        }
    }
    std::uint64_t buffer_size; // bytes of each ring; 0: chosen by the messages
    Pages pages;
    std::optional<unsigned> numa_node;
};

} // namespace ipcmark::shm

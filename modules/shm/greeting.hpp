// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "layout.hpp"
#include "options.hpp"

#include <ipcmark/module_kit.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace ipcmark::shm {

// What the connecting side tells the accepting one. The descriptors beside it: the memory, then, for polled endpoints,
// an eventfd for each bell: data and room of channel 0, data and room of channel 1.
struct Greeting {
    std::uint32_t version = 2;
    std::uint32_t flags = 0; // IPCMARK_ENDPOINT_*
    std::uint64_t max_message_size = 0;
    std::uint64_t fixed_size[2]{}; // of the channels
    std::uint64_t piece[2]{};      // longest payload of a record
    Layout layout{};
};

inline constexpr std::size_t event_count = 4;

// The connecting side's plan for one of so many endpoints. Throws kit::Error where a ring of the size asked cannot do.
[[nodiscard]] Greeting plan(const kit::EndpointRequest& request, const Settings& settings, std::uint32_t endpoints);

// The accepting side's check that the peer's plan is sound and made for the same endpoint. Throws kit::Error.
[[nodiscard]] Greeting read_greeting(std::span<const std::byte> payload, const kit::EndpointRequest& request);

inline constexpr std::uint64_t largest_message = std::uint64_t{1} << 46;

// Bytes that the memory of one of so many endpoints takes, where it is chosen by the messages; saturates.
[[nodiscard]] std::uint64_t memory_for(std::uint64_t message_size, std::uint32_t endpoints);

// The same of an endpoint with rings of that size.
[[nodiscard]] std::uint64_t memory_of_rings(std::uint64_t buffer_size);

// How many messages that are copied, at least, are under way at once in a ring of that size.
[[nodiscard]] std::uint64_t messages_in_ring(std::uint64_t buffer_size, std::uint64_t message_size);

} // namespace ipcmark::shm

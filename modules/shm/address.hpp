// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/rendezvous.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace ipcmark::shm {

// What the listening side gives out: where to meet, and for how many endpoints there must be memory.
struct Address {
    std::uint32_t endpoints;
    std::span<const std::byte> rendezvous;
};

inline std::vector<std::byte> written(const Address& address) {
    std::vector<std::byte> bytes(sizeof address.endpoints + address.rendezvous.size());
    std::memcpy(bytes.data(), &address.endpoints, sizeof address.endpoints);
    std::copy(address.rendezvous.begin(), address.rendezvous.end(), bytes.begin() + sizeof address.endpoints);
    return bytes;
}

// Refers to `bytes`. Throws kit::Error.
inline Address read_address(std::span<const std::byte> bytes) {
    Address address{};
    if (bytes.size() <= sizeof address.endpoints) {
        throw kit::wrong_address();
    }
    std::memcpy(&address.endpoints, bytes.data(), sizeof address.endpoints);
    address.rendezvous = bytes.subspan(sizeof address.endpoints);
    return address;
}

} // namespace ipcmark::shm

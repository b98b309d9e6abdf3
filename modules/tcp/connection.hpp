// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit.hpp>

#include <cstdint>
#include <functional>
#include <string>

#include <sys/socket.h>

namespace tcp {

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;

    [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
    [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
    [[nodiscard]] std::uint16_t port() const noexcept;
    void set_port(std::uint16_t port) noexcept;
    // Every address of the machine: nothing that a peer could connect to.
    [[nodiscard]] bool is_wildcard() const noexcept;
    // Of IPv6: the same on every link, so it goes with the interface that it is on, its scope.
    [[nodiscard]] bool is_link_local() const noexcept;
    [[nodiscard]] bool lacks_interface() const noexcept; // such an address without its scope
    // That of `other`, where both are such addresses: the peer's names an interface of its own machine.
    void take_scope(const Address& other) noexcept;
    // "127.0.0.1:8080", "[::1]:8080"
    [[nodiscard]] std::string text() const;
};

// The address of a name or number, IPv4 or IPv6. Throws Error naming it.
Address resolve(const std::string& host, std::uint16_t port);

// A socket that listens there; port 0: one that the kernel chooses.
ipcmark::kit::Fd listen_at(const Address& address, const std::string& host);
Address local_address(int socket);

// Connects within timeout_ns (0: as long as the kernel tries). `prepare` gets the socket before that. The socket is a
// blocking one.
ipcmark::kit::Fd connect_to(const Address& address, std::uint64_t timeout_ns, const std::function<void(int)>& prepare);

} // namespace tcp

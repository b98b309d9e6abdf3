// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include <ipcmark/module_kit/port_owner.hpp>
#include <ipcmark/module_kit/socket_buffer.hpp>
#include <ipcmark/module_kit/system_value.hpp>

#include <cerrno>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>

namespace tcp {

using namespace ipcmark::kit;

std::uint16_t Address::port() const noexcept {
    return ntohs(storage.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port
                                               : reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

void Address::set_port(std::uint16_t port) noexcept {
    if (storage.ss_family == AF_INET6) {
        reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
    } else {
        reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
    }
}

bool Address::is_wildcard() const noexcept {
    if (storage.ss_family == AF_INET6) {
        return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr);
    }
    return reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr == htonl(INADDR_ANY);
}

bool Address::is_link_local() const noexcept {
    return storage.ss_family == AF_INET6 &&
           IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr);
}

bool Address::lacks_interface() const noexcept {
    return is_link_local() && reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_scope_id == 0;
}

void Address::take_scope(const Address& other) noexcept {
    if (is_link_local() && other.is_link_local()) {
        reinterpret_cast<sockaddr_in6*>(&storage)->sin6_scope_id =
            reinterpret_cast<const sockaddr_in6*>(&other.storage)->sin6_scope_id;
    }
}

namespace {

std::string number_of(const Address& address) {
    char host[NI_MAXHOST];
    return ::getnameinfo(address.get(), address.length, host, sizeof host, nullptr, 0, NI_NUMERICHOST) == 0 ? host : "";
}

// "Invalid argument", for the kernel.
[[noreturn]] void throw_without_interface(const Address& address, int error) {
    const auto number = number_of(address);
    throw Error(IPCMARK_BAD_ARGUMENT,
                "host " + number + " is an address of one link and needs its interface, such as " + number + "%eth0",
                error);
}

} // namespace

std::string Address::text() const {
    const auto number = number_of(*this);
    if (number.empty()) {
        return "an unknown address";
    }
    return (number.find(':') != std::string::npos ? "[" + number + "]" : number) + ":" + std::to_string(port());
}

namespace {

// For this thread: a name server that says nothing is asked once, for seconds, and not twice for so long that the host
// takes the module for one that hangs. Where a name server answers it does in far less.
void limit_patience_of_resolver() {
    if (::res_init() == 0) {
        _res.retrans = 2; // seconds
        _res.retry = 1;
    }
}

std::string hint_for(const std::string& host) {
    return host.starts_with('[') && host.ends_with(']')
               ? "; leave out the brackets, which only the address of a control connection has"
               : "";
}

} // namespace

Address resolve(const std::string& host, std::uint16_t port) {
    if (host.empty()) {
        throw Error(IPCMARK_BAD_ARGUMENT, "host is empty; give an address or a name");
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* list = nullptr;
    int failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
    if (failure == EAI_NONAME) {
        limit_patience_of_resolver();
        hints.ai_flags = 0;
        failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
    }
    if (failure == EAI_AGAIN) {
        throw Error(IPCMARK_SYSTEM,
                    "cannot look up the host name " + host + ": no name server has answered; give its address instead");
    }
    if (failure != 0) {
        throw Error(IPCMARK_BAD_ARGUMENT, "host " + host + " is neither an address nor a name that can be resolved: " +
                                              (failure == EAI_SYSTEM ? errno_text(errno) : ::gai_strerror(failure)) +
                                              hint_for(host));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> found(list, ::freeaddrinfo);
    Address address;
    std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    address.length = found->ai_addrlen;
    address.set_port(port);
    return address;
}

namespace {

std::uint64_t first_unprivileged_port() {
    return read_system_number("/proc/sys/net/ipv4/ip_unprivileged_port_start").value_or(IPPORT_RESERVED);
}

} // namespace

Fd listen_at(const Address& address, const std::string& host) {
    Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        throw_errno("make a socket for " + address.text());
    }
    // The port of a run that ended a moment ago is free again at once.
    set_socket_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR", 1);
    const auto refuse = [&](int error) {
        if (error == EADDRINUSE && address.port() != 0) {
            const auto owner = port_owner(address.get());
            throw Error(IPCMARK_SYSTEM,
                        "port " + std::to_string(address.port()) + " of " + host + " is taken" +
                            (owner.empty() ? " (by a process or a bound socket that cannot be seen from here)"
                                           : " by " + owner) +
                            "; choose another one, or leave it out for one that the kernel chooses",
                        error);
        }
        if (error == EINVAL && address.lacks_interface()) {
            throw_without_interface(address, error);
        }
        if (error == EADDRNOTAVAIL) {
            throw Error(IPCMARK_BAD_ARGUMENT, "host " + host + " is not an address of this machine", error);
        }
        if (error == EACCES && address.port() != 0 && address.port() < first_unprivileged_port()) {
            throw Error(IPCMARK_SYSTEM,
                        "port " + std::to_string(address.port()) +
                            " is below net.ipv4.ip_unprivileged_port_start and needs CAP_NET_BIND_SERVICE",
                        error);
        }
        throw_errno("listen at " + address.text(), error);
    };
    if (::bind(socket.get(), address.get(), address.length) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
        refuse(errno);
    }
    return socket;
}

Address local_address(int socket) {
    Address address;
    address.length = sizeof address.storage;
    if (::getsockname(socket, address.get(), &address.length) != 0) {
        throw_errno("read the address of the socket");
    }
    return address;
}

Fd connect_to(const Address& address, std::uint64_t timeout_ns, const std::function<void(int)>& prepare) {
    const Deadline deadline(timeout_ns);
    Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        throw_errno("make a socket for " + address.text());
    }
    prepare(socket.get());
    int error = ::connect(socket.get(), address.get(), address.length) == 0 ? 0 : errno;
    while (error == EINPROGRESS || error == EINTR || error == EALREADY) {
        pollfd ready{socket.get(), POLLOUT, 0};
        const int count = ::poll(&ready, 1, poll_timeout(deadline.end()));
        if (count > 0) {
            error = socket_option<int>(socket.get(), SOL_SOCKET, SO_ERROR, "SO_ERROR");
        } else if (count == 0 && deadline.passed()) {
            throw Error(IPCMARK_TIMED_OUT, "no answer from " + address.text() + " in time", ETIMEDOUT);
        }
    }
    if (error == ECONNREFUSED) {
        throw Error(IPCMARK_NOT_CONNECTED, "nobody listens at " + address.text(), error);
    }
    if (error == EINVAL && address.lacks_interface()) {
        throw_without_interface(address, error);
    }
    if (error != 0) {
        throw_errno("connect to " + address.text(), error);
    }
    const int flags = ::fcntl(socket.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) {
        throw_errno("set the flags of the socket");
    }
    return socket;
}

} // namespace tcp

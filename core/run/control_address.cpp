// SPDX-License-Identifier: Apache-2.0
#include "run/control_address.hpp"

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <memory>
#include <thread>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;

constexpr const char* forms = "\"tcp:HOST:PORT\", \"unix:PATH\" or \"unix:@NAME\"";

struct FreeAddresses {
    void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Addresses resolve(const ControlAddress& address, int flags) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int error = getaddrinfo(address.host.empty() ? nullptr : address.host.c_str(),
                                  std::to_string(address.port).c_str(), &hints, &list);
    if (error != 0)
        throw UsageError(fmt::format("\"{}\" names no address: {}", address.host, gai_strerror(error)));
    return Addresses(list);
}

struct UnixAddress {
    sockaddr_un name{};
    socklen_t length = 0;
};

UnixAddress unix_address(const ControlAddress& address) {
    UnixAddress result;
    result.name.sun_family = AF_UNIX;
    const std::size_t skip = address.kind == ControlAddress::Kind::unix_abstract ? 1 : 0;
    if (address.path.size() + 1 > sizeof result.name.sun_path)
        throw UsageError(fmt::format("socket name \"{}\" has {} bytes: at most {} are possible", address.path,
                                     address.path.size(), sizeof result.name.sun_path - 1));
    std::memcpy(result.name.sun_path + skip, address.path.data(), address.path.size());
    result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + skip + address.path.size() + (skip == 0));
    return result;
}

// A socket file is in the way only if somebody listens on it.
void remove_dead_socket(const ControlAddress& address, const UnixAddress& name) {
    struct stat status {};
    if (lstat(address.path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&name.name), name.length) != 0 && errno == ECONNREFUSED)
        unlink(address.path.c_str());
}

UniqueFd try_connect(const ControlAddress& address) {
    if (address.kind != ControlAddress::Kind::tcp) {
        const UnixAddress name = unix_address(address);
        UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&name.name), name.length) == 0)
            return socket;
        return {};
    }
    const Addresses list = resolve(address, 0);
    for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
        UniqueFd socket(::socket(entry->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (socket && connect(socket.get(), entry->ai_addr, entry->ai_addrlen) == 0) {
            const int one = 1;
            setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            return socket;
        }
    }
    return {};
}

} // namespace

ControlAddress parse_control_address(const std::string& text) {
    ControlAddress address;
    if (text.starts_with("unix:")) {
        address.path = text.substr(5);
        address.kind = ControlAddress::Kind::unix_path;
        if (address.path.starts_with('@')) {
            address.kind = ControlAddress::Kind::unix_abstract;
            address.path.erase(0, 1);
        }
        if (address.path.empty())
            throw UsageError(fmt::format("\"{}\" has no socket name: write {}", text, forms));
        static_cast<void>(unix_address(address));
        return address;
    }
    const std::size_t colon = text.rfind(':');
    if (!text.starts_with("tcp:") || colon < 4)
        throw UsageError(fmt::format("\"{}\" is no control address: write {}", text, forms));
    address.host = text.substr(4, colon - 4);
    if (address.host.starts_with('[') && address.host.ends_with(']'))
        address.host = address.host.substr(1, address.host.size() - 2);
    else if (address.host.find(':') != std::string::npos)
        throw UsageError(
            fmt::format("\"{}\" is ambiguous: write an IPv6 address in brackets, \"tcp:[::1]:PORT\"", text));
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
    if (error != std::errc{} || stop != end || address.port == 0)
        throw UsageError(fmt::format("\"{}\" has no valid port: it must be 1 to 65535", text));
    return address;
}

std::string to_text(const ControlAddress& address) {
    switch (address.kind) {
    case ControlAddress::Kind::unix_path:
        return "unix:" + address.path;
    case ControlAddress::Kind::unix_abstract:
        return "unix:@" + address.path;
    case ControlAddress::Kind::tcp:
        break;
    }
    const bool brackets = address.host.find(':') != std::string::npos;
    return fmt::format("tcp:{}{}{}:{}", brackets ? "[" : "", address.host, brackets ? "]" : "", address.port);
}

UniqueFd listen_at(const ControlAddress& address) {
    const auto refuse = [&address](const char* what) -> UniqueFd {
        throw UsageError(fmt::format("cannot {} {}: {}; choose another address or end what uses it", what,
                                     to_text(address), std::strerror(errno)));
    };
    if (address.kind != ControlAddress::Kind::tcp) {
        const UnixAddress name = unix_address(address);
        UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (address.kind == ControlAddress::Kind::unix_path)
            remove_dead_socket(address, name);
        if (!socket || bind(socket.get(), reinterpret_cast<const sockaddr*>(&name.name), name.length) != 0)
            return refuse("listen at");
        if (address.kind == ControlAddress::Kind::unix_path)
            chmod(address.path.c_str(), 0600);
        if (listen(socket.get(), 16) != 0)
            return refuse("listen at");
        return socket;
    }
    const Addresses list = resolve(address, AI_PASSIVE);
    UniqueFd socket(::socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int one = 1;
    if (socket)
        setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!socket || bind(socket.get(), list->ai_addr, list->ai_addrlen) != 0 || listen(socket.get(), 16) != 0)
        return refuse("listen at");
    return socket;
}

UniqueFd connect_to(const ControlAddress& address, std::chrono::nanoseconds retry, std::stop_token stop) {
    const auto end = std::chrono::steady_clock::now() + retry;
    for (;;) {
        if (UniqueFd socket = try_connect(address))
            return socket;
        const int error = errno;
        if (stop.stop_requested())
            throw RunError("interrupted while connecting to " + to_text(address));
        if (std::chrono::steady_clock::now() >= end)
            throw RunError(fmt::format("cannot connect to {}: {}; start 'ipcmark serve' there first", to_text(address),
                                       std::strerror(error)));
        std::this_thread::sleep_for(50ms);
    }
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "run/control_address.hpp"

#include <ipcmark/module_kit/port_owner.hpp>
#include <ipcmark/module_kit/socket_file.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <memory>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds look_for_stop{50};

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

struct Attempt {
    UniqueFd socket;
    int error = 0; // errno, without a socket
};

// What connect() has begun: 0, or the errno that it ended with. Nobody may answer, so it is given up at `end`.
int await_connection(int socket, SteadyClock::time_point end, const std::stop_token& stop) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now());
        pollfd entry{socket, POLLOUT, 0};
        if (poll(&entry, 1, static_cast<int>(std::clamp(left, 0ms, look_for_stop).count())) > 0)
            break;
        if (left.count() <= 0 || stop.stop_requested())
            return ETIMEDOUT;
    }
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

Attempt try_connect(int family, const sockaddr* name, socklen_t length, SteadyClock::time_point end,
                    const std::stop_token& stop) {
    UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket)
        return {{}, errno};
    if (connect(socket.get(), name, length) != 0) {
        const int error = errno == EINPROGRESS ? await_connection(socket.get(), end, stop) : errno;
        if (error != 0)
            return {{}, error};
    }
    watch_connection(socket.get());
    // From here on it blocks, as a control channel expects.
    if (fcntl(socket.get(), F_SETFL, fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK) != 0)
        return {{}, errno};
    return {std::move(socket), 0};
}

Attempt try_connect(const ControlAddress& address, SteadyClock::time_point end, const std::stop_token& stop) {
    if (address.kind != ControlAddress::Kind::tcp) {
        const UnixAddress name = unix_address(address);
        return try_connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&name.name), name.length, end, stop);
    }
    const Addresses list = resolve(address, 0);
    int left = 0;
    for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next)
        ++left;
    Attempt attempt;
    for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next, --left) {
        // An address that does not answer leaves the others their share of the time.
        const auto now = SteadyClock::now();
        attempt = try_connect(entry->ai_family, entry->ai_addr, entry->ai_addrlen, now + (end - now) / left, stop);
        if (attempt.socket) {
            const int one = 1;
            setsockopt(attempt.socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            break;
        }
    }
    return attempt;
}

} // namespace

void watch_connection(int socket) noexcept {
    const timeval unread{30, 0};
    const int on = 1;
    const int silence_s = 30;
    const int between_s = 10;
    const int unanswered = 3;
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &unread, sizeof unread);
    setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    // Refused by a unix socket, whose peer cannot be lost.
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &silence_s, sizeof silence_s);
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof between_s);
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &unanswered, sizeof unanswered);
}

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
    const auto refuse = [&address](int error, const std::string& owner = {}) -> UniqueFd {
        throw UsageError(fmt::format("cannot listen at {}: {}{}{}; choose another address or end what uses it",
                                     to_text(address), std::strerror(error), owner.empty() ? "" : " by ", owner));
    };
    if (address.kind != ControlAddress::Kind::tcp) {
        const UnixAddress name = unix_address(address);
        UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!socket)
            return refuse(errno);
        if (address.kind == ControlAddress::Kind::unix_path)
            errno = kit::bind_to_file(socket.get(), name.name, name.length);
        else
            errno = bind(socket.get(), reinterpret_cast<const sockaddr*>(&name.name), name.length) == 0 ? 0 : errno;
        if (errno != 0 || listen(socket.get(), 16) != 0)
            return refuse(errno);
        return socket;
    }
    const Addresses list = resolve(address, AI_PASSIVE);
    UniqueFd socket(::socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int one = 1;
    if (socket)
        setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!socket || bind(socket.get(), list->ai_addr, list->ai_addrlen) != 0 || listen(socket.get(), 16) != 0) {
        const int error = errno;
        return refuse(error, error == EADDRINUSE ? kit::port_owner(list->ai_addr) : "");
    }
    return socket;
}

UniqueFd connect_to(const ControlAddress& address, SteadyClock::time_point end, std::stop_token stop) {
    for (;;) {
        Attempt attempt = try_connect(address, end, stop);
        if (attempt.socket)
            return std::move(attempt.socket);
        if (stop.stop_requested())
            throw RunError("interrupted while connecting to " + to_text(address));
        if (SteadyClock::now() >= end)
            throw RunError(
                fmt::format("cannot connect to {}: {}; start 'ipcmark serve' (or 'ipc-benchmark --server') there first",
                            to_text(address), std::strerror(attempt.error)));
        std::this_thread::sleep_for(look_for_stop);
    }
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/rendezvous.hpp>
#include <ipcmark/module_kit/socket_file.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sys/un.h>

namespace ipcmark::kit {

namespace detail {

struct LocalName {
    sockaddr_un address{};
    socklen_t length = 0;
};

inline LocalName local_name(const std::string& path) {
    LocalName name;
    name.address.sun_family = AF_UNIX;
    if (path.size() >= sizeof name.address.sun_path) {
        throw Error(IPCMARK_BAD_ARGUMENT, "the socket path has " + std::to_string(path.size()) +
                                              " bytes, the longest that a unix socket takes is " +
                                              std::to_string(sizeof name.address.sun_path - 1) + ": " + path);
    }
    std::memcpy(name.address.sun_path, path.data(), path.size());
    name.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return name;
}

inline Fd local_socket() {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        throw_errno("make a unix socket");
    }
    return socket;
}

} // namespace detail

// The listening side of a meeting of two processes on one machine. Without a path the kernel chooses an abstract name,
// which no end of the process can leave behind. With a path the file is there until the last of the `promised` peers
// was accepted, remove_name() or the destructor.
class LocalRendezvous {
public:
    // `promised`: how many peers will come, 0 if that is not known.
    explicit LocalRendezvous(const std::string& path = {}, std::uint32_t promised = 0)
        : LocalRendezvous(promised, listen(path)) {}

    // For connect_local: the token and the name.
    [[nodiscard]] std::vector<std::byte> address() const {
        std::vector<std::byte> bytes(sizeof(Token) + name_.length);
        std::memcpy(bytes.data(), meeting_.token().data(), sizeof(Token));
        std::memcpy(bytes.data() + sizeof(Token), &name_.address, name_.length);
        return bytes;
    }
    // As Rendezvous::accept.
    Peer accept(std::uint64_t timeout_ns) {
        auto peer = meeting_.accept(timeout_ns);
        if (meeting_.complete()) {
            remove_name();
        }
        return peer;
    }
    void interrupt(ipcmark_status status) noexcept { meeting_.interrupt(status); }
    // No further connect is expected: the file goes away now.
    void remove_name() noexcept { file_.remove(); }

private:
    struct Listening {
        Fd socket;
        detail::LocalName name;
        SocketFile file;
    };
    LocalRendezvous(std::uint32_t promised, Listening made)
        : meeting_(std::move(made.socket), promised), name_(made.name), file_(std::move(made.file)) {}

    static Listening listen(const std::string& path) {
        Listening made{detail::local_socket(), {}, {}};
        if (path.empty()) {
            bind_anywhere(made);
        } else {
            made.name = detail::local_name(std::filesystem::absolute(path).string());
            errno = bind_to_file(made.socket.get(), made.name.address, made.name.length);
            if (errno == EADDRINUSE) {
                throw Error(IPCMARK_SYSTEM, "the socket path " + path + " is taken; choose another one", EADDRINUSE);
            }
            if (errno != 0) {
                throw_errno("bind a socket to " + path);
            }
            made.file = SocketFile(made.name.address.sun_path);
        }
        if (::listen(made.socket.get(), SOMAXCONN) != 0) {
            throw_errno("listen");
        }
        return made;
    }

    static void bind_anywhere(Listening& made) {
        auto* const address = reinterpret_cast<sockaddr*>(&made.name.address);
        made.name.address.sun_family = AF_UNIX;
        if (::bind(made.socket.get(), address, sizeof(sa_family_t)) != 0) {
            throw_errno("bind a socket to an abstract name");
        }
        made.name.length = sizeof made.name.address;
        if (::getsockname(made.socket.get(), address, &made.name.length) != 0) {
            throw_errno("read the name of the socket");
        }
    }

    Rendezvous meeting_;
    detail::LocalName name_;
    SocketFile file_;
};

// The connecting side: connects to the address of a LocalRendezvous and greets it. Returns before it was accepted. What
// is given as payload and descriptors is in the Peer over there; the descriptors stay the caller's.
inline Fd connect_local(std::span<const std::byte> address, std::uint64_t timeout_ns,
                        std::span<const std::byte> payload = {}, std::span<const int> descriptors = {}) {
    detail::LocalName name;
    if (address.size() <= sizeof(Token) || address.size() > sizeof(Token) + sizeof name.address) {
        throw wrong_address();
    }
    Token token;
    std::memcpy(token.data(), address.data(), sizeof token);
    name.length = static_cast<socklen_t>(address.size() - sizeof token);
    std::memcpy(&name.address, address.data() + sizeof token, name.length);
    if (name.address.sun_family != AF_UNIX) {
        throw wrong_address();
    }

    auto socket = detail::local_socket();
    // Connecting waits only while the listener's queue is full; the send time-out bounds that.
    const auto set_send_timeout = [&](std::uint64_t ns) {
        const timeval time{static_cast<time_t>(ns / 1'000'000'000),
                           static_cast<suseconds_t>(ns % 1'000'000'000 / 1000)};
        ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
    };
    if (timeout_ns != 0) {
        set_send_timeout(std::max<std::uint64_t>(timeout_ns, 1000));
    }
    int result = 0;
    do {
        result = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name.address), name.length);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        if (errno == ECONNREFUSED || errno == ENOENT) {
            throw Error(IPCMARK_NOT_CONNECTED, "nobody listens at this address", errno);
        }
        if (errno == EAGAIN) {
            throw Error(IPCMARK_TIMED_OUT, "the listener's queue stayed full", errno);
        }
        throw_errno("connect to the listener");
    }
    if (timeout_ns != 0) {
        set_send_timeout(0);
    }
    send_greeting(socket.get(), token, payload, descriptors);
    return socket;
}

} // namespace ipcmark::kit

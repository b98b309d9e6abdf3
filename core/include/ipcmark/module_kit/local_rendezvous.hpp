// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/rendezvous.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace ipcmark::kit {

// A socket file that goes away with its owner; not one that somebody else has made there since.
class SocketFile {
public:
    SocketFile() = default;
    // One that was just made.
    explicit SocketFile(std::string path) : path_(std::move(path)) {
        if (::lstat(path_.c_str(), &made_) != 0) {
            throw_errno("look at the socket " + path_);
        }
    }
    SocketFile(SocketFile&& other) noexcept : path_(std::exchange(other.path_, {})), made_(other.made_) {}
    SocketFile& operator=(SocketFile&& other) noexcept {
        remove();
        path_ = std::exchange(other.path_, {});
        made_ = other.made_;
        return *this;
    }
    ~SocketFile() { remove(); }
    // As it was made.
    [[nodiscard]] mode_t mode() const noexcept { return made_.st_mode; }
    void remove() noexcept {
        struct stat found {};
        if (!path_.empty() && ::lstat(path_.c_str(), &found) == 0 && found.st_dev == made_.st_dev &&
            found.st_ino == made_.st_ino) {
            ::unlink(path_.c_str());
        }
        path_.clear();
    }

private:
    std::string path_;
    struct stat made_ {};
};

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

inline Fd local_socket(int type = SOCK_STREAM) {
    Fd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    if (!socket) {
        throw_errno("make a unix socket");
    }
    return socket;
}

// A socket file whose socket is no more, left by a process that was killed. Asked by a datagram socket: where a stream
// socket is bound the kernel answers EPROTOTYPE, also before that listens, and however many wait in its queue.
inline bool is_stale(const LocalName& name) {
    struct stat status {};
    if (::lstat(name.address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    const auto probe = local_socket(SOCK_DGRAM);
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name.address), name.length) != 0 &&
           errno == ECONNREFUSED;
}

// Held while a stale file is replaced, so that nobody takes the new one for the stale one that was there a moment ago.
// No file of its own could be left behind. Empty where the folder may not be read; a lock that a stranger keeps is not
// waited for any longer than a second.
inline Fd lock_folder_of(const std::filesystem::path& path) {
    Fd folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int attempt = 0; folder && ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0 && attempt < 100; ++attempt) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return folder;
}

} // namespace detail

// The listening side of a meeting of two processes on one machine. Without a path the kernel chooses an abstract name,
// which no end of the process can leave behind. With a path the file is there until remove_name() or the destructor.
class LocalRendezvous {
public:
    explicit LocalRendezvous(const std::string& path = {}) : LocalRendezvous(listen(path)) {}

    // For connect_local: the token and the name.
    [[nodiscard]] std::vector<std::byte> address() const {
        std::vector<std::byte> bytes(sizeof(Token) + name_.length);
        std::memcpy(bytes.data(), meeting_.token().data(), sizeof(Token));
        std::memcpy(bytes.data() + sizeof(Token), &name_.address, name_.length);
        return bytes;
    }
    Peer accept(std::uint64_t timeout_ns) { return meeting_.accept(timeout_ns); }
    void interrupt(ipcmark_status status) noexcept { meeting_.interrupt(status); }
    // No further connect is expected: the file goes away now.
    void remove_name() noexcept { file_.remove(); }

private:
    struct Listening {
        Fd socket;
        detail::LocalName name;
        SocketFile file;
    };
    explicit LocalRendezvous(Listening made)
        : meeting_(std::move(made.socket)), name_(made.name), file_(std::move(made.file)) {}

    static Listening listen(const std::string& path) {
        Listening made{detail::local_socket(), {}, {}};
        if (path.empty()) {
            made.name.length = sizeof(sa_family_t); // the kernel chooses
            made.name.address.sun_family = AF_UNIX;
        } else {
            made.name = detail::local_name(std::filesystem::absolute(path).string());
            // The mode of the socket becomes that of the file.
            if (::fchmod(made.socket.get(), 0600) != 0) {
                throw_errno("set the mode of the socket");
            }
        }
        auto* const address = reinterpret_cast<sockaddr*>(&made.name.address);
        auto bound = ::bind(made.socket.get(), address, made.name.length);
        if (bound != 0 && errno == EADDRINUSE && !path.empty()) {
            const auto lock = detail::lock_folder_of(made.name.address.sun_path);
            if (detail::is_stale(made.name)) {
                ::unlink(made.name.address.sun_path);
            }
            bound = ::bind(made.socket.get(), address, made.name.length);
            if (bound != 0 && errno == EADDRINUSE) {
                throw Error(IPCMARK_SYSTEM, "the socket path " + path + " is taken; choose another one", EADDRINUSE);
            }
        }
        if (bound != 0) {
            throw_errno("bind a socket to " + (path.empty() ? "an abstract name" : path));
        }
        if (path.empty()) {
            made.name.length = sizeof made.name.address;
            if (::getsockname(made.socket.get(), address, &made.name.length) != 0) {
                throw_errno("read the name of the socket");
            }
        } else {
            made.file = SocketFile(made.name.address.sun_path);
            // The umask may have taken from the owner what it takes to connect.
            if ((made.file.mode() & 07777) != 0600 && ::chmod(made.name.address.sun_path, 0600) != 0) {
                throw_errno("set the mode of the socket " + path);
            }
        }
        if (::listen(made.socket.get(), SOMAXCONN) != 0) {
            throw_errno("listen");
        }
        return made;
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

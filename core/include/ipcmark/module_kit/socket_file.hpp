// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/error.hpp>
#include <ipcmark/module_kit/fd.hpp>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace ipcmark::kit {

// A socket file that goes away with its owner; not one that somebody else has made there since.
class SocketFile {
public:
    SocketFile() = default;
    // One that was just made. Throws Error.
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

// A socket file whose socket is no more, left by a process that was killed. Asked by a datagram socket: where a stream
// socket is bound the kernel answers EPROTOTYPE, also before that listens, and however many wait in its queue.
inline bool is_stale(const sockaddr_un& name, socklen_t length) noexcept {
    struct stat status {};
    if (::lstat(name.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    const Fd probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return probe && ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), length) != 0 &&
           errno == ECONNREFUSED;
}

// Held while a stale file is replaced, so that nobody takes the new one for the stale one that was there a moment ago.
// No file of its own could be left behind. Empty where the folder may not be read; a lock that a stranger keeps is not
// waited for any longer than a second.
inline Fd lock_folder_of(const std::filesystem::path& path) {
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    Fd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int attempt = 0; lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && attempt < 100; ++attempt) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return lock;
}

} // namespace detail

// Binds a stream socket to a file that its owner alone may connect to, whatever the umask; a stale file is replaced.
// Returns 0 or an errno: EADDRINUSE where the path is taken.
[[nodiscard]] inline int bind_to_file(int socket, const sockaddr_un& name, socklen_t length) {
    constexpr mode_t owner_only = 0600;
    const auto bind = [&] { return ::bind(socket, reinterpret_cast<const sockaddr*>(&name), length) == 0 ? 0 : errno; };
    // The mode of the socket becomes that of the file, so that it is nobody else's for a moment.
    if (::fchmod(socket, owner_only) != 0) {
        return errno;
    }
    int error = bind();
    if (error == EADDRINUSE) {
        const auto lock = detail::lock_folder_of(name.sun_path);
        if (detail::is_stale(name, length)) {
            ::unlink(name.sun_path);
        }
        error = bind();
    }
    if (error != 0) {
        return error;
    }
    // The umask may have taken from the owner what it takes to connect.
    struct stat made {};
    if (::lstat(name.sun_path, &made) != 0) {
        return errno;
    }
    return (made.st_mode & 07777) == owner_only || ::chmod(name.sun_path, owner_only) == 0 ? 0 : errno;
}

} // namespace ipcmark::kit

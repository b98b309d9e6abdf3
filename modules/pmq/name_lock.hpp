// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/fd.hpp>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace pmq {

// Held by who makes a queue under users_name(), until that is unlinked. It ends with its holder, kill -9 included, so
// what has the name while one holds it is what a killed one left. On the IPC namespace itself: whoever can see the name
// shares the lock, be it from another container or as another user, and nobody else does.
class NameLock {
public:
    // Tries for no longer than it takes a few others that run: a holder may be stopped, or mean harm.
    NameLock() : file_(::open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC)) {
        constexpr int tries = 100;
        for (int left = tries; file_ && ::flock(file_.get(), LOCK_EX | LOCK_NB) != 0; --left) {
            if (left == 0 || (errno != EWOULDBLOCK && errno != EINTR)) {
                file_.reset();
                return;
            }
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
    }
    NameLock(const NameLock&) = delete;
    NameLock& operator=(const NameLock&) = delete;
    // Not by closing alone: a child that was forked meanwhile has the descriptor too.
    ~NameLock() {
        if (file_) {
            ::flock(file_.get(), LOCK_UN);
        }
    }
    [[nodiscard]] bool held() const noexcept { return static_cast<bool>(file_); }

private:
    ipcmark::kit::Fd file_;
};

// The one name of this user's queues, each of which has it for a moment.
inline std::string users_name() {
    return "/ipcmark-" + std::to_string(::geteuid());
}

} // namespace pmq

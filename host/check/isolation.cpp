// SPDX-License-Identifier: Apache-2.0
#include "host/check/process_state.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

bool write_file(const char* path, const std::string& text) {
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    const bool done = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(file);
    return done;
}

bool bring_up_loopback() {
    const int any_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    request.ifr_name[0] = 'l';
    request.ifr_name[1] = 'o';
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    const bool up = any_socket >= 0 && ioctl(any_socket, SIOCSIFFLAGS, &request) == 0;
    if (any_socket >= 0) {
        close(any_socket);
    }
    return up;
}

bool enter_new(int spaces) {
    const auto user = getuid();
    const auto group = getgid();
    if (unshare(spaces) != 0) {
        if (unshare(CLONE_NEWUSER | spaces) != 0) {
            return false;
        }
        write_file("/proc/self/setgroups", "deny");
        if (!write_file("/proc/self/uid_map", fmt::format("{0} {0} 1", user)) ||
            !write_file("/proc/self/gid_map", fmt::format("{0} {0} 1", group))) {
            return false;
        }
    }
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0) {
        return false;
    }
    // Without it the queues of the new namespace are there, but cannot be listed.
    (void)mount("mqueue", "/dev/mqueue", "mqueue", 0, nullptr);
    return true;
}

} // namespace

bool isolate() {
    return enter_new(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS) && bring_up_loopback();
}

bool unshare_all_but_network() {
    return enter_new(CLONE_NEWIPC | CLONE_NEWNS);
}

} // namespace ipcmark::check

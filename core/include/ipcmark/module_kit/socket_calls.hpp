// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ipcmark::kit {

// send(2) and recv(2) for hot functions. The C library's own are cancellation points: in a process of several threads,
// as the host is, each call pays two locked instructions for pthread_cancel, which the system call itself does not
// need. The result and errno are those of the C library's.
inline ssize_t socket_send(int fd, const void* data, std::size_t size, int flags) noexcept {
    return ::syscall(SYS_sendto, fd, data, size, flags, nullptr, 0);
}
inline ssize_t socket_recv(int fd, void* data, std::size_t size, int flags) noexcept {
    return ::syscall(SYS_recvfrom, fd, data, size, flags, nullptr, nullptr);
}

} // namespace ipcmark::kit

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <ctime>

#include <sys/syscall.h>
#include <unistd.h>

// mq_timedsend(3) and mq_timedreceive(3) for hot functions. The C library's own are cancellation points: in a process
// of several threads, as the host is, each call pays two locked instructions for pthread_cancel, which the system call
// itself does not need. The result and errno are those of the C library's; no `until` waits as long as it takes.
namespace pmq {

inline int queue_send(int queue, const void* data, std::size_t size, unsigned priority,
                      const timespec* until = nullptr) noexcept {
    return static_cast<int>(::syscall(SYS_mq_timedsend, queue, data, size, priority, until));
}
inline ssize_t queue_receive(int queue, void* data, std::size_t capacity, const timespec* until = nullptr) noexcept {
    return ::syscall(SYS_mq_timedreceive, queue, data, capacity, nullptr, until);
}

} // namespace pmq

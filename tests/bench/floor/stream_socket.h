/* SPDX-License-Identifier: Apache-2.0 */
/* One message over a connected stream socket: one system call each where the kernel takes or gives it whole; and the
 * loops over it. */
#include "floor.h"

#include <sys/socket.h>

struct end {
    int fd;
};

FLOOR_INLINE void floor_put(struct end* end, const void* message, size_t size, int spin) {
    for (size_t done = 0; done < size;) {
        const ssize_t count =
            send(end->fd, (const char*)message + done, size - done, MSG_NOSIGNAL | (spin ? MSG_DONTWAIT : 0));
        if (count > 0)
            done += (size_t)count;
        else if (errno == EAGAIN && spin)
            floor_pause();
        else if (errno != EINTR)
            floor_fail("send");
    }
}

FLOOR_INLINE void floor_take(struct end* end, void* message, size_t size, int spin) {
    for (size_t done = 0; done < size;) {
        const ssize_t count = recv(end->fd, (char*)message + done, size - done, spin ? MSG_DONTWAIT : MSG_WAITALL);
        if (count > 0)
            done += (size_t)count;
        else if (count < 0 && errno == EAGAIN && spin)
            floor_pause();
        else if (count == 0 || errno != EINTR)
            floor_fail("recv");
    }
}

#include "loops.h"

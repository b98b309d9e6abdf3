/* SPDX-License-Identifier: Apache-2.0 */
/* One message over a connected non-blocking stream socket, as far as it goes now. `done` counts its bytes that have
 * gone, and is 0 before and after each message. 0: to be called again with the same message. */
#include "floor.h"

#include <sys/socket.h>

FLOOR_INLINE int socket_try_put(int fd, size_t* done, const void* message, size_t size) {
    while (*done < size) {
        const ssize_t count = send(fd, (const char*)message + *done, size - *done, MSG_NOSIGNAL);
        if (count > 0)
            *done += (size_t)count;
        else if (errno == EAGAIN)
            return 0;
        else if (errno != EINTR)
            floor_fail("send");
    }
    *done = 0;
    return 1;
}

FLOOR_INLINE int socket_try_take(int fd, size_t* done, void* message, size_t size) {
    while (*done < size) {
        const ssize_t count = recv(fd, (char*)message + *done, size - *done, 0);
        if (count > 0)
            *done += (size_t)count;
        else if (count < 0 && errno == EAGAIN)
            return 0;
        else if (count == 0 || errno != EINTR)
            floor_fail("recv");
    }
    *done = 0;
    return 1;
}

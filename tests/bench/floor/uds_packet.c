/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include <sys/socket.h>

struct end {
    int fd;
};

FLOOR_INLINE void floor_put(struct end* end, const void* message, size_t size, int spin) {
    while (send(end->fd, message, size, MSG_NOSIGNAL | (spin ? MSG_DONTWAIT : 0)) < 0) {
        if (errno == EAGAIN && spin)
            floor_pause();
        else if (errno != EINTR)
            floor_fail("send");
    }
}

FLOOR_INLINE void floor_take(struct end* end, void* message, size_t size, int spin) {
    for (;;) {
        const ssize_t count = recv(end->fd, message, size, spin ? MSG_DONTWAIT : 0);
        if (count == (ssize_t)size)
            return;
        if (count < 0 && errno == EAGAIN && spin)
            floor_pause();
        else if (count >= 0 || errno != EINTR)
            floor_fail("recv");
    }
}

#include "loops.h"

static int pair[2];

static void* make_of(int type, size_t size) {
    if (socketpair(AF_UNIX, type, 0, pair) != 0)
        floor_fail("socketpair");
    const int buffer = (int)size;
    if (size > 65536 && (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) != 0 ||
                         setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) != 0))
        floor_fail("SO_SNDBUF");
    return pair;
}
static void* make_seqpacket(const struct floor_run* run) {
    return make_of(SOCK_SEQPACKET, run->size);
}
static void* make_datagram(const struct floor_run* run) {
    return make_of(SOCK_DGRAM, run->size);
}

static void client(void* made, const struct floor_run* run, struct floor_results* results) {
    struct end end = {((int*)made)[0]};
    loop_client(&end, run, results);
}

static void server(void* made, const struct floor_run* run, struct floor_results* results) {
    struct end end = {((int*)made)[1]};
    loop_server(&end, run, results);
}

const struct floor_transport floor_uds_seqpacket = {"uds-seqpacket", make_seqpacket, client, server};
const struct floor_transport floor_uds_datagram = {"uds-datagram", make_datagram, client, server};

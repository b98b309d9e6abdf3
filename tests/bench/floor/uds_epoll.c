/* SPDX-License-Identifier: Apache-2.0 */
/* A bare epoll loop over non-blocking stream sockets: what the asynchronous mode with one endpoint is compared with. */
#include "nonblocking_socket.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

struct end {
    int fd;
    int epoll;
    uint32_t asked;
};

/* Sleeps until the socket shows one of the events. */
FLOOR_INLINE void wait_for(struct end* end, uint32_t events) {
    struct epoll_event event = {.events = events};
    if (events != end->asked) {
        epoll_ctl(end->epoll, EPOLL_CTL_MOD, end->fd, &event);
        end->asked = events;
    }
    while (epoll_wait(end->epoll, &event, 1, -1) < 0)
        if (errno != EINTR)
            floor_fail("epoll_wait");
}

FLOOR_INLINE void floor_put(struct end* end, const void* message, size_t size, int spin) {
    (void)spin;
    for (size_t done = 0; !socket_try_put(end->fd, &done, message, size);)
        wait_for(end, EPOLLOUT);
}

/* Waits first where a message cannot be there yet (a round trip), tries first where it may be (a stream). */
FLOOR_INLINE void take(struct end* end, void* message, size_t size, int try_first) {
    if (!try_first)
        wait_for(end, EPOLLIN);
    for (size_t done = 0; !socket_try_take(end->fd, &done, message, size);)
        wait_for(end, EPOLLIN);
}

/* loops.h asks for a spinning and a blocking loop; here `spin` tells the two ways to begin apart. */
FLOOR_INLINE void floor_take(struct end* end, void* message, size_t size, int spin) {
    take(end, message, size, spin);
}

#include "loops.h"

static void* make(const struct floor_run* run) {
    static int pair[2];
    if (run->spin)
        errno = ENOTSUP, floor_fail("uds-epoll sleeps: --wait spin");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        floor_fail("socketpair");
    return pair;
}

static struct end open_end(int fd) {
    struct end end = {fd, epoll_create1(0), EPOLLIN};
    struct epoll_event event = {.events = EPOLLIN};
    if (end.epoll < 0 || epoll_ctl(end.epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        floor_fail("epoll");
    return end;
}

static void client(void* made, const struct floor_run* run, struct floor_results* results) {
    struct end end = open_end(((int*)made)[0]);
    loop_client(&end, run, results);
}

static void server(void* made, const struct floor_run* run, struct floor_results* results) {
    struct end end = open_end(((int*)made)[1]);
    if (run->one_way)
        loop_receive(&end, run, results, 1);
    else
        loop_pong(&end, run, 0);
}

const struct floor_transport floor_uds_epoll = {"uds-epoll", make, client, server};

/* SPDX-License-Identifier: Apache-2.0 */
/* Stream sockets under one epoll instance a side. */
#include "nonblocking_socket.h"

#include <sys/epoll.h>
#include <unistd.h>

struct end {
    int fd;
    int epoll;
    size_t done; /* bytes of the message that is under way */
};

FLOOR_INLINE int floor_try_put(struct end* end, const void* message, size_t size) {
    return socket_try_put(end->fd, &end->done, message, size);
}

FLOOR_INLINE int floor_try_take(struct end* end, void* message, size_t size) {
    return socket_try_take(end->fd, &end->done, message, size);
}

/* The epoll instance of a side watches for the one thing that this side does. */
FLOOR_INLINE void floor_idle(struct end* ends) {
    struct epoll_event event;
    while (epoll_wait(ends[0].epoll, &event, 1, -1) < 0)
        if (errno != EINTR)
            floor_fail("epoll_wait");
}

#include "many.h"

static int (*pairs)[2];

static void* make(const struct floor_run* run) {
    floor_need_one_way(run, "uds-many");
    if (run->spin)
        errno = ENOTSUP, floor_fail("uds-many sleeps: --wait spin");
    pairs = calloc(run->endpoints, sizeof *pairs);
    for (unsigned i = 0; i < run->endpoints; ++i)
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]) != 0)
            floor_fail("socketpair");
    return pairs;
}

static struct end* open_ends(const struct floor_run* run, int side, uint32_t events) {
    struct end* const ends = calloc(run->endpoints, sizeof *ends);
    const int epoll = epoll_create1(0);
    for (unsigned i = 0; i < run->endpoints; ++i) {
        ends[i] = (struct end){.fd = pairs[i][side], .epoll = epoll};
        struct epoll_event event = {.events = events};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, ends[i].fd, &event) != 0)
            floor_fail("epoll");
    }
    return ends;
}

static void client(void* made, const struct floor_run* run, struct floor_results* results) {
    (void)made;
    struct end* const ends = open_ends(run, 0, EPOLLOUT);
    many_send(ends, run, run->warmup);
    results->first = floor_stamp();
    many_send(ends, run, run->count);
    free(ends);
}

static void server(void* made, const struct floor_run* run, struct floor_results* results) {
    (void)made;
    struct end* const ends = open_ends(run, 1, EPOLLIN);
    many_receive(ends, run, run->warmup, NULL);
    many_receive(ends, run, run->count, results);
    free(ends);
}

const struct floor_transport floor_uds_many = {"uds-many", make, client, server};

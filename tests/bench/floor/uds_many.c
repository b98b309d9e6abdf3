/* SPDX-License-Identifier: Apache-2.0 */
/* Stream sockets under one epoll instance a side. */
#include "floor.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
    int fd;
    int epoll;
    size_t done; /* bytes of the message that is under way */
};

FLOOR_INLINE int floor_try_put(struct end* end, const void* message, size_t size) {
    while (end->done < size) {
        const ssize_t count = send(end->fd, (const char*)message + end->done, size - end->done, MSG_NOSIGNAL);
        if (count > 0)
            end->done += (size_t)count;
        else if (errno == EAGAIN)
            return 0;
        else if (errno != EINTR)
            floor_fail("send");
    }
    end->done = 0;
    return 1;
}

FLOOR_INLINE int floor_try_take(struct end* end, void* message, size_t size) {
    while (end->done < size) {
        const ssize_t count = recv(end->fd, (char*)message + end->done, size - end->done, 0);
        if (count > 0)
            end->done += (size_t)count;
        else if (count < 0 && errno == EAGAIN)
            return 0;
        else if (count == 0 || errno != EINTR)
            floor_fail("recv");
    }
    end->done = 0;
    return 1;
}

/* The epoll instance of a side watches for the one thing that this side does. */
FLOOR_INLINE void floor_idle(struct end* ends, unsigned endpoints, int sending) {
    (void)endpoints, (void)sending;
    struct epoll_event event;
    while (epoll_wait(ends[0].epoll, &event, 1, -1) < 0)
        if (errno != EINTR)
            floor_fail("epoll_wait");
}

#include "many.h"

static int (*pairs)[2];

static void* make(const struct floor_run* run) {
    many_need_one_way(run);
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

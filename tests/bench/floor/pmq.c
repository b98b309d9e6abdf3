/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include <fcntl.h>
#include <mqueue.h>
#include <unistd.h>

struct end {
    mqd_t to, from;
};

FLOOR_INLINE void floor_put(struct end* end, const void* data, size_t size, int spin) {
    while (mq_send(end->to, data, size, 0) != 0) {
        if (!spin || errno != EAGAIN)
            floor_fail("mq_send");
        floor_pause();
    }
}

FLOOR_INLINE void floor_take(struct end* end, void* data, size_t size, int spin) {
    while (mq_receive(end->from, data, size, NULL) < 0) {
        if (!spin || errno != EAGAIN)
            floor_fail("mq_receive");
        floor_pause();
    }
}

#include "loops.h"

static void* make(const struct floor_run* run) {
    static mqd_t queues[2];
    char name[32];
    snprintf(name, sizeof name, "/ipcmark-floor-%ld", (long)getpid());
    struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = (long)run->size};
    for (int i = 0; i < 2; ++i) {
        queues[i] = mq_open(name, O_RDWR | O_CREAT | O_EXCL | (run->spin ? O_NONBLOCK : 0), 0600, &attributes);
        if (queues[i] < 0)
            floor_fail("mq_open");
        mq_unlink(name);
    }
    return queues;
}

static void client(void* made, const struct floor_run* run, struct floor_results* results) {
    struct end end = {((mqd_t*)made)[0], ((mqd_t*)made)[1]};
    loop_client(&end, run, results);
}

static void server(void* made, const struct floor_run* run, struct floor_results* results) {
    struct end end = {((mqd_t*)made)[1], ((mqd_t*)made)[0]};
    loop_server(&end, run, results);
}

const struct floor_transport floor_pmq = {"pmq", make, client, server};

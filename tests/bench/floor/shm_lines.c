/* SPDX-License-Identifier: Apache-2.0 */
/* One message at a time: a counter in a line of its own, and the message beside it. Nothing could do a round trip with
 * these copies with less. `shm-line` has only the counter: the cache line alone. */
#include "shared_memory.h"

struct mail {
    _Alignas(LINE) atomic_uint_fast64_t count;
    _Alignas(LINE) unsigned char message[];
};

struct end {
    struct mail *to, *from;
    uint64_t sent, received;
};

FLOOR_INLINE void floor_put(struct end* end, const void* data, size_t size, int spin) {
    (void)spin;
    if (size != 0)
        memcpy(end->to->message, data, size);
    atomic_store_explicit(&end->to->count, ++end->sent, memory_order_release);
}

FLOOR_INLINE void floor_take(struct end* end, void* data, size_t size, int spin) {
    (void)spin;
    ++end->received;
    while (atomic_load_explicit(&end->from->count, memory_order_acquire) != end->received)
        floor_pause();
    if (size != 0)
        memcpy(data, end->from->message, size);
}

#include "loops.h"

static void* make(const struct floor_run* run) {
    static struct mail* mails[2];
    if (run->one_way || !run->spin) {
        fprintf(stderr, "floor: shm-line and shm-lines are round trips, spinning\n");
        exit(2);
    }
    for (int i = 0; i < 2; ++i)
        mails[i] = floor_shared(sizeof(struct mail) + run->size + LINE);
    return mails;
}

static struct end end_of(void* made, int side) {
    struct mail** const mails = made;
    return (struct end){mails[side], mails[1 - side], 0, 0};
}

/* The same run with a size that is known where the copies are, as in a loop written for it. */
FLOOR_INLINE struct floor_run with_size(const struct floor_run* run, size_t size) {
    struct floor_run same = *run;
    same.size = size;
    return same;
}

static void client(void* made, const struct floor_run* run, struct floor_results* results) {
    struct end end = end_of(made, 0);
    const struct floor_run line = with_size(run, 64);
    if (run->size == 64)
        loop_ping(&end, &line, results, 1);
    else
        loop_client(&end, run, results);
}

static void server(void* made, const struct floor_run* run, struct floor_results* results) {
    struct end end = end_of(made, 1);
    const struct floor_run line = with_size(run, 64);
    if (run->size == 64)
        loop_pong(&end, &line, 1);
    else
        loop_server(&end, run, results);
}

static void client_line(void* made, const struct floor_run* run, struct floor_results* results) {
    struct end end = end_of(made, 0);
    const struct floor_run bare = with_size(run, 0);
    loop_ping(&end, &bare, results, 1);
}

static void server_line(void* made, const struct floor_run* run, struct floor_results* results) {
    (void)results;
    struct end end = end_of(made, 1);
    const struct floor_run bare = with_size(run, 0);
    loop_pong(&end, &bare, 1);
}

const struct floor_transport floor_shm_lines = {"shm-lines", make, client, server};
const struct floor_transport floor_shm_line = {"shm-line", make, client_line, server_line};

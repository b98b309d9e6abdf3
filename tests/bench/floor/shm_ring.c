/* SPDX-License-Identifier: Apache-2.0 */
/* The textbook's ring of one producer and one consumer: slots of one size, an index a side on a line of its own, and a
 * copy of the other side's index. Spins, or sleeps in a futex; `shm-ring-bare` is the same without stamps. */
#include "shared_memory.h"

enum { ring_bytes = 1 << 20, least_slots = 4 };

struct ring {
    _Alignas(LINE) atomic_uint head; /* slots filled */
    atomic_uint head_awaited;
    _Alignas(LINE) atomic_uint tail; /* slots emptied */
    atomic_uint tail_awaited;
    _Alignas(LINE) unsigned char slots[];
};

struct end {
    struct ring *to, *from;
    unsigned mask;
    size_t stride;
    unsigned head, seen_tail; /* of `to` */
    unsigned tail, seen_head; /* of `from` */
};

static void futex(atomic_uint* word, int operation, unsigned value) {
    syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

/* Waits until *word is not `value`; returns it. */
FLOOR_INLINE unsigned await(atomic_uint* word, atomic_uint* awaited, unsigned value, int spin) {
    unsigned now;
    while ((now = atomic_load_explicit(word, memory_order_acquire)) == value) {
        if (spin) {
            floor_pause();
            continue;
        }
        atomic_store(awaited, 1);
        if (atomic_load(word) == value)
            futex(word, FUTEX_WAIT, value);
        atomic_store_explicit(awaited, 0, memory_order_relaxed);
    }
    return now;
}

FLOOR_INLINE void publish(atomic_uint* word, atomic_uint* awaited, unsigned value, int spin) {
    if (spin) {
        atomic_store_explicit(word, value, memory_order_release);
        return;
    }
    atomic_store(word, value);
    if (atomic_load(awaited))
        futex(word, FUTEX_WAKE, INT_MAX);
}

FLOOR_INLINE void floor_put(struct end* end, const void* data, size_t size, int spin) {
    struct ring* const ring = end->to;
    const unsigned full = end->head - end->mask - 1;
    if (end->seen_tail == full)
        end->seen_tail = await(&ring->tail, &ring->tail_awaited, full, spin);
    memcpy(ring->slots + (end->head & end->mask) * end->stride, data, size);
    publish(&ring->head, &ring->head_awaited, ++end->head, spin);
}

FLOOR_INLINE void floor_take(struct end* end, void* data, size_t size, int spin) {
    struct ring* const ring = end->from;
    if (end->seen_head == end->tail)
        end->seen_head = await(&ring->head, &ring->head_awaited, end->tail, spin);
    memcpy(data, ring->slots + (end->tail & end->mask) * end->stride, size);
    publish(&ring->tail, &ring->tail_awaited, ++end->tail, spin);
}

#include "loops.h"

static struct end ends[2];

static void* make(const struct floor_run* run) {
    const size_t stride = (run->size + 63) / 64 * 64;
    unsigned slots = least_slots;
    while (slots * stride < ring_bytes)
        slots *= 2;
    struct ring* const there = floor_shared(sizeof(struct ring) + slots * stride);
    struct ring* const back = floor_shared(sizeof(struct ring) + slots * stride);
    ends[0] = (struct end){.to = there, .from = back, .mask = slots - 1, .stride = stride};
    ends[1] = (struct end){.to = back, .from = there, .mask = slots - 1, .stride = stride};
    return ends;
}

static void client(void* made, const struct floor_run* run, struct floor_results* results) {
    (void)made;
    struct end end = ends[0];
    loop_client(&end, run, results);
}

static void server(void* made, const struct floor_run* run, struct floor_results* results) {
    (void)made;
    struct end end = ends[1];
    loop_server(&end, run, results);
}

static void* make_bare(const struct floor_run* run) {
    floor_need_one_way(run, "shm-ring-bare");
    return make(run);
}

static void client_bare(void* made, const struct floor_run* run, struct floor_results* results) {
    (void)made;
    struct end end = ends[0];
    unsigned char* const message = floor_message(run->size);
    for (uint64_t i = 0; i < run->warmup; ++i)
        floor_put(&end, message, run->size, run->spin);
    results->first = floor_stamp();
    for (uint64_t i = 0; i < run->count; ++i)
        floor_put(&end, message, run->size, run->spin);
    free(message);
}

static void server_bare(void* made, const struct floor_run* run, struct floor_results* results) {
    (void)made;
    struct end end = ends[1];
    unsigned char* const message = floor_message(run->size);
    for (uint64_t i = 0; i < run->warmup + run->count; ++i)
        floor_take(&end, message, run->size, run->spin);
    results->last = floor_stamp();
    free(message);
}

const struct floor_transport floor_shm_ring = {"shm-ring", make, client, server};
const struct floor_transport floor_shm_ring_bare = {"shm-ring-bare", make_bare, client_bare, server_bare};

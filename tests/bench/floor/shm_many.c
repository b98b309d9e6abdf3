/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of shm_ring.c, many of them. Spins: goes round them. All together are as large as ipcmark's. */
#include "shared_memory.h"

enum { all_rings_bytes = 8 << 20, largest_ring_bytes = 4 << 20, least_slots = 4 };

struct ring {
    _Alignas(LINE) atomic_uint head; /* slots filled */
    _Alignas(LINE) atomic_uint tail; /* slots emptied */
    _Alignas(LINE) unsigned char slots[];
};

struct end {
    _Alignas(64) struct ring* ring;
    unsigned mask;
    size_t stride;
    unsigned own;  /* this side's index */
    unsigned seen; /* the other side's */
};

FLOOR_INLINE int floor_try_put(struct end* end, const void* data, size_t size) {
    struct ring* const ring = end->ring;
    if (end->own - end->seen > end->mask) {
        end->seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (end->own - end->seen > end->mask)
            return 0;
    }
    memcpy(ring->slots + (end->own & end->mask) * end->stride, data, size);
    atomic_store_explicit(&ring->head, ++end->own, memory_order_release);
    return 1;
}

FLOOR_INLINE int floor_try_take(struct end* end, void* data, size_t size) {
    struct ring* const ring = end->ring;
    if (end->seen == end->own) {
        end->seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (end->seen == end->own)
            return 0;
    }
    memcpy(data, ring->slots + (end->own & end->mask) * end->stride, size);
    atomic_store_explicit(&ring->tail, ++end->own, memory_order_release);
    return 1;
}

FLOOR_INLINE void floor_idle(struct end* ends) {
    (void)ends;
    floor_pause();
}

#include "many.h"

static void* make(const struct floor_run* run) {
    floor_need_one_way(run, "shm-many");
    if (!run->spin)
        errno = ENOTSUP, floor_fail("shm-many spins: --wait block");
    const size_t stride = (run->size + 63) / 64 * 64;
    size_t bytes = all_rings_bytes / run->endpoints;
    if (bytes > largest_ring_bytes)
        bytes = largest_ring_bytes;
    unsigned slots = least_slots;
    while (2 * slots * stride <= bytes)
        slots *= 2;
    struct end* const ends = aligned_alloc(_Alignof(struct end), run->endpoints * sizeof *ends);
    if (ends == NULL)
        floor_fail("memory for the endpoints");
    for (unsigned i = 0; i < run->endpoints; ++i)
        ends[i] = (struct end){
            .ring = floor_shared(sizeof(struct ring) + slots * stride), .mask = slots - 1, .stride = stride};
    return ends;
}

static void client(void* made, const struct floor_run* run, struct floor_results* results) {
    many_send(made, run, run->warmup);
    results->first = floor_stamp();
    many_send(made, run, run->count);
}

static void server(void* made, const struct floor_run* run, struct floor_results* results) {
    many_receive(made, run, run->warmup, NULL);
    many_receive(made, run, run->count, results);
}

const struct floor_transport floor_shm_many = {"shm-many", make, client, server};

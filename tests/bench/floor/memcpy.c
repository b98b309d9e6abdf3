/* SPDX-License-Identifier: Apache-2.0 */
/* One process that copies messages, the bandwidth to compare copying transports with. `memcpy` copies from and to
 * memory that no private cache holds, as a receiver reads what another core wrote. `memcpy-cached` copies a buffer that
 * stays in the first caches into memory as large as a ring: nothing that moves a message between two cores can reach
 * that. */
#include "shared_memory.h"

enum { region_bytes = 32 << 20, ring_bytes = 1 << 20 };

static void* make(const struct floor_run* run) {
    floor_need_one_way(run, "memcpy");
    return floor_shared(2 * (region_bytes + run->size));
}

static void copy(unsigned char* to, const unsigned char* from, size_t step, size_t to_bytes, size_t from_bytes,
                 const struct floor_run* run, struct floor_results* results) {
    size_t to_at = 0, from_at = 0;
    uint64_t begin = floor_stamp();
    for (uint64_t i = 0; i < run->warmup + run->count; ++i) {
        if (i == run->warmup)
            results->first = begin;
        memcpy(to + to_at, from + from_at, run->size);
        __asm__ volatile("" ::: "memory");
        to_at = to_at + step < to_bytes ? to_at + step : 0;
        from_at = from_at + step < from_bytes ? from_at + step : 0;
        const uint64_t now = floor_stamp();
        if (i >= run->warmup)
            results->samples[i - run->warmup] = now - begin;
        begin = now;
    }
    results->last = begin;
}

static void client(void* made, const struct floor_run* run, struct floor_results* results) {
    unsigned char* const to = made;
    copy(to, to + region_bytes + run->size, run->size, region_bytes, region_bytes, run, results);
}

static void client_cached(void* made, const struct floor_run* run, struct floor_results* results) {
    unsigned char* const message = floor_message(run->size);
    copy(made, message, run->size, ring_bytes, 0, run, results);
    free(message);
}

static void server(void* made, const struct floor_run* run, struct floor_results* results) {
    (void)made;
    (void)run;
    (void)results;
}

const struct floor_transport floor_memcpy = {"memcpy", make, client, server};
const struct floor_transport floor_memcpy_cached = {"memcpy-cached", make, client_cached, server};

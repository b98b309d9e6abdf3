/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops of the floor, for a file that has defined
 *   struct end                                           one process's end of the transport
 *   floor_put(struct end*, const void*, size_t, int spin)   sends one whole message
 *   floor_take(struct end*, void*, size_t, int spin)        receives one whole message
 * both FLOOR_INLINE, so that what runs is the same as if each loop had been written out.
 */
#include "floor.h"

FLOOR_INLINE void loop_ping(struct end* end, const struct floor_run* run, struct floor_results* results, int spin) {
    const size_t size = run->size;
    unsigned char* const out = floor_message(size);
    unsigned char* const in = floor_message(size);
    for (uint64_t i = 0; i < run->warmup; ++i) {
        floor_put(end, out, size, spin);
        floor_take(end, in, size, spin);
    }
    uint64_t begin = floor_stamp();
    results->first = begin;
    for (uint64_t i = 0; i < run->count; ++i) {
        floor_put_stamp(out, size, begin);
        floor_put(end, out, size, spin);
        floor_take(end, in, size, spin);
        const uint64_t now = floor_stamp();
        results->samples[i] = now - begin;
        begin = now;
    }
    results->last = begin;
    free(out);
    free(in);
}

FLOOR_INLINE void loop_pong(struct end* end, const struct floor_run* run, int spin) {
    const size_t size = run->size;
    unsigned char* const message = floor_message(size);
    for (uint64_t i = 0; i < run->warmup + run->count; ++i) {
        floor_take(end, message, size, spin);
        floor_put(end, message, size, spin);
    }
    free(message);
}

FLOOR_INLINE void loop_send(struct end* end, const struct floor_run* run, struct floor_results* results, int spin) {
    const size_t size = run->size;
    unsigned char* const message = floor_message(size);
    for (uint64_t i = 0; i < run->warmup; ++i)
        floor_put(end, message, size, spin);
    results->first = floor_stamp();
    for (uint64_t i = 0; i < run->count; ++i) {
        floor_put_stamp(message, size, floor_stamp());
        floor_put(end, message, size, spin);
    }
    free(message);
}

FLOOR_INLINE void loop_receive(struct end* end, const struct floor_run* run, struct floor_results* results, int spin) {
    const size_t size = run->size;
    unsigned char* const message = floor_message(size);
    for (uint64_t i = 0; i < run->warmup; ++i)
        floor_take(end, message, size, spin);
    uint64_t now = 0;
    for (uint64_t i = 0; i < run->count; ++i) {
        floor_take(end, message, size, spin);
        now = floor_stamp_after_loads();
        results->samples[i] = now - floor_get_stamp(message, size);
    }
    results->last = now;
    free(message);
}

/* The four loops in their two ways to wait, each compiled on its own. */
FLOOR_INLINE void loop_client(struct end* end, const struct floor_run* run, struct floor_results* results) {
    if (run->one_way) {
        if (run->spin)
            loop_send(end, run, results, 1);
        else
            loop_send(end, run, results, 0);
    } else if (run->spin) {
        loop_ping(end, run, results, 1);
    } else {
        loop_ping(end, run, results, 0);
    }
}

FLOOR_INLINE void loop_server(struct end* end, const struct floor_run* run, struct floor_results* results) {
    if (run->one_way) {
        if (run->spin)
            loop_receive(end, run, results, 1);
        else
            loop_receive(end, run, results, 0);
    } else if (run->spin) {
        loop_pong(end, run, 1);
    } else {
        loop_pong(end, run, 0);
    }
}

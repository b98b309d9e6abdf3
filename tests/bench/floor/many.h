/* SPDX-License-Identifier: Apache-2.0 */
/* One thread a side that drives many endpoints in turns, one way: what the asynchronous mode with `-c N` is compared
 * with. For a file that has defined
 *   struct end                                            one process's end of one endpoint
 *   floor_try_put(struct end*, const void*, size_t)       sends a message, or returns 0
 *   floor_try_take(struct end*, void*, size_t)            receives one, or returns 0
 *   floor_idle(struct end* ends)                          after a round in which nothing moved */
#include "floor.h"

enum { many_turn = 64 }; /* messages of one endpoint before the next has its turn: as many as ipcmark lets go */

FLOOR_INLINE uint64_t many_of(uint64_t messages, unsigned endpoints, unsigned index) {
    return messages / endpoints + (index < messages % endpoints);
}

FLOOR_INLINE void many_send(struct end* ends, const struct floor_run* run, uint64_t messages) {
    unsigned char* const message = floor_message(run->size);
    uint64_t* const left = calloc(run->endpoints, sizeof *left);
    for (unsigned i = 0; i < run->endpoints; ++i)
        left[i] = many_of(messages, run->endpoints, i);
    for (uint64_t all = messages; all != 0;) {
        const uint64_t before = all;
        for (unsigned i = 0; i < run->endpoints; ++i) {
            for (unsigned turn = 0; turn < many_turn && left[i] != 0; ++turn) {
                floor_put_stamp(message, run->size, floor_stamp());
                if (!floor_try_put(&ends[i], message, run->size))
                    break;
                --left[i];
                --all;
            }
        }
        if (all == before)
            floor_idle(ends);
    }
    free(left);
    free(message);
}

/* Without `results` nothing is kept. */
FLOOR_INLINE void many_receive(struct end* ends, const struct floor_run* run, uint64_t messages,
                               struct floor_results* results) {
    unsigned char* const message = floor_message(run->size);
    uint64_t now = 0;
    for (uint64_t all = 0; all != messages;) {
        const uint64_t before = all;
        for (unsigned i = 0; i < run->endpoints; ++i) {
            for (unsigned turn = 0; turn < many_turn && all != messages; ++turn) {
                if (!floor_try_take(&ends[i], message, run->size))
                    break;
                now = floor_stamp();
                if (results != NULL)
                    results->samples[all] = now - floor_get_stamp(message, run->size);
                ++all;
            }
        }
        if (all == before)
            floor_idle(ends);
    }
    if (results != NULL)
        results->last = now;
    free(message);
}

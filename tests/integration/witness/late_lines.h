/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of memory that a receiver has read, and that are still on their way when its call returns: each says where the
 * next one is, and none is in a cache. Nothing that follows needs them, so a processor that runs ahead is past the
 * return long before the last of them has come.
 */
#ifndef WITNESS_LATE_LINES_H
#define WITNESS_LATE_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum late_reading { LATE_OFF, LATE_NOT_READ, LATE_READ, LATE_AWAITED };

enum { LATE_COUNT = 64, LATE_STRIDE = 4096 + 64, LATE_STEP = 13 }; /* no prefetcher follows; the step is odd */

/* NULL without memory; ends with free(). */
static inline void* make_late_lines(void) {
    unsigned char* const memory = aligned_alloc(64, (size_t)LATE_COUNT * LATE_STRIDE);
    for (int i = 0; memory != NULL && i < LATE_COUNT; ++i)
        *(void**)(memory + (size_t)i * LATE_STRIDE) = memory + (size_t)((i + LATE_STEP) % LATE_COUNT) * LATE_STRIDE;
    return memory;
}

/* The lines leave the caches in any case: only the reading makes a difference in time. */
static inline void read_late_lines(void* lines, uint64_t reading) {
    for (int i = 0; i < LATE_COUNT; ++i) {
        unsigned char* const at = (unsigned char*)lines + (size_t)i * LATE_STRIDE;
#if defined(__x86_64__)
        __builtin_ia32_clflush(at);
#elif defined(__aarch64__)
        __asm__ volatile("dc civac, %0" ::"r"(at) : "memory");
#endif
    }
#if defined(__x86_64__)
    __builtin_ia32_mfence();
#elif defined(__aarch64__)
    __asm__ volatile("dsb sy" ::: "memory");
#endif
    if (reading == LATE_NOT_READ)
        return;
    void* volatile* at = lines;
    for (int i = 0; i < LATE_COUNT; ++i)
        at = *at;
    if (reading != LATE_AWAITED)
        return;
#if defined(__x86_64__)
    __builtin_ia32_lfence();
#elif defined(__aarch64__)
    __asm__ volatile("dsb ld\n\tisb" ::: "memory");
#endif
}

#endif

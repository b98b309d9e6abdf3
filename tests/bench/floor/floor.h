/* SPDX-License-Identifier: Apache-2.0
 *
 * The floor: what a transport costs in a hand-written loop, with a stamp on every message and nothing else. One file a
 * transport: it writes put and take for its way to wait and includes loops.h.
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What is to be run. */
struct floor_run {
    size_t size; /* bytes of a message */
    uint64_t warmup;
    uint64_t count;
    int one_way;        /* 0: round trip */
    int spin;           /* 0: block */
    unsigned endpoints; /* over which the messages go; all but the transports for many have one */
};

/* What was found, in memory shared by both processes. In stamps; the receiver of the last message writes. */
struct floor_results {
    uint64_t first; /* the first measured send */
    uint64_t last;  /* the last measured receive */
    uint64_t samples[];
};

struct floor_transport {
    const char* name;
    /* Makes both ends; called before the fork. */
    void* (*make)(const struct floor_run* run);
    /* Each in its own process. The server echoes, or receives; the client measures, or sends. */
    void (*client)(void* made, const struct floor_run* run, struct floor_results* results);
    void (*server)(void* made, const struct floor_run* run, struct floor_results* results);
};

extern const struct floor_transport floor_uds, floor_uds_seqpacket, floor_uds_datagram, floor_tcp, floor_shm_line,
    floor_shm_lines, floor_shm_ring, floor_shm_ring_bare, floor_pmq, floor_memcpy, floor_memcpy_cached, floor_uds_epoll,
    floor_uds_asio, floor_uds_many, floor_shm_many;

#define FLOOR_INLINE static inline __attribute__((always_inline))

_Noreturn static inline void floor_fail(const char* what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

FLOOR_INLINE uint64_t floor_stamp(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

/* What was read before has arrived by then. */
FLOOR_INLINE uint64_t floor_stamp_after_loads(void) {
#if defined(__x86_64__)
    __builtin_ia32_lfence();
#elif defined(__aarch64__)
    __asm__ volatile("dsb ld\n\tisb" ::: "memory");
#endif
    return floor_stamp();
}

FLOOR_INLINE void floor_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* The stamp stands at the beginning of a message; shorter messages carry none. */
FLOOR_INLINE void floor_put_stamp(unsigned char* message, size_t size, uint64_t stamp) {
    if (size >= sizeof stamp)
        memcpy(message, &stamp, sizeof stamp);
}
FLOOR_INLINE uint64_t floor_get_stamp(const unsigned char* message, size_t size) {
    uint64_t stamp = 0;
    if (size >= sizeof stamp)
        memcpy(&stamp, message, sizeof stamp);
    return stamp;
}

static inline void floor_need_one_way(const struct floor_run* run, const char* transport) {
    if (!run->one_way) {
        fprintf(stderr, "floor: %s is one way\n", transport);
        exit(2);
    }
}

/* Memory for a message, every page of it touched. */
static inline unsigned char* floor_message(size_t size) {
    void* memory = NULL;
    if (posix_memalign(&memory, 64, size) != 0)
        floor_fail("memory for a message");
    memset(memory, 0xa5, size);
    return (unsigned char*)memory;
}

#endif

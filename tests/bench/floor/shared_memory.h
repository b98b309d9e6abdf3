/* SPDX-License-Identifier: Apache-2.0 */
/* What the loops over shared memory have in common. */
#include "floor.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Two lines: prefetchers fetch pairs, and some processors have lines of 128 bytes. */
#define LINE 128

/* Zeroed memory that both processes share, every page of it touched. */
static inline void* floor_shared(size_t bytes) {
    void* const memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        floor_fail("shared memory");
    return memory;
}

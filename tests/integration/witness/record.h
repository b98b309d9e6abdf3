/* SPDX-License-Identifier: Apache-2.0
 *
 * What the witness writes down, in a file of this layout that all of its processes map. Read by witness.py.
 */
#ifndef WITNESS_RECORD_H
#define WITNESS_RECORD_H

#include <stdatomic.h>
#include <stdint.h>

enum witness_event {
    WITNESS_LISTEN = 1,
    WITNESS_ACCEPT = 2,
    WITNESS_CONNECT = 3,
    WITNESS_SEND = 4,
    WITNESS_RECV = 5,
    WITNESS_CLOSE = 6
};

struct witness_record {
    uint64_t begin_ns; /* CLOCK_MONOTONIC at the entry of the call */
    uint64_t end_ns;   /* and before its return */
    uint32_t pid;
    uint32_t tid;
    uint32_t endpoint; /* the index that the host gave */
    uint16_t event;
    uint16_t cpu;
    uint32_t size;
    uint32_t checksum; /* of the message's bytes */
    int32_t status;
    uint32_t is_server;
};

struct witness_log {
    _Atomic uint64_t count; /* records written or being written */
    uint64_t capacity;
    struct witness_record records[];
};

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The extension "ipcmark.batch/1": several messages a call, where one system call or one index update can carry them.
 */
#ifndef IPCMARK_EXT_BATCH_H
#define IPCMARK_EXT_BATCH_H

#include <ipcmark/module.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPCMARK_EXT_BATCH "ipcmark.batch/1"

typedef struct ipcmark_tx_message {
    const void* data;
    uint64_t size;
} ipcmark_tx_message;

typedef struct ipcmark_rx_message {
    void* data;
    uint64_t capacity;
    uint64_t size; /* filled in */
} ipcmark_rx_message;

typedef struct ipcmark_ext_batch {
    uint32_t size;
    uint32_t max_batch; /* the largest count worth passing; more is legal and done in parts */

    /* [tx] [hot] Sends messages in order, waiting by the wait policy until at least one is sent. *sent is how many
     * were, from the first on; with IPCMARK_OK it is at least 1 and may be less than count. A message is sent whole or
     * not at all. One that cannot be sent ends the batch: the call tells of those before it with IPCMARK_OK, and fails
     * only if it is the first. A count of 0 is never passed. */
    ipcmark_status (*send_batch)(ipcmark_endpoint* endpoint, const ipcmark_tx_message* messages, size_t count,
                                 size_t* sent);

    /* [rx] [hot] Waits for one message, then takes as many more as are there without waiting, up to count; with
     * IPCMARK_OK *received is at least 1. A message that does not fit its buffer, the end and an interrupt are told by
     * the call that finds them first, which is the next one if there are messages before. A count of 0 is never passed.
     */
    ipcmark_status (*recv_batch)(ipcmark_endpoint* endpoint, ipcmark_rx_message* messages, size_t count,
                                 size_t* received);
} ipcmark_ext_batch;

#ifdef __cplusplus
}
#endif

#endif

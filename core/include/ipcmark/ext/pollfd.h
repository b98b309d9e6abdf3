/* SPDX-License-Identifier: Apache-2.0
 *
 * The extension "ipcmark.pollfd/1": an endpoint that a reactor drives, for the asynchronous mode.
 *
 * The way of use: try; on IPCMARK_WOULD_BLOCK arm; if arm reports the direction as ready try again, else wait in poll
 * or epoll (level triggered) for the descriptor and its events, then try again. The endpoint must have been made with
 * IPCMARK_ENDPOINT_POLLED.
 */
#ifndef IPCMARK_EXT_POLLFD_H
#define IPCMARK_EXT_POLLFD_H

#include <ipcmark/module.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPCMARK_EXT_POLLFD "ipcmark.pollfd/1"

enum { IPCMARK_POLL_RX = 1u << 0, IPCMARK_POLL_TX = 1u << 1 };

typedef struct ipcmark_ext_pollfd {
    uint32_t size;
    uint32_t reserved0;

    /* [endpoint] The descriptor to wait on for one direction (IPCMARK_POLL_RX or IPCMARK_POLL_TX) and the poll(2)
     * events to wait for. The descriptor belongs to the endpoint and stays the same until close; both directions may
     * share one. */
    ipcmark_status (*get_fd)(ipcmark_endpoint* endpoint, uint32_t direction, int* fd, short* events);

    /* [tx] [hot] As send, but returns IPCMARK_WOULD_BLOCK instead of waiting. After IPCMARK_WOULD_BLOCK part of the
     * message may be on its way: the caller repeats the call with the same data and size until another status comes. */
    ipcmark_status (*try_send)(ipcmark_endpoint* endpoint, const void* data, size_t size);

    /* [rx] [hot] As recv, but returns IPCMARK_WOULD_BLOCK instead of waiting. After IPCMARK_WOULD_BLOCK part of the
     * message may be in the buffer: the caller repeats the call with the same buffer and capacity until another status
     * comes. A message larger than capacity is IPCMARK_TRUNCATED, once all of it is here. */
    ipcmark_status (*try_recv)(ipcmark_endpoint* endpoint, void* data, size_t capacity, size_t* size);

    /* [tx] for IPCMARK_POLL_TX, [rx] for IPCMARK_POLL_RX, [hot]. Prepares the descriptors so that whatever happens
     * after this call wakes a poll: no wake-up is lost. `directions` is a set; *ready is the part of it that need not
     * wait: the caller tries those at once. An interrupt makes a direction ready and wakes a poll for its descriptor
     * and events, and so does the death of the peer, for a sender that waits for room too. A descriptor that wakes a
     * poll again and again while nothing can be done is a fault: it costs a CPU. */
    ipcmark_status (*arm)(ipcmark_endpoint* endpoint, uint32_t directions, uint32_t* ready);
} ipcmark_ext_pollfd;

#ifdef __cplusplus
}
#endif

#endif

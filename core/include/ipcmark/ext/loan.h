/* SPDX-License-Identifier: Apache-2.0
 *
 * The extension "ipcmark.loan/1": messages written and read in place, with no copy between the caller and the
 * transport.
 *
 * A token stands for a piece of the transport's memory. It is consumed by the call that gives it back, whatever the
 * status of that call. At most one loan and one taken message are out on an endpoint at a time; a second is
 * IPCMARK_LIMIT. Closing an endpoint consumes all tokens. The endpoint must have been made with
 * IPCMARK_ENDPOINT_LOANED. loan, commit and take are interrupted as send and recv are; discard and release never wait,
 * and what they return after an interrupt is the module's choice.
 */
#ifndef IPCMARK_EXT_LOAN_H
#define IPCMARK_EXT_LOAN_H

#include <ipcmark/module.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPCMARK_EXT_LOAN "ipcmark.loan/1"

typedef struct ipcmark_loan {
    void* data; /* at least `size` bytes, aligned to 16; contents undefined */
    uint64_t size;
    uint64_t token; /* never 0 */
} ipcmark_loan;

typedef struct ipcmark_taken {
    const void* data; /* the message, aligned to 16 */
    uint64_t size;
    uint64_t token; /* never 0 */
} ipcmark_taken;

typedef struct ipcmark_ext_loan {
    uint32_t size;
    uint32_t reserved0;

    /* [tx] [hot] Lends room for a message of up to `size` bytes, waiting by the wait policy while there is none. */
    ipcmark_status (*loan)(ipcmark_endpoint* endpoint, size_t size, ipcmark_loan* out);

    /* [tx] [hot] Sends the first `size` bytes of the loan. Consumes the token. */
    ipcmark_status (*commit)(ipcmark_endpoint* endpoint, uint64_t token, size_t size);

    /* [tx] [hot] Gives a loan back unsent. Consumes the token. */
    ipcmark_status (*discard)(ipcmark_endpoint* endpoint, uint64_t token);

    /* [rx] [hot] Takes the next message, waiting by the wait policy. It stays readable until release. */
    ipcmark_status (*take)(ipcmark_endpoint* endpoint, ipcmark_taken* out);

    /* [rx] [hot] Gives a taken message's memory back to the sender. Consumes the token. */
    ipcmark_status (*release)(ipcmark_endpoint* endpoint, uint64_t token);
} ipcmark_ext_loan;

#ifdef __cplusplus
}
#endif

#endif

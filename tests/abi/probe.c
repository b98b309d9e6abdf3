/* SPDX-License-Identifier: Apache-2.0
 *
 * A library that mentions every type of the ABI, for abidiff to compare with the recorded baseline: it sees what
 * offsets cannot show, such as the signature behind a function pointer.
 */
#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/loan.h>
#include <ipcmark/ext/pollfd.h>
#include <ipcmark/module.h>

#define PROBE(type)                                                                                                    \
    IPCMARK_EXPORT void probe_##type(type*);                                                                           \
    void probe_##type(type* object) {                                                                                  \
        (void)object;                                                                                                  \
    }

PROBE(ipcmark_error)
PROBE(ipcmark_choice)
PROBE(ipcmark_option_type)
PROBE(ipcmark_option)
PROBE(ipcmark_value)
PROBE(ipcmark_host)
PROBE(ipcmark_listen_params)
PROBE(ipcmark_endpoint_params)
PROBE(ipcmark_limits)
PROBE(ipcmark_descriptor)
PROBE(ipcmark_module_entry_v1)
PROBE(ipcmark_ext_pollfd)
PROBE(ipcmark_loan)
PROBE(ipcmark_taken)
PROBE(ipcmark_ext_loan)
PROBE(ipcmark_tx_message)
PROBE(ipcmark_rx_message)
PROBE(ipcmark_ext_batch)

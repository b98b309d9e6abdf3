/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_socket.h"

static void* make(const struct floor_run* run) {
    (void)run;
    static int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        floor_fail("socketpair");
    return pair;
}

static void client(void* made, const struct floor_run* run, struct floor_results* results) {
    struct end end = {((int*)made)[0]};
    loop_client(&end, run, results);
}

static void server(void* made, const struct floor_run* run, struct floor_results* results) {
    struct end end = {((int*)made)[1]};
    loop_server(&end, run, results);
}

const struct floor_transport floor_uds = {"uds", make, client, server};

/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

static void* make(const struct floor_run* run) {
    (void)run;
    static int pair[2];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || pair[0] < 0 || bind(listener, (struct sockaddr*)&address, length) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr*)&address, &length) != 0 ||
        connect(pair[0], (struct sockaddr*)&address, length) != 0 || (pair[1] = accept(listener, NULL, NULL)) < 0)
        floor_fail("connect");
    close(listener);
    const int on = 1;
    if (setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        setsockopt(pair[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        floor_fail("TCP_NODELAY");
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

const struct floor_transport floor_tcp = {"tcp", make, client, server};

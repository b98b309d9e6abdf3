/* SPDX-License-Identifier: Apache-2.0
 *
 * A module as a stranger could have written it for version 1.0 of the ABI: messages over a unix socket that keeps
 * their boundaries. Plain and slow on purpose; what counts is that it goes on working.
 */
#include <ipcmark/module.h>

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LARGEST_MESSAGE ((uint64_t)64 << 10)

/* ---------------------------------------------------------------------------------------------------- errors */

static _Thread_local ipcmark_error last;

static ipcmark_status fail(ipcmark_status status, int system_errno, const char* text) {
    memset(&last, 0, sizeof last);
    last.size = (uint32_t)sizeof last;
    last.status = status;
    last.system_errno = system_errno;
    if (system_errno != 0)
        snprintf(last.text, sizeof last.text, "%s: %s", text, strerror(system_errno));
    else
        snprintf(last.text, sizeof last.text, "%s", text);
    return status;
}

static ipcmark_status fail_with_errno(const char* text) {
    return fail(IPCMARK_SYSTEM, errno, text);
}

static void frozen_last_error(const void* object, ipcmark_error* out) {
    (void)object;
    const uint32_t size = out->size < sizeof last ? out->size : (uint32_t)sizeof last;
    memcpy(out, &last, size);
    out->size = size;
}

/* ------------------------------------------------------------------------------------------------ interrupts */

/* Becomes readable at the first interrupt and stays so. */
typedef struct stop_flag {
    int event;
    _Atomic ipcmark_status status;
} stop_flag;

static int open_stop_flag(stop_flag* flag) {
    atomic_init(&flag->status, IPCMARK_OK);
    flag->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return flag->event;
}

static void raise_stop_flag(stop_flag* flag, ipcmark_status status) {
    ipcmark_status none = IPCMARK_OK;
    const uint64_t one = 1;
    if (atomic_compare_exchange_strong(&flag->status, &none, status) && write(flag->event, &one, sizeof one) < 0)
        return; /* cannot be: the counter is far from full */
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Waits until `fd` has `events`; deadline 0 is never. */
static ipcmark_status wait_for(int fd, short events, stop_flag* flag, uint64_t deadline) {
    struct pollfd waits[2] = {{fd, events, 0}, {flag->event, POLLIN, 0}};
    for (;;) {
        int left = -1;
        if (deadline != 0) {
            const uint64_t now = now_ns();
            left = now >= deadline ? 0 : (int)((deadline - now + 999999u) / 1000000u);
        }
        const int ready = poll(waits, 2, left);
        if (ready < 0 && errno != EINTR)
            return fail_with_errno("poll");
        if (waits[1].revents != 0)
            return fail(atomic_load(&flag->status), 0, "interrupted");
        if (ready > 0)
            return IPCMARK_OK;
        if (ready == 0 && deadline != 0 && now_ns() >= deadline)
            return fail(IPCMARK_TIMED_OUT, 0, "nobody came in time");
    }
}

/* --------------------------------------------------------------------------------------------------- options */

static const ipcmark_option options[] = {
    {"buffer", IPCMARK_TYPE_BYTES, 0, "256K", 4096, (int64_t)16 << 20, NULL, "bytes", "The socket's send buffer."},
};

static uint64_t buffer_of(const ipcmark_value* values, uint32_t count) {
    return count > 0 && values != NULL ? values[0].as.u64 : (uint64_t)256 << 10;
}

/* -------------------------------------------------------------------------------------------------- listener */

struct ipcmark_listener {
    int fd;
    stop_flag stop;
    struct sockaddr_un name;
    socklen_t name_length;
};

struct ipcmark_endpoint {
    int fd;
    stop_flag stop;
    uint64_t max_message_size;
    uint64_t tx_fixed_size;
};

static ipcmark_status frozen_limits(const ipcmark_listen_params* params, ipcmark_limits* out) {
    (void)params;
    ipcmark_limits mine;
    memset(&mine, 0, sizeof mine);
    mine.size = out->size < sizeof mine ? out->size : (uint32_t)sizeof mine;
    mine.max_message_size = LARGEST_MESSAGE;
    snprintf(mine.reason, sizeof mine.reason, "this module copies no more than %llu bytes at a time",
             (unsigned long long)LARGEST_MESSAGE);
    memcpy(out, &mine, mine.size);
    return IPCMARK_OK;
}

static void frozen_close_listener(ipcmark_listener* listener) {
    if (listener == NULL)
        return;
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->stop.event >= 0)
        close(listener->stop.event);
    free(listener);
}

static ipcmark_status frozen_listen(const ipcmark_listen_params* params, ipcmark_listener** out) {
    *out = NULL;
    if (params->max_message_size > LARGEST_MESSAGE)
        return fail(IPCMARK_TOO_BIG, 0, "messages of more than 64 KiB");
    ipcmark_listener* listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return fail(IPCMARK_NO_MEMORY, 0, "no memory for a listener");
    listener->name.sun_family = AF_UNIX;
    listener->name_length = sizeof listener->name;
    listener->stop.event = -1;
    listener->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* A bind of the family alone makes the kernel choose a free abstract name. */
    if (listener->fd < 0 || bind(listener->fd, (const struct sockaddr*)&listener->name, sizeof(sa_family_t)) != 0 ||
        getsockname(listener->fd, (struct sockaddr*)&listener->name, &listener->name_length) != 0 ||
        listen(listener->fd, 128) != 0 || open_stop_flag(&listener->stop) < 0) {
        const ipcmark_status status = fail_with_errno("cannot listen");
        frozen_close_listener(listener);
        return status;
    }
    *out = listener;
    return IPCMARK_OK;
}

static ipcmark_status frozen_listener_address(ipcmark_listener* listener, void* buffer, size_t capacity,
                                              size_t* length) {
    *length = listener->name_length;
    if (capacity < listener->name_length)
        return fail(IPCMARK_TRUNCATED, 0, "the buffer is too small for the address");
    memcpy(buffer, &listener->name, listener->name_length);
    return IPCMARK_OK;
}

static void frozen_interrupt_listener(ipcmark_listener* listener, ipcmark_status status) {
    raise_stop_flag(&listener->stop, status);
}

/* -------------------------------------------------------------------------------------------------- endpoint */

static void frozen_close(ipcmark_endpoint* endpoint) {
    if (endpoint == NULL)
        return;
    if (endpoint->fd >= 0)
        close(endpoint->fd);
    if (endpoint->stop.event >= 0)
        close(endpoint->stop.event);
    free(endpoint);
}

/* Owns `fd` from here on, whatever comes of it. */
static ipcmark_status make_endpoint(int fd, const ipcmark_endpoint_params* params, ipcmark_endpoint** out) {
    const int buffer = (int)buffer_of(params->values, params->value_count);
    ipcmark_endpoint* endpoint = calloc(1, sizeof *endpoint);
    if (endpoint == NULL) {
        close(fd);
        return fail(IPCMARK_NO_MEMORY, 0, "no memory for an endpoint");
    }
    endpoint->fd = fd;
    endpoint->max_message_size = params->max_message_size;
    endpoint->tx_fixed_size = params->tx_fixed_size;
    endpoint->stop.event = -1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) != 0 || open_stop_flag(&endpoint->stop) < 0) {
        const ipcmark_status status = fail_with_errno("cannot make an endpoint");
        frozen_close(endpoint);
        return status;
    }
    *out = endpoint;
    return IPCMARK_OK;
}

static ipcmark_status check_params(const ipcmark_endpoint_params* params) {
    if (params->wait_policy != IPCMARK_WAIT_BLOCK)
        return fail(IPCMARK_UNSUPPORTED, 0, "this module waits in the kernel only");
    if ((params->flags & (IPCMARK_ENDPOINT_POLLED | IPCMARK_ENDPOINT_LOANED)) != 0)
        return fail(IPCMARK_UNSUPPORTED, 0, "this module has no extensions");
    if (params->max_message_size > LARGEST_MESSAGE)
        return fail(IPCMARK_TOO_BIG, 0, "messages of more than 64 KiB");
    return IPCMARK_OK;
}

static ipcmark_status frozen_accept(ipcmark_listener* listener, const ipcmark_endpoint_params* params,
                                    ipcmark_endpoint** out) {
    *out = NULL;
    ipcmark_status status = check_params(params);
    const uint64_t deadline = params->timeout_ns == 0 ? 0 : now_ns() + params->timeout_ns;
    while (status == IPCMARK_OK) {
        status = wait_for(listener->fd, POLLIN, &listener->stop, deadline);
        if (status != IPCMARK_OK)
            break;
        const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            return make_endpoint(fd, params, out);
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            status = fail_with_errno("accept");
    }
    return status;
}

static ipcmark_status frozen_connect(const void* address, size_t address_length, const ipcmark_endpoint_params* params,
                                     ipcmark_endpoint** out) {
    *out = NULL;
    const ipcmark_status status = check_params(params);
    if (status != IPCMARK_OK)
        return status;
    struct sockaddr_un name;
    if (address == NULL || address_length < sizeof(sa_family_t) + 2 || address_length > sizeof name)
        return fail(IPCMARK_BAD_ARGUMENT, 0, "not an address of this module");
    memset(&name, 0, sizeof name);
    memcpy(&name, address, address_length);
    if (name.sun_family != AF_UNIX || name.sun_path[0] != '\0')
        return fail(IPCMARK_BAD_ARGUMENT, 0, "not an address of this module");
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail_with_errno("socket");
    if (connect(fd, (const struct sockaddr*)&name, (socklen_t)address_length) != 0) {
        const ipcmark_status failure = errno == ECONNREFUSED
                                           ? fail(IPCMARK_NOT_CONNECTED, errno, "nobody listens at this address")
                                           : fail_with_errno("connect");
        close(fd);
        return failure;
    }
    return make_endpoint(fd, params, out);
}

static ipcmark_status frozen_send(ipcmark_endpoint* endpoint, const void* data, size_t size) {
    if (size == 0 || (endpoint->tx_fixed_size != 0 && size != endpoint->tx_fixed_size))
        return fail(IPCMARK_BAD_ARGUMENT, 0, "not the size of this endpoint's messages");
    if (size > endpoint->max_message_size)
        return fail(IPCMARK_TOO_BIG, 0, "larger than this endpoint's messages");
    for (;;) {
        const ipcmark_status stopped = atomic_load(&endpoint->stop.status);
        if (stopped != IPCMARK_OK)
            return fail(stopped, 0, "interrupted");
        if (send(endpoint->fd, data, size, MSG_NOSIGNAL) >= 0)
            return IPCMARK_OK;
        if (errno == EPIPE || errno == ECONNRESET)
            return fail(IPCMARK_PEER_GONE, errno, "send");
        if (errno != EAGAIN && errno != EINTR)
            return fail_with_errno("send");
        const ipcmark_status status = wait_for(endpoint->fd, POLLOUT, &endpoint->stop, 0);
        if (status != IPCMARK_OK)
            return status;
    }
}

static ipcmark_status frozen_recv(ipcmark_endpoint* endpoint, void* data, size_t capacity, size_t* size) {
    for (;;) {
        const ipcmark_status stopped = atomic_load(&endpoint->stop.status);
        if (stopped != IPCMARK_OK)
            return fail(stopped, 0, "interrupted");
        const ssize_t got = recv(endpoint->fd, data, capacity, MSG_TRUNC);
        if (got > 0 && (size_t)got > capacity)
            return fail(IPCMARK_TRUNCATED, 0, "the message is larger than the buffer");
        if (got > 0) {
            *size = (size_t)got;
            return IPCMARK_OK;
        }
        if (got == 0 || errno == ECONNRESET)
            return fail(IPCMARK_PEER_GONE, 0, "the peer has closed or died");
        if (errno != EAGAIN && errno != EINTR)
            return fail_with_errno("recv");
        const ipcmark_status status = wait_for(endpoint->fd, POLLIN, &endpoint->stop, 0);
        if (status != IPCMARK_OK)
            return status;
    }
}

static void frozen_interrupt(ipcmark_endpoint* endpoint, ipcmark_status status) {
    raise_stop_flag(&endpoint->stop, status);
}

static ipcmark_status frozen_effective_option(ipcmark_endpoint* endpoint, uint32_t index, ipcmark_value* out) {
    int granted = 0;
    socklen_t length = sizeof granted;
    if (index != 0)
        return fail(IPCMARK_BAD_ARGUMENT, 0, "there is one option");
    if (getsockopt(endpoint->fd, SOL_SOCKET, SO_SNDBUF, &granted, &length) != 0)
        return fail_with_errno("getsockopt");
    out->type = IPCMARK_TYPE_BYTES;
    out->as.u64 = (uint64_t)granted / 2; /* the kernel doubles it for its own needs */
    return IPCMARK_OK;
}

/* -------------------------------------------------------------------------------------------------- the tables */

static const ipcmark_descriptor descriptor = {
    .size = sizeof(ipcmark_descriptor),
    .capabilities = IPCMARK_CAP_BOUNDARIES | IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE | IPCMARK_CAP_PEER_DEATH |
                    IPCMARK_CAP_TX_RX_THREADS,
    .display_name = "Frozen module",
    .result_name = "FrozenV1",
    .description = "Messages over a unix socket, by a module that was built for version 1.0 of the ABI.",
    .licence = "Apache-2.0",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .option_size = sizeof options[0],
    .limits = frozen_limits,
    .listen = frozen_listen,
    .listener_address = frozen_listener_address,
    .accept = frozen_accept,
    .connect = frozen_connect,
    .close_listener = frozen_close_listener,
    .close = frozen_close,
    .send = frozen_send,
    .recv = frozen_recv,
    .interrupt = frozen_interrupt,
    .interrupt_listener = frozen_interrupt_listener,
    .last_error = frozen_last_error,
    .effective_option = frozen_effective_option,
};

IPCMARK_DEFINE_MODULE("frozen", "1.0.0", &descriptor);

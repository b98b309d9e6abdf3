/* SPDX-License-Identifier: Apache-2.0
 *
 * A module that is a witness of what the host does: a unix seqpacket transport that writes every call down, with its
 * own clock, processor and checksum of the message. Tests compare the host's result with what the witness saw. On
 * demand it misbehaves in ways that a host must notice.
 */
#include "late_lines.h"
#include "record.h"

#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/pollfd.h>
#include <ipcmark/module.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    OPTION_LOG,
    OPTION_WRONG_REPLY,
    OPTION_WRONG_REQUEST,
    OPTION_STALL_AT,
    OPTION_STALL_REQUEST_AT,
    OPTION_STALL,
    OPTION_SLOW_ENDPOINT,
    OPTION_SLOW_ACCEPT,
    OPTION_MEET,
    OPTION_SLOW_CLOSE,
    OPTION_STRAY_TO,
    OPTION_LATE_REPLY,
    OPTION_LATE_REQUEST,
    OPTION_SLOW_RECV,
    OPTION_LOST_REQUEST,
    OPTION_COUNT
};

static const ipcmark_choice late_choices[] = {
    {.name = "off", .help = "no such lines"},
    {.name = "not-read", .help = "they leave the caches, and nobody reads them"},
    {.name = "read", .help = "they are read, and not waited for"},
    {.name = "awaited", .help = "they are read and waited for"},
};

static const ipcmark_option options[OPTION_COUNT] = {
    {.name = "log", .type = IPCMARK_TYPE_STRING, .default_text = "", .help = "file of the layout in record.h"},
    {.name = "wrong-reply",
     .type = IPCMARK_TYPE_U64,
     .default_text = "0",
     .help = "flip a bit of the last byte of the server's reply of this number, counted from 1; 0: never"},
    {.name = "wrong-request",
     .type = IPCMARK_TYPE_U64,
     .default_text = "0",
     .help = "the same of the client's message of this number"},
    {.name = "stall-at",
     .type = IPCMARK_TYPE_U64,
     .default_text = "0",
     .help = "the server's message of this number waits for `stall` first; 0: never"},
    {.name = "stall-request-at",
     .type = IPCMARK_TYPE_U64,
     .default_text = "0",
     .help = "the same of the client's message of this number"},
    {.name = "stall", .type = IPCMARK_TYPE_DURATION, .default_text = "0ms", .help = "see stall-at"},
    {.name = "slow-endpoint",
     .type = IPCMARK_TYPE_U64,
     .default_text = "0",
     .help = "on the endpoint of this number, counted from 1, every message of the server waits for `stall`; 0: none"},
    {.name = "slow-accept",
     .type = IPCMARK_TYPE_DURATION,
     .default_text = "0ms",
     .help = "accept waits so long before it returns: set-up time that no window may contain"},
    {.name = "meet",
     .type = IPCMARK_TYPE_U64,
     .default_text = "0",
     .help = "the client's message 50 waits until so many endpoints have come to theirs: they must work at once"},
    {.name = "slow-close",
     .type = IPCMARK_TYPE_DURATION,
     .default_text = "0ms",
     .help = "close waits so long before it returns: teardown that no window may contain"},
    {.name = "stray-to",
     .type = IPCMARK_TYPE_I64,
     .default_text = "-1",
     .help = "the client's thread goes to this CPU before its message 50, wherever it was placed; -1: it stays"},
    {.name = "late-reply",
     .type = IPCMARK_TYPE_ENUM,
     .choice_count = sizeof late_choices / sizeof *late_choices,
     .choices = late_choices,
     .default_text = "off",
     .help = "what happens to the lines of late_lines.h at the end of each receiving call of the client"},
    {.name = "late-request",
     .type = IPCMARK_TYPE_ENUM,
     .choice_count = sizeof late_choices / sizeof *late_choices,
     .choices = late_choices,
     .default_text = "off",
     .help = "the same of the server"},
    {.name = "slow-recv",
     .type = IPCMARK_TYPE_DURATION,
     .default_text = "0ms",
     .help = "each message that the server receives takes it so long"},
    {.name = "lost-request",
     .type = IPCMARK_TYPE_U64,
     .default_text = "0",
     .help = "the client's message of this number goes nowhere; 0: all arrive"},
};

struct ipcmark_listener {
    int socket;
    struct sockaddr_un name;
    socklen_t name_length;
    struct witness_log* log;
    size_t log_bytes;
    _Atomic ipcmark_status interrupted;
};

struct ipcmark_endpoint {
    int socket;
    uint32_t index;
    uint32_t is_server;
    uint64_t max_message_size;
    uint64_t sent;
    uint64_t wrong_message;
    uint64_t stall_at;
    uint64_t stall_ns;
    uint64_t slow_endpoint;
    uint64_t meet;
    int64_t stray_to;
    int has_arrived;
    uint64_t late_reading;
    void* late_lines; /* NULL: off */
    uint64_t slow_close_ns;
    uint64_t slow_recv_ns;
    uint64_t lost_message;
    unsigned char* copy; /* room for a falsified message */
    struct witness_log* log;
    size_t log_bytes;
    _Atomic ipcmark_status interrupted;
};

enum { MEETING_POINT = 50, STRAYING_POINT = 50 };
static _Atomic uint64_t arrived; /* endpoints at the meeting point */

static _Thread_local ipcmark_error last_failure;

static ipcmark_status fail(ipcmark_status status, const char* what) {
    last_failure.status = status;
    last_failure.system_errno = status == IPCMARK_SYSTEM ? errno : 0;
    snprintf(last_failure.text, sizeof last_failure.text, "%s%s%s", what, status == IPCMARK_SYSTEM ? ": " : "",
             status == IPCMARK_SYSTEM ? strerror(errno) : "");
    return status;
}

static void last_error(const void* object, ipcmark_error* out) {
    (void)object;
    const uint32_t size = out->size < sizeof *out ? out->size : (uint32_t)sizeof *out;
    last_failure.size = size;
    memcpy(out, &last_failure, size);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void sleep_ns(uint64_t duration_ns) {
    const struct timespec time = {.tv_sec = (time_t)(duration_ns / UINT64_C(1000000000)),
                                  .tv_nsec = (long)(duration_ns % UINT64_C(1000000000))};
    if (duration_ns > 0)
        nanosleep(&time, NULL);
}

/* FNV-1a: same bytes, same number. */
static uint32_t checksum(const void* data, size_t size) {
    uint32_t sum = 2166136261u;
    for (size_t index = 0; index < size; ++index)
        sum = (sum ^ ((const unsigned char*)data)[index]) * 16777619u;
    return sum;
}

static struct witness_log* open_log(const char* path, size_t* bytes) {
    *bytes = 0;
    if (path == NULL || path[0] == '\0')
        return NULL;
    const int file = open(path, O_RDWR | O_CLOEXEC);
    struct stat facts;
    struct witness_log* log = NULL;
    if (file >= 0 && fstat(file, &facts) == 0) {
        void* memory = mmap(NULL, (size_t)facts.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (memory != MAP_FAILED) {
            log = memory;
            *bytes = (size_t)facts.st_size;
        }
    }
    if (file >= 0)
        close(file);
    return log;
}

static void write_down(struct witness_log* log, struct witness_record record) {
    if (log == NULL)
        return;
    const uint64_t place = atomic_fetch_add(&log->count, 1);
    if (place >= log->capacity)
        return;
    record.end_ns = now_ns();
    record.pid = (uint32_t)getpid();
    record.tid = (uint32_t)gettid();
    record.cpu = (uint16_t)sched_getcpu();
    log->records[place] = record;
}

static ipcmark_status limits(const ipcmark_listen_params* params, ipcmark_limits* out) {
    (void)params;
    ipcmark_limits facts = {.max_message_size = 65536, .reason = "the witness keeps to 64 KiB"};
    facts.size = out->size < sizeof facts ? out->size : (uint32_t)sizeof facts;
    memcpy(out, &facts, facts.size);
    return IPCMARK_OK;
}

static ipcmark_status listen_(const ipcmark_listen_params* params, ipcmark_listener** out) {
    const uint64_t begin_ns = now_ns();
    *out = NULL;
    ipcmark_listener* listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return fail(IPCMARK_NO_MEMORY, "no memory for a listener");
    listener->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const struct sockaddr_un automatic = {.sun_family = AF_UNIX};
    listener->name_length = sizeof listener->name;
    if (listener->socket < 0 || bind(listener->socket, (const struct sockaddr*)&automatic, sizeof(sa_family_t)) != 0 ||
        listen(listener->socket, 128) != 0 ||
        getsockname(listener->socket, (struct sockaddr*)&listener->name, &listener->name_length) != 0) {
        const ipcmark_status status = fail(IPCMARK_SYSTEM, "cannot listen");
        if (listener->socket >= 0)
            close(listener->socket);
        free(listener);
        return status;
    }
    listener->log = open_log(params->values[OPTION_LOG].as.string, &listener->log_bytes);
    write_down(listener->log, (struct witness_record){.begin_ns = begin_ns, .event = WITNESS_LISTEN, .is_server = 1});
    *out = listener;
    return IPCMARK_OK;
}

static ipcmark_status listener_address(ipcmark_listener* listener, void* buffer, size_t capacity, size_t* length) {
    if (capacity < listener->name_length)
        return fail(IPCMARK_TRUNCATED, "no room for the address");
    memcpy(buffer, &listener->name, listener->name_length);
    *length = listener->name_length;
    return IPCMARK_OK;
}

static ipcmark_status make_endpoint(int socket, const ipcmark_endpoint_params* params, uint32_t is_server,
                                    ipcmark_endpoint** out) {
    ipcmark_endpoint* endpoint = calloc(1, sizeof *endpoint);
    if (endpoint == NULL || (endpoint->copy = malloc((size_t)params->max_message_size)) == NULL) {
        free(endpoint);
        close(socket);
        return fail(IPCMARK_NO_MEMORY, "no memory for an endpoint");
    }
    endpoint->socket = socket;
    endpoint->index = params->index;
    endpoint->is_server = is_server;
    endpoint->max_message_size = params->max_message_size;
    endpoint->wrong_message = params->values[is_server ? OPTION_WRONG_REPLY : OPTION_WRONG_REQUEST].as.u64;
    endpoint->stall_at = params->values[is_server ? OPTION_STALL_AT : OPTION_STALL_REQUEST_AT].as.u64;
    endpoint->slow_endpoint = params->values[OPTION_SLOW_ENDPOINT].as.u64;
    endpoint->meet = params->values[OPTION_MEET].as.u64;
    endpoint->stray_to = is_server ? -1 : params->values[OPTION_STRAY_TO].as.i64;
    endpoint->stall_ns = params->values[OPTION_STALL].as.u64;
    endpoint->slow_close_ns = params->values[OPTION_SLOW_CLOSE].as.u64;
    endpoint->slow_recv_ns = is_server ? params->values[OPTION_SLOW_RECV].as.u64 : 0;
    endpoint->lost_message = is_server ? 0 : params->values[OPTION_LOST_REQUEST].as.u64;
    endpoint->log = open_log(params->values[OPTION_LOG].as.string, &endpoint->log_bytes);
    const uint64_t late = params->values[is_server ? OPTION_LATE_REQUEST : OPTION_LATE_REPLY].as.u64;
    if (late != LATE_OFF) {
        endpoint->late_reading = late;
        endpoint->late_lines = make_late_lines();
    }
    *out = endpoint;
    return IPCMARK_OK;
}

/* Spinning is refused, as the contract asks of a module that cannot. */
static ipcmark_status check_params(const ipcmark_endpoint_params* params) {
    if (params->wait_policy != IPCMARK_WAIT_BLOCK || (params->flags & ~(uint32_t)IPCMARK_ENDPOINT_POLLED) != 0)
        return fail(IPCMARK_UNSUPPORTED, "the witness only blocks");
    return IPCMARK_OK;
}

static ipcmark_status accept_(ipcmark_listener* listener, const ipcmark_endpoint_params* params,
                              ipcmark_endpoint** out) {
    const uint64_t begin_ns = now_ns();
    *out = NULL;
    ipcmark_status status = check_params(params);
    if (status != IPCMARK_OK)
        return status;
    const struct timeval limit = {.tv_sec = (time_t)(params->timeout_ns / UINT64_C(1000000000)),
                                  .tv_usec = (suseconds_t)(params->timeout_ns / 1000 % 1000000)};
    setsockopt(listener->socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const int socket = accept4(listener->socket, NULL, NULL, SOCK_CLOEXEC);
    if (listener->interrupted != IPCMARK_OK) {
        if (socket >= 0)
            close(socket);
        return fail(listener->interrupted, "interrupted");
    }
    if (socket < 0)
        return fail(errno == EAGAIN ? IPCMARK_TIMED_OUT : IPCMARK_SYSTEM, "cannot accept");
    sleep_ns(params->values[OPTION_SLOW_ACCEPT].as.u64);
    status = make_endpoint(socket, params, 1, out);
    write_down(listener->log, (struct witness_record){.begin_ns = begin_ns,
                                                      .event = WITNESS_ACCEPT,
                                                      .endpoint = params->index,
                                                      .status = status,
                                                      .is_server = 1});
    return status;
}

static ipcmark_status connect_(const void* address, size_t address_length, const ipcmark_endpoint_params* params,
                               ipcmark_endpoint** out) {
    const uint64_t begin_ns = now_ns();
    *out = NULL;
    ipcmark_status status = check_params(params);
    if (status != IPCMARK_OK)
        return status;
    const int peer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un name;
    memcpy(&name, address, address_length < sizeof name ? address_length : sizeof name);
    if (peer < 0 || connect(peer, (const struct sockaddr*)&name, (socklen_t)address_length) != 0) {
        status = fail(errno == ECONNREFUSED ? IPCMARK_NOT_CONNECTED : IPCMARK_SYSTEM, "cannot connect");
        if (peer >= 0)
            close(peer);
        return status;
    }
    status = make_endpoint(peer, params, 0, out);
    if (status == IPCMARK_OK)
        write_down((*out)->log,
                   (struct witness_record){.begin_ns = begin_ns, .event = WITNESS_CONNECT, .endpoint = params->index});
    return status;
}

static void close_listener(ipcmark_listener* listener) {
    if (listener == NULL)
        return;
    close(listener->socket);
    if (listener->log != NULL)
        munmap(listener->log, listener->log_bytes);
    free(listener);
}

static void close_(ipcmark_endpoint* endpoint) {
    if (endpoint == NULL)
        return;
    write_down(endpoint->log, (struct witness_record){.begin_ns = now_ns(),
                                                      .event = WITNESS_CLOSE,
                                                      .endpoint = endpoint->index,
                                                      .is_server = endpoint->is_server});
    sleep_ns(endpoint->slow_close_ns);
    close(endpoint->socket);
    if (endpoint->log != NULL)
        munmap(endpoint->log, endpoint->log_bytes);
    free(endpoint->late_lines);
    free(endpoint->copy);
    free(endpoint);
}

static void stray(int64_t cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static int waits_for_others(ipcmark_endpoint* endpoint) {
    if (endpoint->meet == 0 || endpoint->is_server || endpoint->interrupted != IPCMARK_OK)
        return 0;
    if (!endpoint->has_arrived)
        ++arrived;
    endpoint->has_arrived = 1;
    return arrived < endpoint->meet;
}

static ipcmark_status send_with(ipcmark_endpoint* endpoint, const void* data, size_t size, int flags) {
    const uint64_t begin_ns = now_ns();
    if (size == 0)
        return fail(IPCMARK_BAD_ARGUMENT, "a message of 0 bytes");
    if (size > endpoint->max_message_size)
        return fail(IPCMARK_TOO_BIG, "the message is larger than max_message_size");
    if (endpoint->interrupted != IPCMARK_OK)
        return fail(endpoint->interrupted, "interrupted");
    const uint64_t number = endpoint->sent + 1;
    if (number == endpoint->stall_at ||
        (endpoint->is_server && endpoint->index + UINT64_C(1) == endpoint->slow_endpoint))
        sleep_ns(endpoint->stall_ns);
    if (number == STRAYING_POINT && endpoint->stray_to >= 0)
        stray(endpoint->stray_to);
    while (number == MEETING_POINT && waits_for_others(endpoint)) {
        if (flags != 0)
            return IPCMARK_WOULD_BLOCK;
        sleep_ns(UINT64_C(1000000));
    }
    const void* bytes = data;
    if (number == endpoint->wrong_message) {
        memcpy(endpoint->copy, data, size);
        endpoint->copy[size - 1] ^= 1;
        bytes = endpoint->copy;
    }
    ssize_t done = (ssize_t)size;
    if (number != endpoint->lost_message)
        do
            done = send(endpoint->socket, bytes, size, MSG_NOSIGNAL | flags);
        while (done < 0 && errno == EINTR);
    if (done < 0 && errno == EAGAIN && flags != 0 && endpoint->interrupted == IPCMARK_OK)
        return IPCMARK_WOULD_BLOCK; /* not written down: nothing has happened */
    endpoint->sent = number;
    ipcmark_status status = IPCMARK_OK;
    if (done < 0) {
        if (endpoint->interrupted != IPCMARK_OK)
            status = fail(endpoint->interrupted, "interrupted");
        else
            status = fail(errno == EPIPE || errno == ECONNRESET ? IPCMARK_PEER_GONE : IPCMARK_SYSTEM, "cannot send");
    }
    write_down(endpoint->log, (struct witness_record){.begin_ns = begin_ns,
                                                      .event = WITNESS_SEND,
                                                      .endpoint = endpoint->index,
                                                      .size = (uint32_t)size,
                                                      .checksum = checksum(bytes, size),
                                                      .status = status,
                                                      .is_server = endpoint->is_server});
    return status;
}

static ipcmark_status send_(ipcmark_endpoint* endpoint, const void* data, size_t size) {
    return send_with(endpoint, data, size, 0);
}

static ipcmark_status try_send(ipcmark_endpoint* endpoint, const void* data, size_t size) {
    return send_with(endpoint, data, size, MSG_DONTWAIT);
}

static ipcmark_status recv_with(ipcmark_endpoint* endpoint, void* data, size_t capacity, size_t* size, int flags) {
    const uint64_t begin_ns = now_ns();
    if (endpoint->interrupted != IPCMARK_OK)
        return fail(endpoint->interrupted, "interrupted");
    /* Who sleeps in the kernel comes back to a processor that does not run ahead: nothing would be late. */
    const int polls = endpoint->late_lines != NULL && endpoint->is_server && flags == 0;
    ssize_t done;
    do
        done = recv(endpoint->socket, data, capacity, MSG_TRUNC | flags | (polls ? MSG_DONTWAIT : 0));
    while (done < 0 && (errno == EINTR || (polls && errno == EAGAIN && endpoint->interrupted == IPCMARK_OK)));
    if (done < 0 && errno == EAGAIN && flags != 0 && endpoint->interrupted == IPCMARK_OK)
        return IPCMARK_WOULD_BLOCK;
    ipcmark_status status = IPCMARK_OK;
    if (done <= 0 && endpoint->interrupted != IPCMARK_OK)
        status = fail(endpoint->interrupted, "interrupted");
    else if (done <= 0)
        status = fail(done == 0 || errno == ECONNRESET ? IPCMARK_PEER_GONE : IPCMARK_SYSTEM, "cannot receive");
    else if ((size_t)done > capacity)
        status = fail(IPCMARK_TRUNCATED, "the message is larger than the buffer given");
    else {
        *size = (size_t)done;
        sleep_ns(endpoint->slow_recv_ns);
    }
    write_down(endpoint->log, (struct witness_record){.begin_ns = begin_ns,
                                                      .event = WITNESS_RECV,
                                                      .endpoint = endpoint->index,
                                                      .size = done > 0 ? (uint32_t)done : 0,
                                                      .checksum = status == IPCMARK_OK ? checksum(data, *size) : 0,
                                                      .status = status,
                                                      .is_server = endpoint->is_server});
    if (endpoint->late_lines != NULL)
        read_late_lines(endpoint->late_lines, endpoint->late_reading); /* last: to look at a clock is to wait */
    return status;
}

static ipcmark_status recv_(ipcmark_endpoint* endpoint, void* data, size_t capacity, size_t* size) {
    return recv_with(endpoint, data, capacity, size, 0);
}

static ipcmark_status try_recv(ipcmark_endpoint* endpoint, void* data, size_t capacity, size_t* size) {
    return recv_with(endpoint, data, capacity, size, MSG_DONTWAIT);
}

static ipcmark_status get_fd(ipcmark_endpoint* endpoint, uint32_t direction, int* fd, short* events) {
    *fd = endpoint->socket;
    *events = direction == IPCMARK_POLL_RX ? POLLIN : POLLOUT;
    return IPCMARK_OK;
}

static ipcmark_status arm(ipcmark_endpoint* endpoint, uint32_t directions, uint32_t* ready) {
    *ready = endpoint->interrupted != IPCMARK_OK ? directions : 0;
    return IPCMARK_OK;
}

static const ipcmark_ext_pollfd pollfd_table = {
    .size = sizeof(ipcmark_ext_pollfd), .get_fd = get_fd, .try_send = try_send, .try_recv = try_recv, .arm = arm};

static ipcmark_status send_batch(ipcmark_endpoint* endpoint, const ipcmark_tx_message* messages, size_t count,
                                 size_t* sent) {
    (void)count;
    const ipcmark_status status = send_(endpoint, messages[0].data, messages[0].size);
    *sent = status == IPCMARK_OK ? 1 : 0;
    return status;
}

static ipcmark_status recv_batch(ipcmark_endpoint* endpoint, ipcmark_rx_message* messages, size_t count,
                                 size_t* received) {
    (void)count;
    size_t size = 0;
    const ipcmark_status status = recv_(endpoint, messages[0].data, messages[0].capacity, &size);
    messages[0].size = size;
    *received = status == IPCMARK_OK ? 1 : 0;
    return status;
}

static const ipcmark_ext_batch batch_table = {
    .size = sizeof(ipcmark_ext_batch), .max_batch = 1, .send_batch = send_batch, .recv_batch = recv_batch};

static const void* get_extension(const char* id) {
    if (strcmp(id, IPCMARK_EXT_BATCH) == 0)
        return &batch_table;
    return strcmp(id, IPCMARK_EXT_POLLFD) == 0 ? &pollfd_table : NULL;
}

/* A shut-down socket wakes whoever is blocked in it and refuses whoever comes later. */
static void interrupt(ipcmark_endpoint* endpoint, ipcmark_status status) {
    ipcmark_status none = IPCMARK_OK;
    atomic_compare_exchange_strong(&endpoint->interrupted, &none, status);
    shutdown(endpoint->socket, SHUT_RDWR);
}

static void interrupt_listener(ipcmark_listener* listener, ipcmark_status status) {
    ipcmark_status none = IPCMARK_OK;
    atomic_compare_exchange_strong(&listener->interrupted, &none, status);
    shutdown(listener->socket, SHUT_RDWR);
}

static const ipcmark_descriptor descriptor = {
    .size = sizeof(ipcmark_descriptor),
    .capabilities = IPCMARK_CAP_BOUNDARIES | IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE | IPCMARK_CAP_PEER_DEATH |
                    IPCMARK_CAP_TX_RX_THREADS,
    .display_name = "Witness",
    .result_name = "Witness",
    .description = "Writes down what the host does; for the integration tests.",
    .licence = "Apache-2.0",
    .options = options,
    .option_count = OPTION_COUNT,
    .option_size = sizeof(ipcmark_option),
    .limits = limits,
    .listen = listen_,
    .listener_address = listener_address,
    .accept = accept_,
    .connect = connect_,
    .close_listener = close_listener,
    .close = close_,
    .send = send_,
    .recv = recv_,
    .interrupt = interrupt,
    .interrupt_listener = interrupt_listener,
    .last_error = last_error,
    .get_extension = get_extension,
};

IPCMARK_DEFINE_MODULE("witness", "1.0.0", &descriptor);

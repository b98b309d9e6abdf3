/* SPDX-License-Identifier: Apache-2.0
 *
 * A transport over named pipes.
 */
#include <ipcmark/module.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_BYTES (UINT64_C(1) << 30)
#define HEADER_BYTES 8
#define NAME_BYTES 200

/* ------------------------------------------------------------------------------------------------- errors */

static _Thread_local ipcmark_error last;

/* Notes why a call of this thread fails; `text` is a literal, so that hot functions can use this, too. */
static ipcmark_status fail(ipcmark_status status, int system_errno, const char* text) {
    last.status = status;
    last.system_errno = system_errno;
    strncpy(last.text, text, sizeof last.text - 1);
    return status;
}

static void pipe_last_error(const void* object, ipcmark_error* out) {
    (void)object;
    ipcmark_error error = last;
    error.size = out->size;
    memcpy(out, &error, out->size < sizeof error ? out->size : sizeof error);
}

/* ------------------------------------------------------------------------------------------------ options */

static const ipcmark_option options[] = {
    {.name = "capacity",
     .type = IPCMARK_TYPE_BYTES,
     .default_text = "64K",
     .minimum = 4096,
     .maximum = 1 << 20,
     .unit = "bytes",
     .help = "How much each pipe holds; above /proc/sys/fs/pipe-max-size only for root."},
};
enum { option_capacity, option_count };

static ipcmark_status check_values(const ipcmark_value* values, uint32_t count) {
    if (values == NULL || count != option_count || values[option_capacity].type != IPCMARK_TYPE_BYTES)
        return fail(IPCMARK_BAD_ARGUMENT, 0, "one value for the option 'capacity' is needed");
    if (values[option_capacity].as.u64 < 4096 || values[option_capacity].as.u64 > (1 << 20))
        return fail(IPCMARK_BAD_ARGUMENT, 0, "capacity must be 4K to 1M");
    return IPCMARK_OK;
}

static ipcmark_status pipe_limits(const ipcmark_listen_params* params, ipcmark_limits* out) {
    (void)params;
    ipcmark_limits limits = {.size = out->size, .max_message_size = LIMIT_BYTES};
    strcpy(limits.reason, "the module's own limit: a pipe carries any number of bytes");
    memcpy(out, &limits, out->size < sizeof limits ? out->size : sizeof limits);
    return IPCMARK_OK;
}

/* ---------------------------------------------------------------------------------------------- interrupts */

/* The flag is for calls that spin, the eventfd, which is never read, for those that sleep. */
struct interrupt {
    _Atomic ipcmark_status status;
    int wake;
};

static void raise_interrupt(struct interrupt* interrupt, ipcmark_status status) {
    ipcmark_status none = IPCMARK_OK;
    atomic_compare_exchange_strong(&interrupt->status, &none, status);
    const uint64_t one = 1;
    if (write(interrupt->wake, &one, sizeof one) < 0)
        return; /* the counter is full, so it is readable already */
}

static ipcmark_status interrupted(struct interrupt* interrupt) {
    return atomic_load_explicit(&interrupt->status, memory_order_acquire);
}

/* ------------------------------------------------------------------------------------------------ objects */

struct ipcmark_listener {
    struct interrupt interrupt;
    int hello; /* the pipe in which connects announce themselves */
    uint64_t max_message_size;
    char name[NAME_BYTES];
};

struct ipcmark_endpoint {
    struct interrupt interrupt;
    int tx;
    int rx;
    uint32_t wait_policy;
    uint64_t spin_ns;
    uint64_t max_message_size;
    uint64_t tx_fixed_size;
    uint64_t rx_fixed_size;
};

/* What a connect writes into the listener's pipe; shorter than PIPE_BUF, so it arrives in one piece. */
struct hello {
    char name[NAME_BYTES]; /* of its two pipes, without the ending */
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int milliseconds_until(uint64_t deadline_ns) {
    if (deadline_ns == UINT64_MAX)
        return -1;
    const uint64_t now = now_ns();
    const uint64_t left = now >= deadline_ns ? 0 : (deadline_ns - now + 999999) / 1000000;
    return left > INT_MAX ? INT_MAX : (int)left;
}

static uint64_t deadline_of(uint64_t timeout_ns) {
    const uint64_t now = now_ns();
    return timeout_ns == 0 || timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
}

static bool make_name(char* name, const char* folder, const char* kind) {
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return false;
    return snprintf(name, NAME_BYTES, "%s/%s-%016llx", folder, kind, (unsigned long long)number) < NAME_BYTES - 4;
}

/* ----------------------------------------------------------------------------------------------- listener */

static void pipe_close_listener(ipcmark_listener* listener) {
    if (listener == NULL)
        return;
    if (listener->hello >= 0) {
        unlink(listener->name);
        close(listener->hello);
    }
    if (listener->interrupt.wake >= 0)
        close(listener->interrupt.wake);
    free(listener);
}

static ipcmark_status pipe_listen(const ipcmark_listen_params* params, ipcmark_listener** out) {
    *out = NULL;
    const ipcmark_status status = check_values(params->values, params->value_count);
    if (status != IPCMARK_OK)
        return status;
    if (params->scratch_dir == NULL)
        return fail(IPCMARK_BAD_ARGUMENT, 0, "named pipes need a scratch folder and the host gave none");
    if (params->max_message_size == 0 || params->max_message_size > LIMIT_BYTES)
        return fail(IPCMARK_LIMIT, 0, "max_message_size must be 1 to 1073741824");
    ipcmark_listener* listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return fail(IPCMARK_NO_MEMORY, ENOMEM, "no memory for a listener");
    listener->hello = -1;
    listener->max_message_size = params->max_message_size;
    listener->interrupt.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Open for writing, too: else every connect that goes would leave an end of file behind. */
    if (listener->interrupt.wake < 0 || !make_name(listener->name, params->scratch_dir, "hello") ||
        mkfifo(listener->name, 0600) != 0 ||
        (listener->hello = open(listener->name, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0) {
        const int reason = errno;
        pipe_close_listener(listener);
        return fail(IPCMARK_SYSTEM, reason, "a named pipe in the scratch folder could not be made");
    }
    *out = listener;
    return IPCMARK_OK;
}

static ipcmark_status pipe_listener_address(ipcmark_listener* listener, void* buffer, size_t capacity, size_t* length) {
    const size_t needed = strlen(listener->name) + 1;
    if (capacity < needed)
        return fail(IPCMARK_TRUNCATED, 0, "the address does not fit");
    memcpy(buffer, listener->name, needed);
    *length = needed;
    return IPCMARK_OK;
}

static void pipe_interrupt_listener(ipcmark_listener* listener, ipcmark_status status) {
    raise_interrupt(&listener->interrupt, status);
}

/* ---------------------------------------------------------------------------------------------- endpoints */

static void pipe_close(ipcmark_endpoint* endpoint) {
    if (endpoint == NULL)
        return;
    const int descriptors[] = {endpoint->tx, endpoint->rx, endpoint->interrupt.wake};
    for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; ++i)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    free(endpoint);
}

static ipcmark_status check_params(const ipcmark_endpoint_params* params) {
    if (params->wait_policy > IPCMARK_WAIT_ADAPTIVE)
        return fail(IPCMARK_UNSUPPORTED, 0, "this wait policy is not known");
    if (params->flags != 0)
        return fail(IPCMARK_UNSUPPORTED, 0, "this module has no extensions");
    if (params->max_message_size == 0 || params->max_message_size > LIMIT_BYTES ||
        params->tx_fixed_size > params->max_message_size || params->rx_fixed_size > params->max_message_size)
        return fail(IPCMARK_BAD_ARGUMENT, 0, "a message size is 0 or above the limit");
    return check_values(params->values, params->value_count);
}

/* Opens the pipes NAME.`tx` and NAME.`rx`. The one that is written to is opened for reading as well: then a write after
 * the peer's death raises no SIGPIPE. */
static ipcmark_status open_endpoint(const char* name, const char* tx, const char* rx,
                                    const ipcmark_endpoint_params* params, ipcmark_endpoint** out) {
    ipcmark_endpoint* endpoint = calloc(1, sizeof *endpoint);
    if (endpoint == NULL)
        return fail(IPCMARK_NO_MEMORY, ENOMEM, "no memory for an endpoint");
    char path[NAME_BYTES + 4];
    endpoint->interrupt.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    snprintf(path, sizeof path, "%s.%s", name, rx);
    endpoint->rx = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    snprintf(path, sizeof path, "%s.%s", name, tx);
    endpoint->tx = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    endpoint->wait_policy = params->wait_policy;
    endpoint->spin_ns = params->spin_ns;
    endpoint->max_message_size = params->max_message_size;
    endpoint->tx_fixed_size = params->tx_fixed_size;
    endpoint->rx_fixed_size = params->rx_fixed_size;
    if (endpoint->interrupt.wake < 0 || endpoint->rx < 0 || endpoint->tx < 0 ||
        fcntl(endpoint->tx, F_SETPIPE_SZ, (int)params->values[option_capacity].as.u64) < 0) {
        const int reason = errno;
        pipe_close(endpoint);
        return fail(IPCMARK_SYSTEM, reason, "the pipes of an endpoint could not be opened with the capacity asked");
    }
    *out = endpoint;
    return IPCMARK_OK;
}

static void unlink_pipes(const char* name) {
    char path[NAME_BYTES + 4];
    for (const char* end = "ab"; *end != '\0'; ++end) {
        snprintf(path, sizeof path, "%s.%c", name, *end);
        unlink(path);
    }
}

static ipcmark_status pipe_accept(ipcmark_listener* listener, const ipcmark_endpoint_params* params,
                                  ipcmark_endpoint** out) {
    *out = NULL;
    ipcmark_status status = check_params(params);
    if (status != IPCMARK_OK)
        return status;
    const uint64_t deadline = deadline_of(params->timeout_ns);
    for (;;) {
        status = interrupted(&listener->interrupt);
        if (status != IPCMARK_OK)
            return fail(status, 0, "the accept was interrupted");
        struct hello hello;
        if (read(listener->hello, &hello, sizeof hello) == (ssize_t)sizeof hello) {
            hello.name[NAME_BYTES - 1] = '\0';
            status = open_endpoint(hello.name, "a", "b", params, out);
            unlink_pipes(hello.name); /* both sides have them, or one side is gone */
            if (status == IPCMARK_OK && write((*out)->tx, "!", 1) == 1)
                return IPCMARK_OK;
            pipe_close(*out);
            *out = NULL;
            if (last.system_errno == ENOENT)
                continue; /* it gave up meanwhile */
            return status != IPCMARK_OK ? status : fail(IPCMARK_SYSTEM, errno, "the peer could not be greeted");
        }
        struct pollfd both[2] = {{.fd = listener->hello, .events = POLLIN},
                                 {.fd = listener->interrupt.wake, .events = POLLIN}};
        if (poll(both, 2, milliseconds_until(deadline)) == 0)
            return fail(IPCMARK_TIMED_OUT, 0, "nobody connected in the time given");
    }
}

/* Waits until the other side has opened the pipes, too; before that a read would find an end of file. */
static ipcmark_status wait_for_greeting(ipcmark_endpoint* endpoint, const char* listener_name, uint64_t deadline) {
    for (;;) {
        char greeting;
        if (read(endpoint->rx, &greeting, 1) == 1)
            return IPCMARK_OK;
        if (access(listener_name, F_OK) != 0)
            return fail(IPCMARK_NOT_CONNECTED, errno, "the listener has gone");
        struct pollfd one = {.fd = endpoint->rx, .events = POLLIN};
        int left = milliseconds_until(deadline);
        if (left == 0)
            return fail(IPCMARK_TIMED_OUT, 0, "the listener accepted nobody in the time given");
        poll(&one, 1, left < 0 || left > 100 ? 100 : left);
    }
}

static ipcmark_status pipe_connect(const void* address, size_t address_length, const ipcmark_endpoint_params* params,
                                   ipcmark_endpoint** out) {
    *out = NULL;
    ipcmark_status status = check_params(params);
    if (status != IPCMARK_OK)
        return status;
    const char* listener_name = address;
    if (address_length < 2 || address_length > NAME_BYTES || listener_name[address_length - 1] != '\0' ||
        listener_name[0] != '/')
        return fail(IPCMARK_BAD_ARGUMENT, 0, "this is no address of a pipe listener");
    /* For writing alone this opens only if somebody reads; for both it never raises SIGPIPE. */
    const int reader_there = open(listener_name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    const int listener = reader_there < 0 ? -1 : open(listener_name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    const int reason = errno;
    if (reader_there >= 0)
        close(reader_there);
    if (listener < 0)
        return fail(IPCMARK_NOT_CONNECTED, reason, "nobody listens at this address");

    struct hello hello = {0};
    char folder[NAME_BYTES];
    char path[NAME_BYTES + 4];
    strcpy(folder, listener_name);
    *strrchr(folder, '/') = '\0';
    bool made = make_name(hello.name, folder, "endpoint");
    for (const char* end = "ab"; made && *end != '\0'; ++end) {
        snprintf(path, sizeof path, "%s.%c", hello.name, *end);
        made = mkfifo(path, 0600) == 0;
    }
    status = made ? open_endpoint(hello.name, "b", "a", params, out)
                  : fail(IPCMARK_SYSTEM, errno, "the named pipes of an endpoint could not be made");
    if (status == IPCMARK_OK && write(listener, &hello, sizeof hello) != (ssize_t)sizeof hello)
        status = fail(IPCMARK_SYSTEM, errno, "the listener could not be told");
    if (status == IPCMARK_OK)
        status = wait_for_greeting(*out, listener_name, deadline_of(params->timeout_ns));
    close(listener);
    if (status != IPCMARK_OK) {
        unlink_pipes(hello.name);
        pipe_close(*out);
        *out = NULL;
    }
    return status;
}

static void pipe_interrupt(ipcmark_endpoint* endpoint, ipcmark_status status) {
    raise_interrupt(&endpoint->interrupt, status);
}

/* ----------------------------------------------------------------------------------------------- transfer */

/* Waits by the policy until `fd` may be ready. A hang-up of the pipe that the peer wrote to tells that it is gone, also
 * to a sender. */
static ipcmark_status wait_for(ipcmark_endpoint* endpoint, int fd, short events, uint64_t* spin_end) {
    int timeout = -1;
    if (endpoint->wait_policy == IPCMARK_WAIT_SPIN)
        timeout = 0;
    if (endpoint->wait_policy == IPCMARK_WAIT_ADAPTIVE) {
        const uint64_t now = now_ns();
        if (*spin_end == 0)
            *spin_end = now + endpoint->spin_ns;
        timeout = now < *spin_end ? 0 : -1;
    }
    struct pollfd all[3] = {
        {.fd = fd, .events = events}, {.fd = endpoint->interrupt.wake, .events = POLLIN}, {.fd = endpoint->rx}};
    if (poll(all, 3, timeout) > 0 && (all[2].revents & POLLHUP) != 0 && (all[0].revents & events) == 0)
        return fail(IPCMARK_PEER_GONE, 0, "the peer closed its end of the pipes");
    return IPCMARK_OK;
}

static ipcmark_status pipe_send(ipcmark_endpoint* endpoint, const void* data, size_t size) {
    if (size == 0 || (endpoint->tx_fixed_size != 0 && size != endpoint->tx_fixed_size))
        return fail(IPCMARK_BAD_ARGUMENT, 0, "the message is empty or has not the fixed size");
    if (size > endpoint->max_message_size)
        return fail(IPCMARK_TOO_BIG, 0, "the message is larger than max_message_size");
    uint64_t header = size;
    const size_t header_bytes = endpoint->tx_fixed_size != 0 ? 0 : HEADER_BYTES;
    uint64_t spin_end = 0;
    for (size_t done = 0; done < header_bytes + size;) {
        ipcmark_status status = interrupted(&endpoint->interrupt);
        if (status != IPCMARK_OK)
            return fail(status, 0, "the send was interrupted");
        struct iovec parts[2];
        int count = 0;
        if (done < header_bytes)
            parts[count++] = (struct iovec){(char*)&header + done, header_bytes - done};
        const size_t body_done = done > header_bytes ? done - header_bytes : 0;
        parts[count++] = (struct iovec){(char*)(uintptr_t)data + body_done, size - body_done};
        const ssize_t written = writev(endpoint->tx, parts, count);
        if (written >= 0) {
            done += (size_t)written;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return fail(IPCMARK_SYSTEM, errno, "writev failed");
        status = wait_for(endpoint, endpoint->tx, POLLOUT, &spin_end);
        if (status != IPCMARK_OK)
            return status;
    }
    return IPCMARK_OK;
}

static ipcmark_status read_all(ipcmark_endpoint* endpoint, void* to, size_t wanted) {
    uint64_t spin_end = 0;
    for (size_t done = 0; done < wanted;) {
        ipcmark_status status = interrupted(&endpoint->interrupt);
        if (status != IPCMARK_OK)
            return fail(status, 0, "the recv was interrupted");
        const ssize_t got = read(endpoint->rx, (char*)to + done, wanted - done);
        if (got > 0) {
            done += (size_t)got;
            continue;
        }
        if (got == 0)
            return fail(IPCMARK_PEER_GONE, 0, "the peer closed its end of the pipes");
        if (errno != EAGAIN && errno != EINTR)
            return fail(IPCMARK_SYSTEM, errno, "read failed");
        wait_for(endpoint, endpoint->rx, POLLIN, &spin_end); /* a hang-up shows in the next read */
    }
    return IPCMARK_OK;
}

static ipcmark_status pipe_recv(ipcmark_endpoint* endpoint, void* data, size_t capacity, size_t* size) {
    uint64_t body = endpoint->rx_fixed_size;
    if (body == 0) {
        const ipcmark_status status = read_all(endpoint, &body, HEADER_BYTES);
        if (status != IPCMARK_OK)
            return status;
        if (body > endpoint->max_message_size)
            return fail(IPCMARK_INTERNAL, 0, "the peer announced a message above max_message_size");
    }
    const uint64_t room = body < capacity ? body : capacity;
    ipcmark_status status = read_all(endpoint, data, room);
    unsigned char beyond[4096];
    for (uint64_t left = body - room; status == IPCMARK_OK && left > 0;) {
        const uint64_t part = left < sizeof beyond ? left : sizeof beyond;
        status = read_all(endpoint, beyond, part);
        left -= part;
    }
    if (status != IPCMARK_OK)
        return status;
    if (body > capacity)
        return fail(IPCMARK_TRUNCATED, 0, "the message is larger than the buffer");
    *size = body;
    return IPCMARK_OK;
}

static ipcmark_status pipe_effective_option(ipcmark_endpoint* endpoint, uint32_t index, ipcmark_value* out) {
    if (index != option_capacity)
        return fail(IPCMARK_BAD_ARGUMENT, 0, "no option has this number");
    const int capacity = fcntl(endpoint->tx, F_GETPIPE_SZ);
    if (capacity < 0)
        return fail(IPCMARK_SYSTEM, errno, "the capacity could not be read");
    *out = (ipcmark_value){.type = IPCMARK_TYPE_BYTES, .is_set = 1, .as.u64 = (uint64_t)capacity};
    return IPCMARK_OK;
}

/* --------------------------------------------------------------------------------------------- descriptor */

static const ipcmark_descriptor descriptor = {
    .size = sizeof(ipcmark_descriptor),
    .capabilities = IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE | IPCMARK_CAP_PEER_DEATH | IPCMARK_CAP_TX_RX_THREADS |
                    IPCMARK_CAP_SCRATCH_DIR,
    .display_name = "Named pipe",
    .result_name = "NamedPipe",
    .description = "A pair of named pipes for each endpoint.",
    .licence = "Apache-2.0",
    .options = options,
    .option_count = option_count,
    .option_size = sizeof(ipcmark_option),
    .limits = pipe_limits,
    .listen = pipe_listen,
    .listener_address = pipe_listener_address,
    .accept = pipe_accept,
    .connect = pipe_connect,
    .close_listener = pipe_close_listener,
    .close = pipe_close,
    .send = pipe_send,
    .recv = pipe_recv,
    .interrupt = pipe_interrupt,
    .interrupt_listener = pipe_interrupt_listener,
    .last_error = pipe_last_error,
    .effective_option = pipe_effective_option,
};

IPCMARK_DEFINE_MODULE("pipe", MODULE_VERSION, &descriptor);

/* SPDX-License-Identifier: Apache-2.0
 *
 * ipcmark/module.h: the whole contract between the ipcmark host and a transport module.
 *
 * A module is a shared object that exports one constant data object, `ipcmark_module_entry`, and nothing else. The
 * host reads the identity at its beginning straight from the file, so a module is accepted or refused before any of
 * its code runs. See docs/writing-a-module.md for the way from an empty folder to a measured module.
 *
 * Promise: a module built for ABI X.y loads in every host of ABI X.z. Tables and parameter structs only ever grow at
 * their end; each begins with its own size, and whoever fills one in writes min(the caller's size, its own size).
 *
 * Units: every size is in bytes, every time in nanoseconds, every text is UTF-8 and ends in NUL.
 *
 * Threads. Each function has a tag:
 *   [control]    called by one thread at a time for the whole module; may allocate, block and log
 *   [listener]   called by one thread at a time for that listener
 *   [endpoint]   called by one thread at a time for that endpoint, with no call of the tags below under way
 *   [tx]         the sending half: one thread at a time for that endpoint
 *   [rx]         the receiving half: one thread at a time for that endpoint. [tx] and [rx] calls overlap on two threads
 *                only if the module claims IPCMARK_CAP_TX_RX_THREADS; else the host makes them exclusive
 *   [any-thread] at any time from any thread, while other calls on the same object are under way
 * and where it applies [hot]: no allocation, no lock, no log, no formatting.
 *
 * No exception may leave a function of a module, and no function may call exit or abort, write to standard output or
 * error (the host's log is there for that), leave a child process, or change what belongs to the process: signal
 * handlers and masks, CPU mask, scheduling, umask, working directory, environment, locale, resource limits, timers,
 * floating-point control. Every descriptor that a module opens is close-on-exec. Destructors and atexit functions of a
 * module must end at the exit of the process.
 */
#ifndef IPCMARK_MODULE_H
#define IPCMARK_MODULE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPCMARK_ABI_MAJOR 1u
#define IPCMARK_ABI_MINOR 0u
/* "IPCMARK1" as the eight bytes of a little-endian integer */
#define IPCMARK_MAGIC UINT64_C(0x314B52414D435049)

#define IPCMARK_ID_SIZE 64u
#define IPCMARK_VERSION_SIZE 32u
#define IPCMARK_ERROR_TEXT_SIZE 256u
#define IPCMARK_REASON_SIZE 256u
/* The longest address that a listener may choose. */
#define IPCMARK_ADDRESS_SIZE 4096u
/* An interrupted call returns within this time, spinning calls too. */
#define IPCMARK_INTERRUPT_LIMIT_NS UINT64_C(100000000)

#if defined(__GNUC__)
#define IPCMARK_EXPORT __attribute__((visibility("default")))
#else
#define IPCMARK_EXPORT
#endif

/* ------------------------------------------------------------------------------------------------ statuses */

/* What every fallible function returns: one of IPCMARK_STATUS_*. The set is closed: a host treats any other value as a
 * fault of the module. */
typedef int32_t ipcmark_status;

enum {
    IPCMARK_OK = 0,
    IPCMARK_WOULD_BLOCK = 1,   /* only from functions that say so: nothing can be done now, try again */
    IPCMARK_TIMED_OUT = 2,     /* accept or connect: the time given ran out */
    IPCMARK_CANCELLED = 3,     /* the usual status that the host gives to interrupt() */
    IPCMARK_PEER_GONE = 4,     /* the peer closed or died; everything it had sent was received before */
    IPCMARK_NOT_CONNECTED = 5, /* connect: nobody listens at that address */
    IPCMARK_TOO_BIG = 6,       /* send: the message is larger than the endpoint's max_message_size */
    IPCMARK_TRUNCATED = 7,     /* recv: the message is larger than the capacity; the message is lost */
    IPCMARK_LIMIT = 8,         /* a limit of the system or the module; last_error names it and how to raise it */
    IPCMARK_NO_MEMORY = 9,
    IPCMARK_BAD_ARGUMENT = 10,
    IPCMARK_UNSUPPORTED = 11,
    IPCMARK_SYSTEM = 12,   /* a system call failed; last_error has errno */
    IPCMARK_INTERNAL = 13, /* the module found itself at fault */
    IPCMARK_STATUS_COUNT = 14
};

/* Filled in by last_error. */
typedef struct ipcmark_error {
    uint32_t size; /* set by the caller: sizeof(ipcmark_error) as the caller knows it */
    ipcmark_status status;
    int32_t system_errno; /* 0 where no system call failed */
    uint32_t reserved0;
    char text[IPCMARK_ERROR_TEXT_SIZE]; /* one line, no line feed: what was tried, on what, why it failed, the remedy */
} ipcmark_error;

/* ------------------------------------------------------------------------------------------------- options */

typedef enum ipcmark_option_type {
    IPCMARK_TYPE_BOOL = 1,     /* ipcmark_value.boolean: 0 or 1 */
    IPCMARK_TYPE_I64 = 2,      /* .i64 */
    IPCMARK_TYPE_U64 = 3,      /* .u64 */
    IPCMARK_TYPE_BYTES = 4,    /* .u64 bytes; the user may write 64K, 64KiB, 1M */
    IPCMARK_TYPE_DURATION = 5, /* .u64 nanoseconds; the user may write 10us, 500ms, 2s */
    IPCMARK_TYPE_ENUM = 6,     /* .u64: the index in `choices` */
    IPCMARK_TYPE_STRING = 7    /* .string */
} ipcmark_option_type;

typedef struct ipcmark_choice {
    const char* name;
    const char* help;
} ipcmark_choice;

/* One option of a module. The host parses, checks and passes typed values in the order of this table; a module never
 * reads the command line or the environment. */
typedef struct ipcmark_option {
    const char* name;         /* lower case, digits and hyphens */
    uint32_t type;            /* ipcmark_option_type */
    uint32_t choice_count;    /* IPCMARK_TYPE_ENUM only */
    const char* default_text; /* parsed by the rules of the type; never NULL */
    /* Bounds, both inclusive, of the numeric types, ignored where minimum == maximum == 0. For IPCMARK_TYPE_U64, _BYTES
     * and _DURATION they are the bits of a uint64_t. */
    int64_t minimum;
    int64_t maximum;
    const ipcmark_choice* choices;
    const char* unit; /* for people: "bytes", "us"; NULL where there is none */
    const char* help; /* one sentence */
} ipcmark_option;

/* The value of one option. `string` is owned by whoever filled the value in, and lives as long as the call that it is
 * passed to (values given to a module) or the endpoint (values that a module returns). */
typedef struct ipcmark_value {
    uint32_t type;   /* ipcmark_option_type */
    uint32_t is_set; /* 1: the user gave it; 0: the default */
    union {
        int32_t boolean;
        int64_t i64;
        uint64_t u64;
        const char* string;
    } as;
} ipcmark_value;

/* -------------------------------------------------------------------------------------- parameters of calls */

enum { IPCMARK_LOG_ERROR = 0, IPCMARK_LOG_WARNING = 1, IPCMARK_LOG_INFO = 2, IPCMARK_LOG_DEBUG = 3 };

/* What the host offers to a module. Lives as long as the module is loaded. */
typedef struct ipcmark_host {
    uint32_t size;
    uint32_t reserved0;
    void* context;
    /* [any-thread] One line of text, no line feed; never from a [hot] function. May be NULL. */
    void (*log)(void* context, int32_t level, const char* text);
} ipcmark_host;

/* How a blocked send or recv waits. Every module takes IPCMARK_WAIT_BLOCK; the others may be refused with
 * IPCMARK_UNSUPPORTED when the endpoint is made, never replaced in silence. */
enum {
    IPCMARK_WAIT_BLOCK = 0,   /* sleep in the kernel at once; accept and connect always do */
    IPCMARK_WAIT_SPIN = 1,    /* never sleep; look at the interrupt flag in every turn */
    IPCMARK_WAIT_ADAPTIVE = 2 /* spin for spin_ns, then sleep */
};

/* Parameters of limits and listen. The pointers live as long as the call. */
typedef struct ipcmark_listen_params {
    uint32_t size;
    uint32_t endpoint_count;     /* how many accepts will follow */
    uint64_t max_message_size;   /* the largest message in either direction */
    const ipcmark_host* host;    /* lives as long as the module */
    const ipcmark_value* values; /* one for each entry of the option table, in its order */
    uint32_t value_count;
    uint32_t reserved0;
    /* An existing folder of mode 0700 for this run, which the host removes with all that is in it, for a module that
     * must have names in the file system and says so with IPCMARK_CAP_SCRATCH_DIR; NULL for all others. */
    const char* scratch_dir;
} ipcmark_listen_params;

/* Parameters of accept and connect. Both sides of an endpoint get the same values, tx and rx exchanged. */
typedef struct ipcmark_endpoint_params {
    uint32_t size;
    uint32_t index; /* 0, 1, ...: the number of this endpoint in the run */
    uint64_t max_message_size;
    /* Not 0: every message of that direction has just this size, so a byte stream needs no header. 0: any size up to
     * max_message_size, and the module keeps the boundaries by its own means. */
    uint64_t tx_fixed_size;
    uint64_t rx_fixed_size;
    uint32_t wait_policy; /* IPCMARK_WAIT_* */
    /* IPCMARK_ENDPOINT_*. The host sets one only if the module has the extension, and never both. One of an extension
     * that the module does not have is IPCMARK_UNSUPPORTED. */
    uint32_t flags;
    uint64_t spin_ns;    /* IPCMARK_WAIT_ADAPTIVE: how long to spin before sleeping */
    uint64_t timeout_ns; /* accept, connect: give up with IPCMARK_TIMED_OUT after this time; 0: wait for ever */
    const ipcmark_host* host;
    const ipcmark_value* values; /* as in ipcmark_listen_params; live as long as the call */
    uint32_t value_count;
    /* How many messages the host will have under way at most in one direction, no more than
     * ipcmark_limits.max_in_flight where that says something: so many fit before a send waits for the receiver. 0: not
     * known */
    uint32_t in_flight;
} ipcmark_endpoint_params;

enum {
    /* The endpoint will be driven through the pollfd extension: only try_send, try_recv and arm are called. */
    IPCMARK_ENDPOINT_POLLED = 1u << 0,
    /* The endpoint will be driven through the loan extension in both directions. */
    IPCMARK_ENDPOINT_LOANED = 1u << 1
};

/* Filled in by limits, for the moment: what follows the memory that is available may be another one the next time. */
typedef struct ipcmark_limits {
    uint32_t size;          /* set by the caller */
    uint32_t max_endpoints; /* 0: no limit but the system's */
    uint64_t max_message_size;
    /* As many messages of max_message_size fit into one direction before send waits; 0: not known (depends on bytes).
     * The host refuses a larger window. */
    uint64_t max_in_flight;
    /* What sets max_message_size and how to raise it, one line; empty where it is the address space. */
    char reason[IPCMARK_REASON_SIZE];
} ipcmark_limits;

/* Semantic facts about a transport; a feature is an extension that is there. */
enum {
    IPCMARK_CAP_BOUNDARIES = 1u << 0, /* the transport itself keeps message boundaries */
    IPCMARK_CAP_ORDERED = 1u << 1,    /* messages arrive in the order of sending */
    IPCMARK_CAP_RELIABLE = 1u << 2,   /* no message is lost or doubled while both peers live */
    IPCMARK_CAP_CROSS_HOST = 1u << 3, /* the peers may be on two machines */
    /* A blocked call returns IPCMARK_PEER_GONE when the peer is killed or closes, at once where the system tells of it
     * and within five seconds in any case. A peer that is only stopped is not gone. */
    IPCMARK_CAP_PEER_DEATH = 1u << 4,
    IPCMARK_CAP_TX_RX_THREADS = 1u << 5, /* [tx] and [rx] may overlap on two threads */
    /* There is no peer: what an endpoint sends, the same endpoint receives. For modules that measure the harness. */
    IPCMARK_CAP_LOOPBACK = 1u << 6,
    IPCMARK_CAP_SCRATCH_DIR = 1u << 7 /* ipcmark_listen_params.scratch_dir is needed */
};

/* ---------------------------------------------------------------------------------------------- the module */

typedef struct ipcmark_listener ipcmark_listener;
typedef struct ipcmark_endpoint ipcmark_endpoint;

/* What a module is and does. Constant, and alive as long as the module is loaded. All functions are required but those
 * marked optional, which may be NULL. */
typedef struct ipcmark_descriptor {
    uint32_t size;                 /* sizeof(ipcmark_descriptor) when the module was built */
    uint32_t capabilities;         /* IPCMARK_CAP_* */
    const char* display_name;      /* for people: "Unix domain socket" */
    const char* result_name;       /* in result documents: "UnixDomainSocket"; letters and digits */
    const char* description;       /* one sentence */
    const char* licence;           /* SPDX identifier */
    const ipcmark_option* options; /* NULL if there are none */
    uint32_t option_count;
    uint32_t option_size; /* sizeof(ipcmark_option) when the module was built: the stride of the table */

    /* [control] The limits for these parameters, read from the system now. Does not make anything. */
    ipcmark_status (*limits)(const ipcmark_listen_params* params, ipcmark_limits* out);

    /* [control] Begins to listen at an address that the module chooses, so that no two runs can collide (an option may
     * fix it). On success *out is a listener that the caller closes with close_listener; else *out is NULL. */
    ipcmark_status (*listen)(const ipcmark_listen_params* params, ipcmark_listener** out);

    /* [listener] Copies the address into `buffer` and its length into *length. The address is opaque to the host, which
     * carries it to the peer's connect. IPCMARK_TRUNCATED if capacity is too small; IPCMARK_ADDRESS_SIZE always does.
     */
    ipcmark_status (*listener_address)(ipcmark_listener* listener, void* buffer, size_t capacity, size_t* length);

    /* [listener] Waits for the next connect and returns its endpoint. One listener accepts many endpoints, in the order
     * in which their connects were called if these did not overlap. A stranger who is not a peer of this run is turned
     * away and waited past. The endpoint outlives its listener. */
    ipcmark_status (*accept)(ipcmark_listener* listener, const ipcmark_endpoint_params* params, ipcmark_endpoint** out);

    /* [control] Connects to a listener's address. May return before the peer has accepted; one that waits for the
     * accept gives up after params->timeout_ns, since a connect cannot be interrupted. */
    ipcmark_status (*connect)(const void* address, size_t address_length, const ipcmark_endpoint_params* params,
                              ipcmark_endpoint** out);

    /* [listener] Releases the listener and every name it made; legal in any state, with NULL too. */
    void (*close_listener)(ipcmark_listener* listener);

    /* [endpoint] Releases the endpoint; legal in any state, with NULL too. Does not wait for the peer. What was sent
     * before stays receivable for the peer where the transport can keep it, but a peer that does not read holds up
     * nobody: close cannot be interrupted. */
    void (*close)(ipcmark_endpoint* endpoint);

    /* [tx] [hot] Sends one whole message, waiting by the endpoint's wait policy while there is no room. `data` has any
     * alignment, is only read, and no byte beyond `size` is; the caller may reuse it on return. Size 0 is
     * IPCMARK_BAD_ARGUMENT; a size above max_message_size, or different from tx_fixed_size, is IPCMARK_TOO_BIG or
     * IPCMARK_BAD_ARGUMENT and sends nothing. IPCMARK_WOULD_BLOCK is never returned. */
    ipcmark_status (*send)(ipcmark_endpoint* endpoint, const void* data, size_t size);

    /* [rx] [hot] Receives one whole message into `data` and its size into *size, waiting by the wait policy. A message
     * larger than capacity is IPCMARK_TRUNCATED, never cut in silence, with rx_fixed_size too: that the buffer has it
     * is not promised. No byte beyond capacity is touched. IPCMARK_WOULD_BLOCK is never returned. */
    ipcmark_status (*recv)(ipcmark_endpoint* endpoint, void* data, size_t capacity, size_t* size);

    /* [any-thread] Sticky: the call under way in [tx] and in [rx], and every later one, returns `status` within
     * IPCMARK_INTERRUPT_LIMIT_NS, spinning calls too. A send or recv that could complete may do so first. The first
     * status given stays. Not IPCMARK_OK. */
    void (*interrupt)(ipcmark_endpoint* endpoint, ipcmark_status status);

    /* [any-thread] The same for an accept. */
    void (*interrupt_listener)(ipcmark_listener* listener, ipcmark_status status);

    /* [any-thread] Tells about the last failure that the calling thread got from a function of this module, those of
     * the extensions and interrupted calls among them; IPCMARK_WOULD_BLOCK is no failure. `object` is the endpoint or
     * listener concerned, or NULL after a failed limits, listen or connect. The host shows a text only if the status is
     * that of the call. */
    void (*last_error)(const void* object, ipcmark_error* out);

    /* [endpoint] Optional. The value that option number `option_index` really has on this endpoint, for example the
     * socket buffer that the kernel granted. */
    ipcmark_status (*effective_option)(ipcmark_endpoint* endpoint, uint32_t option_index, ipcmark_value* out);

    /* [any-thread] Optional. The table of an extension by its id, for example "ipcmark.pollfd/1" (ext/pollfd.h), or
     * NULL if the module has none of that id. Constant, and alive as long as the module is loaded. */
    const void* (*get_extension)(const char* id);
} ipcmark_descriptor;

/* Facts about how a module was built, in ipcmark_module_entry.build_flags. */
enum {
    IPCMARK_BUILD_DEBUG = 1u << 0, /* built without NDEBUG */
    IPCMARK_BUILD_ASAN = 1u << 1,  /* loads only into a host built the same way */
    IPCMARK_BUILD_TSAN = 1u << 2   /* likewise */
};

#if defined(__SANITIZE_ADDRESS__)
#define IPCMARK_BUILD_ASAN_NOW IPCMARK_BUILD_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IPCMARK_BUILD_ASAN_NOW IPCMARK_BUILD_ASAN
#endif
#endif
#ifndef IPCMARK_BUILD_ASAN_NOW
#define IPCMARK_BUILD_ASAN_NOW 0u
#endif
#if defined(__SANITIZE_THREAD__)
#define IPCMARK_BUILD_TSAN_NOW IPCMARK_BUILD_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IPCMARK_BUILD_TSAN_NOW IPCMARK_BUILD_TSAN
#endif
#endif
#ifndef IPCMARK_BUILD_TSAN_NOW
#define IPCMARK_BUILD_TSAN_NOW 0u
#endif
#ifdef NDEBUG
#define IPCMARK_BUILD_DEBUG_NOW 0u
#else
#define IPCMARK_BUILD_DEBUG_NOW IPCMARK_BUILD_DEBUG
#endif
#define IPCMARK_BUILD_FLAGS (IPCMARK_BUILD_DEBUG_NOW | IPCMARK_BUILD_ASAN_NOW | IPCMARK_BUILD_TSAN_NOW)

/* The one exported symbol, `ipcmark_module_entry`. Everything before `descriptor` is plain data that the host reads
 * from the file without running any code: it must need no relocation. */
typedef struct ipcmark_module_entry_v1 {
    uint64_t magic;           /* IPCMARK_MAGIC */
    uint32_t abi_major;       /* must equal the host's */
    uint32_t abi_minor;       /* never a reason to refuse */
    uint32_t struct_size;     /* sizeof(ipcmark_module_entry_v1) when the module was built */
    uint32_t build_flags;     /* IPCMARK_BUILD_* */
    char id[IPCMARK_ID_SIZE]; /* what the user writes after -m: lower case, digits, hyphens; begins with a letter */
    char version[IPCMARK_VERSION_SIZE]; /* the module's own version */
    const ipcmark_descriptor* descriptor;
} ipcmark_module_entry_v1;

/* The name of the exported object. */
#define IPCMARK_ENTRY_SYMBOL "ipcmark_module_entry"

/* Defines the entry: IPCMARK_DEFINE_MODULE("pipe", "1.0.0", &descriptor); once in a module, at file scope. */
#ifdef __cplusplus
#define IPCMARK_ENTRY_LINKAGE extern "C"
#else
#define IPCMARK_ENTRY_LINKAGE extern
#endif
#define IPCMARK_DEFINE_MODULE(module_id, module_version, descriptor_pointer)                                           \
    IPCMARK_ENTRY_LINKAGE IPCMARK_EXPORT const ipcmark_module_entry_v1 ipcmark_module_entry;                           \
    const ipcmark_module_entry_v1 ipcmark_module_entry = {                                                             \
        IPCMARK_MAGIC,       IPCMARK_ABI_MAJOR, IPCMARK_ABI_MINOR, (uint32_t)sizeof(ipcmark_module_entry_v1),          \
        IPCMARK_BUILD_FLAGS, module_id,         module_version,    descriptor_pointer}

#ifdef __cplusplus
}
#endif

#endif

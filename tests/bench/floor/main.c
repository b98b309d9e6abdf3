/* SPDX-License-Identifier: Apache-2.0
 *
 * floor TRANSPORT [--size N] [--count N] [--warmup N] [--direction round-trip|one-way] [--wait block|spin]
 *                 [--client-cpu N] [--server-cpu N] [--endpoints N]
 * runs one loop and prints one line of JSON.
 */
#include "floor.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct floor_transport* const transports[] = {
    &floor_uds,           &floor_uds_seqpacket, &floor_uds_datagram,  &floor_tcp,      &floor_shm_line,
    &floor_shm_lines,     &floor_shm_ring,      &floor_shm_ring_bare, &floor_pmq,      &floor_memcpy,
    &floor_memcpy_cached, &floor_uds_epoll,     &floor_uds_asio,      &floor_uds_many, &floor_shm_many};

_Noreturn static void usage(const char* fault, const char* value) {
    fprintf(stderr, "floor: %s: %s; see the top of tests/bench/floor/main.c\n", fault, value);
    exit(2);
}

static const struct floor_transport* find(const char* name) {
    for (size_t i = 0; i < sizeof transports / sizeof *transports; ++i)
        if (strcmp(transports[i]->name, name) == 0)
            return transports[i];
    usage("there is no transport of this name", name);
}

static uint64_t number(const char* text) {
    char* end = NULL;
    const unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0')
        usage("not a number", text);
    return value;
}

static int choice(const char* text, const char* no, const char* yes) {
    if (strcmp(text, yes) == 0)
        return 1;
    if (strcmp(text, no) != 0)
        usage("not a choice here", text);
    return 0;
}

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu < 0)
        return;
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        floor_fail("sched_setaffinity");
}

static double monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_value(const void* a, const void* b) {
    const uint64_t x = *(const uint64_t*)a, y = *(const uint64_t*)b;
    return (x > y) - (x < y);
}

int main(int argc, char** argv) {
    if (argc < 2)
        usage("which transport", "nothing given");
    const struct floor_transport* const transport = find(argv[1]);
    struct floor_run run = {.size = 64, .warmup = 1000, .count = 10000, .endpoints = 1};
    int client_cpu = -1, server_cpu = -1;
    for (int i = 2; i < argc; i += 2) {
        if (i + 1 == argc)
            usage("a value is missing", argv[i]);
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--size") == 0)
            run.size = number(value);
        else if (strcmp(name, "--count") == 0)
            run.count = number(value);
        else if (strcmp(name, "--warmup") == 0)
            run.warmup = number(value);
        else if (strcmp(name, "--direction") == 0)
            run.one_way = choice(value, "round-trip", "one-way");
        else if (strcmp(name, "--wait") == 0)
            run.spin = choice(value, "block", "spin");
        else if (strcmp(name, "--client-cpu") == 0)
            client_cpu = (int)number(value);
        else if (strcmp(name, "--server-cpu") == 0)
            server_cpu = (int)number(value);
        else if (strcmp(name, "--endpoints") == 0)
            run.endpoints = (unsigned)number(value);
        else
            usage("unknown option", name);
    }
    if (run.size == 0 || run.count == 0 || run.endpoints == 0)
        usage("size, count and endpoints", "must not be 0");
    if (run.endpoints != 1 && transport != &floor_uds_many && transport != &floor_shm_many)
        usage("this transport has one endpoint", transport->name);

    const size_t bytes = sizeof(struct floor_results) + run.count * sizeof(uint64_t);
    struct floor_results* const results =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (results == MAP_FAILED)
        floor_fail("memory for the samples");
    void* const made = transport->make(&run);

    const double begin_ns = monotonic_ns();
    const uint64_t begin = floor_stamp();
    const pid_t child = fork();
    if (child < 0)
        floor_fail("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(server_cpu);
        memset(results->samples, 0, run.one_way ? bytes - sizeof *results : 0); /* maps the pages here, too */
        transport->server(made, &run, results);
        exit(0);
    }
    pin(client_cpu);
    transport->client(made, &run, results);
    int status = 0;
    if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "floor: the server failed\n");
        return 1;
    }
    /* The run itself is long enough to tell how long a tick is. */
    const struct timespec calibration = {0, 20000000};
    nanosleep(&calibration, NULL);
    const double ns_per_tick = (monotonic_ns() - begin_ns) / (double)(floor_stamp() - begin);

    qsort(results->samples, run.count, sizeof(uint64_t), by_value);
    const double seconds = (double)(results->last - results->first) * ns_per_tick / 1e9;
    printf("{\"transport\": \"%s\", \"size\": %zu, \"count\": %llu, \"direction\": \"%s\", \"wait\": \"%s\", ",
           transport->name, run.size, (unsigned long long)run.count, run.one_way ? "one-way" : "round-trip",
           run.spin ? "spin" : "block");
    if (run.one_way && run.size < sizeof(uint64_t))
        printf("\"p50_ns\": null, ");
    else
        printf("\"p50_ns\": %.1f, ", (double)results->samples[run.count / 2] * ns_per_tick);
    printf("\"messages_per_second\": %.1f}\n", (double)run.count / seconds);
    return 0;
}

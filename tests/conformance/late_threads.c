/* SPDX-License-Identifier: Apache-2.0
 *
 * For LD_PRELOAD: each thread begins to run 100 ms after it was made, as on a machine that is busy with others.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

typedef int create_function(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

struct beginning {
    void* (*run)(void*);
    void* argument;
};

static void* begin_late(void* memory) {
    const struct beginning beginning = *(struct beginning*)memory;
    free(memory);
    usleep(100000);
    return beginning.run(beginning.argument);
}

extern __attribute__((visibility("default"))) create_function pthread_create;
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
    create_function* create = NULL;
    *(void**)&create = dlsym(RTLD_NEXT, "pthread_create"); /* as POSIX has it: a function in an object pointer */
    struct beginning* beginning = malloc(sizeof *beginning);
    *beginning = (struct beginning){run, argument};
    return create(thread, attributes, begin_late, beginning);
}

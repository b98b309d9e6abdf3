/* SPDX-License-Identifier: Apache-2.0
 *
 * The layout of the ABI against what was recorded in layout-v1.def: at compile time, and again as a program that prints
 * every difference. Compiled as C and as C++, with today's headers and with the frozen ones of version 1.0, for which
 * ABI_FROZEN is set: there nothing may have grown either.
 */
#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/loan.h>
#include <ipcmark/ext/pollfd.h>
#include <ipcmark/module.h>

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef ABI_FROZEN
#define HAS_GROWN_TO(actual, recorded) ((actual) == (recorded))
#else
#define HAS_GROWN_TO(actual, recorded) ((actual) >= (recorded))
#endif
#define MEMBER_SIZE(type, member) sizeof(((type*)0)->member)

#define TABLE(type, recorded) static_assert(HAS_GROWN_TO(sizeof(type), recorded), #type " has shrunk");
#define PLAIN(type, recorded) static_assert(sizeof(type) == (recorded), #type " has another size");
#define MEMBER(type, member, at, recorded)                                                                             \
    static_assert(offsetof(type, member) == (at), #type "." #member " has moved");                                     \
    static_assert(MEMBER_SIZE(type, member) == (recorded), #type "." #member " has another size");
#define VALUE(name, recorded) static_assert((name) == (recorded), #name " has another value");
#define TEXT(name, recorded) static_assert(sizeof(name) == sizeof(recorded), #name " has another value");
#include "layout-v1.def"
#undef TABLE
#undef PLAIN
#undef MEMBER
#undef VALUE
#undef TEXT

static int differences;

static void compare(const char* what, const char* of, uint64_t actual, uint64_t recorded, int equal) {
    if (equal)
        return;
    printf("%s of %s is %llu, recorded is %llu\n", what, of, (unsigned long long)actual, (unsigned long long)recorded);
    ++differences;
}

int main(void) {
    int entries = 0;
#define TABLE(type, recorded)                                                                                          \
    compare("size", #type, sizeof(type), recorded, HAS_GROWN_TO(sizeof(type), recorded));                              \
    ++entries;
#define PLAIN(type, recorded)                                                                                          \
    compare("size", #type, sizeof(type), recorded, sizeof(type) == (recorded));                                        \
    ++entries;
#define MEMBER(type, member, at, recorded)                                                                             \
    compare("offset", #type "." #member, offsetof(type, member), at, offsetof(type, member) == (at));                  \
    compare("size", #type "." #member, MEMBER_SIZE(type, member), recorded, MEMBER_SIZE(type, member) == (recorded));  \
    ++entries;
#define VALUE(name, recorded)                                                                                          \
    compare("value", #name, (uint64_t)(name), recorded, (name) == (recorded));                                         \
    ++entries;
#define TEXT(name, recorded)                                                                                           \
    compare("text", #name, 0, 0, strcmp(name, recorded) == 0);                                                         \
    ++entries;
#include "layout-v1.def"
    printf("%d entries, %d differences\n", entries, differences);
    return differences == 0 && entries > 100 ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
// The allocator's functions, in front of those of the C library: a module that is loaded into this program calls these.
#include "host/check/allocation_count.hpp"

#include "host/check/sandbox.hpp"

#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IPCMARK_OTHER_ALLOCATOR 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define IPCMARK_OTHER_ALLOCATOR 1
#endif
#endif

namespace ipcmark::check {
namespace {

// Null: not counting. Of the program itself, so reading it never allocates.
thread_local AllocationCount* counting = nullptr;

} // namespace

#if defined(IPCMARK_OTHER_ALLOCATOR)
bool can_count_allocations() noexcept {
    return false;
}
#else
bool can_count_allocations() noexcept {
    return true;
}

namespace {

void note(unsigned long AllocationCount::*what) noexcept {
    if (counting != nullptr) {
        ++(counting->*what);
    }
}

} // namespace
#endif

void require_no_allocation(const AllocationCount& count, const char* functions) {
    if (!can_count_allocations()) {
        skip("the sanitizer has an allocator of its own, which cannot be counted");
    }
    require(count.sum() == 0, fmt::format("{} allocated memory {} times, freed it {} times and changed mappings {} "
                                          "times: [hot] functions allocate nothing",
                                          functions, count.allocated, count.freed, count.mapped));
}

CountAllocations::CountAllocations(AllocationCount& count) noexcept {
    counting = &count;
}
CountAllocations::~CountAllocations() {
    counting = nullptr;
}

} // namespace ipcmark::check

#if !defined(IPCMARK_OTHER_ALLOCATOR)

using ipcmark::check::AllocationCount;
using ipcmark::check::note;

extern "C" {

// The C library's own, under the names that it keeps for programs like this one.
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);
void* __sbrk(std::intptr_t increment);

void* malloc(std::size_t size) noexcept {
    note(&AllocationCount::allocated);
    return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) noexcept {
    note(&AllocationCount::allocated);
    return __libc_calloc(count, size);
}

void* realloc(void* memory, std::size_t size) noexcept {
    note(&AllocationCount::allocated);
    return __libc_realloc(memory, size);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
    note(&AllocationCount::allocated);
    return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    note(&AllocationCount::allocated);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
    note(&AllocationCount::allocated);
    if (alignment % sizeof(void*) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) {
        return EINVAL;
    }
    const int before = errno; // this function returns its error instead
    void* got = __libc_memalign(alignment, size);
    errno = before;
    if (got == nullptr) {
        return ENOMEM;
    }
    *memory = got;
    return 0;
}

void free(void* memory) noexcept {
    if (memory != nullptr) {
        note(&AllocationCount::freed);
    }
    __libc_free(memory);
}

// Under names of their own, since headers may redirect one of the two symbols to the other.
void* counted_mmap(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset) __asm__("mmap");
void* counted_mmap64(void* address, std::size_t bytes, int protection, int flags, int file,
                     off_t offset) __asm__("mmap64");

void* counted_mmap(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset) {
    note(&AllocationCount::mapped);
    return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}

void* counted_mmap64(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset) {
    return counted_mmap(address, bytes, protection, flags, file, offset);
}

int munmap(void* address, std::size_t bytes) noexcept {
    note(&AllocationCount::mapped);
    return static_cast<int>(syscall(SYS_munmap, address, bytes));
}

void* mremap(void* address, std::size_t old_bytes, std::size_t new_bytes, int flags, ...) noexcept {
    note(&AllocationCount::mapped);
    va_list more;
    va_start(more, flags);
    void* const to = (flags & MREMAP_FIXED) != 0 ? va_arg(more, void*) : nullptr;
    va_end(more);
    return reinterpret_cast<void*>(syscall(SYS_mremap, address, old_bytes, new_bytes, flags, to));
}

void* sbrk(std::intptr_t increment) noexcept {
    note(&AllocationCount::mapped);
    return __sbrk(increment);
}

} // extern "C"

#endif

// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ipcmark::check {

// What one thread asked of the allocator and of the kernel's memory calls.
struct AllocationCount {
    unsigned long allocated = 0; // malloc and its kin, operator new among them
    unsigned long freed = 0;
    unsigned long mapped = 0; // mmap, munmap, mremap, sbrk
    [[nodiscard]] unsigned long sum() const noexcept { return allocated + freed + mapped; }
};

// False where the sanitizers have put an allocator of their own in place of the one that counts.
[[nodiscard]] bool can_count_allocations() noexcept;

// While it lives, calls of this thread from anywhere in the process are added to `count`; one at a time on a thread.
class CountAllocations {
public:
    explicit CountAllocations(AllocationCount& count) noexcept;
    ~CountAllocations();
    CountAllocations(const CountAllocations&) = delete;
    CountAllocations& operator=(const CountAllocations&) = delete;
};

// Ends the test if `functions` of the module made any, and as skipped where they cannot be counted.
void require_no_allocation(const AllocationCount& count, const char* functions);

} // namespace ipcmark::check

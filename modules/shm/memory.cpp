// SPDX-License-Identifier: Apache-2.0
#include "memory.hpp"

#include <ipcmark/module_kit/error.hpp>
#include <ipcmark/module_kit/memory_room.hpp>
#include <ipcmark/module_kit/system_value.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>

#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ipcmark::shm {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr unsigned node_count = 1024; // that the kernel can have

std::string in_mib(std::uint64_t bytes) {
    return std::to_string(bytes / mib + (bytes % mib != 0 ? 1 : 0)) + " MiB";
}

unsigned memfd_flags(Pages pages) {
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    switch (pages) {
    case Pages::base:
        return flags;
    case Pages::huge_2m:
        return flags | MFD_HUGETLB | MFD_HUGE_2MB;
    case Pages::huge_1g:
        return flags | MFD_HUGETLB | MFD_HUGE_1GB;
    }
    return flags;
}

struct HugePages {
    std::string folder;
    std::uint64_t usable;
};

HugePages huge_pages(Pages pages) {
    auto folder = "/sys/kernel/mm/hugepages/hugepages-" + std::to_string(page_size(pages) / kib) + "kB/";
    const auto free = kit::read_system_number(folder + "free_hugepages").value_or(0);
    const auto reserved = kit::read_system_number(folder + "resv_hugepages").value_or(0);
    return {std::move(folder), free - std::min(free, reserved)};
}

void bind_to_node(std::span<std::byte> bytes, unsigned node) {
    check_node(node);
    constexpr unsigned bits = 8 * sizeof(unsigned long);
    unsigned long mask[node_count / bits] = {};
    mask[node / bits] = 1UL << (node % bits);
    if (::syscall(SYS_mbind, bytes.data(), bytes.size(), MPOL_BIND, mask, bits * std::size(mask), 0) != 0) {
        kit::throw_errno("bind the memory to NUMA node " + std::to_string(node));
    }
}

// Puts all pages into this process's page table, writable.
void populate(std::span<std::byte> bytes) {
    if (::madvise(bytes.data(), bytes.size(), MADV_POPULATE_WRITE) != 0) { // kernels before 5.14
        for (std::size_t at = 0; at < bytes.size(); at += page_size(Pages::base)) {
            reinterpret_cast<std::atomic<unsigned char>&>(bytes[at]).fetch_or(0);
        }
    }
}

} // namespace

std::uint64_t page_size(Pages pages) {
    switch (pages) {
    case Pages::base:
        break;
    case Pages::huge_2m:
        return 2 * mib;
    case Pages::huge_1g:
        return 1024 * mib;
    }
    return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t memory_room(Pages pages) {
    return pages == Pages::base ? kit::memory_room() : huge_pages(pages).usable * page_size(pages);
}

std::optional<std::string> lack_of_memory(std::uint64_t bytes, std::uint32_t endpoints, Pages pages) {
    const auto whose = endpoints > 1 ? std::to_string(endpoints) + " endpoints" : std::string("an endpoint");
    const auto page = page_size(pages);
    const auto wanted = bytes / page + (bytes % page != 0 ? 1 : 0); // of each endpoint
    if (pages == Pages::base) {
        const auto room = memory_room(pages);
        if (bytes <= room / endpoints) {
            return std::nullopt;
        }
        return "the rings of " + whose + " take " + in_mib(bytes * endpoints) + ", only " + in_mib(room) +
               " are available; use smaller messages, fewer endpoints or a smaller buffer-size";
    }
    const auto [folder, usable] = huge_pages(pages);
    if (wanted <= usable / endpoints) {
        return std::nullopt;
    }
    const auto total = kit::read_system_number(folder + "nr_hugepages").value_or(0);
    return "the rings of " + whose + " take " + std::to_string(wanted * endpoints) + " huge pages of " + in_mib(page) +
           ", " + std::to_string(usable) + " are free; get them with: echo " +
           std::to_string(total + wanted * endpoints - usable) + " > " + folder + "nr_hugepages";
}

void check_node(unsigned node) {
    if (node >= node_count || ::access(("/sys/devices/system/node/node" + std::to_string(node)).c_str(), F_OK) != 0) {
        const auto online = kit::read_system_text("/sys/devices/system/node/online");
        throw kit::Error(IPCMARK_BAD_ARGUMENT, "there is no NUMA node " + std::to_string(node) +
                                                   "; those of this machine: " + online.value_or("none"));
    }
}

Memory Memory::make(std::uint64_t bytes, Pages pages, std::optional<unsigned> numa_node) {
    if (const auto lack = lack_of_memory(bytes, 1, pages)) {
        throw pages == Pages::base ? kit::Error(IPCMARK_NO_MEMORY, *lack, ENOMEM) : kit::Error(IPCMARK_LIMIT, *lack);
    }
    Memory memory;
    memory.descriptor_.reset(::memfd_create("ipcmark", memfd_flags(pages)));
    const auto fd = memory.descriptor_.get();
    if (fd < 0) {
        kit::throw_errno("make shared memory");
    }
    if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
        kit::throw_errno("size the shared memory to " + in_mib(bytes));
    }
    if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        kit::throw_errno("seal the shared memory");
    }
    memory.map(bytes);
    if (numa_node) {
        bind_to_node(memory.bytes_, *numa_node);
    }
    // Gets the pages now: an error here, instead of a signal at some later write.
    if (::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) != 0) {
        kit::throw_errno("get " + in_mib(bytes) + " of shared memory");
    }
    populate(memory.bytes_);
    if (numa_node && memory.node() != numa_node) {
        throw kit::Error(IPCMARK_SYSTEM,
                         "the kernel did not put the memory on NUMA node " + std::to_string(*numa_node));
    }
    return memory;
}

Memory Memory::open(kit::Fd descriptor, std::uint64_t bytes) {
    constexpr int sealed = F_SEAL_SHRINK | F_SEAL_GROW;
    const int seals = ::fcntl(descriptor.get(), F_GET_SEALS);
    struct stat status {};
    if (seals < 0 || (seals & sealed) != sealed || ::fstat(descriptor.get(), &status) != 0 || status.st_size < 0 ||
        static_cast<std::uint64_t>(status.st_size) != bytes) {
        throw kit::Error(IPCMARK_SYSTEM, "the peer's shared memory is not sealed or has not the size it told");
    }
    Memory memory;
    memory.descriptor_ = std::move(descriptor);
    memory.map(bytes);
    populate(memory.bytes_);
    return memory;
}

std::uint64_t Memory::page() const {
    struct stat status {};
    return ::fstat(descriptor_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blksize) : 0;
}

std::optional<unsigned> Memory::node() const {
    int node = -1;
    if (::syscall(SYS_get_mempolicy, &node, nullptr, 0, bytes_.data(), MPOL_F_NODE | MPOL_F_ADDR) != 0 || node < 0) {
        return std::nullopt;
    }
    return static_cast<unsigned>(node);
}

void Memory::map(std::uint64_t bytes) {
    void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_.get(), 0);
    if (at == MAP_FAILED) {
        const int error = errno;
        kit::throw_errno("map " + in_mib(bytes) + " of shared memory", error,
                         error == ENOMEM ? "raise the limit of the address space with ulimit -v, or use smaller "
                                           "messages, fewer endpoints or a smaller buffer-size"
                                         : "");
    }
    bytes_ = {static_cast<std::byte*>(at), bytes};
}

void Memory::unmap() noexcept {
    if (bytes_.data() != nullptr) {
        ::munmap(bytes_.data(), bytes_.size());
        bytes_ = {};
    }
}

} // namespace ipcmark::shm

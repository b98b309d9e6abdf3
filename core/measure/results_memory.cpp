// SPDX-License-Identifier: Apache-2.0
#include "measure/results_memory.hpp"

#include "module/limit_remedy.hpp"

#include <ipcmark/run.hpp>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ipcmark {
namespace {

constexpr std::size_t page_bytes = 4096;

constexpr std::size_t round_up(std::size_t bytes) {
    return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

constexpr std::size_t histogram_bytes = round_up(HistogramLayout::bucket_count * sizeof(std::uint64_t));
constexpr std::size_t stamp_bytes = round_up(stamp_ring_entries * sizeof(std::uint64_t));
constexpr std::size_t sample_bytes = round_up(sample_ring_entries * sizeof(RingSample));

// Where each part begins; everything is derived from the shape, so both sides compute the same.
struct Offsets {
    std::size_t slots;
    std::size_t counts;
    std::size_t uncorrected;
    std::size_t stamps;
    std::size_t samples;
    std::size_t end;
};

Offsets offsets(std::size_t endpoints, bool uncorrected, bool stamps, bool samples) {
    Offsets at{};
    at.slots = round_up(sizeof(ResultsHeader));
    at.counts = at.slots + round_up(2 * endpoints * sizeof(Slot));
    at.uncorrected = at.counts + 2 * endpoints * histogram_bytes;
    at.stamps = at.uncorrected + (uncorrected ? 2 * endpoints * histogram_bytes : 0);
    at.samples = at.stamps + (stamps ? endpoints * stamp_bytes : 0);
    at.end = at.samples + (samples ? endpoints * sample_bytes : 0);
    return at;
}

Offsets offsets(const ResultsShape& shape) {
    return offsets(shape.endpoints, shape.has_uncorrected != 0, shape.has_stamp_rings != 0,
                   shape.has_sample_rings != 0);
}

} // namespace

ResultsMemory::ResultsMemory(int descriptor, void* address, std::size_t bytes) noexcept
    : descriptor_(descriptor), header_(static_cast<ResultsHeader*>(address)), bytes_(bytes) {}

ResultsMemory::ResultsMemory(ResultsMemory&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), header_(std::exchange(other.header_, nullptr)),
      bytes_(other.bytes_), shape_(other.shape_) {}

ResultsMemory& ResultsMemory::operator=(ResultsMemory&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(header_, other.header_);
    std::swap(bytes_, other.bytes_);
    std::swap(shape_, other.shape_);
    return *this;
}

ResultsMemory::~ResultsMemory() {
    if (header_ != nullptr)
        munmap(header_, bytes_);
    if (descriptor_ >= 0)
        close(descriptor_);
}

ResultsMemory ResultsMemory::create(const ResultsLayout& layout, const RunClock& clock) {
    const std::size_t bytes =
        offsets(layout.endpoints, layout.uncorrected, layout.stamp_rings, layout.sample_rings).end;
    const int descriptor = memfd_create("ipcmark-results", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0 || ftruncate(descriptor, static_cast<off_t>(bytes)) != 0 ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        const int error = errno;
        if (descriptor >= 0)
            close(descriptor);
        throw RunError(fmt::format("cannot make {} bytes of results memory: {}{}", bytes, std::strerror(error),
                                   limit_remedy(error)));
    }
    void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (address == MAP_FAILED) {
        const int error = errno;
        close(descriptor);
        throw RunError(fmt::format("cannot map {} bytes of results memory: {}", bytes, std::strerror(error)));
    }
    ResultsMemory memory(descriptor, address, bytes);
    memory.shape_ = {
        .total_bytes = bytes,
        .endpoints = layout.endpoints,
        .clock_kind = static_cast<std::uint32_t>(clock.kind),
        .ns_per_tick_q32 = clock.scale.ns_per_tick_q32,
        .has_uncorrected = layout.uncorrected ? 1U : 0U,
        .has_stamp_rings = layout.stamp_rings ? 1U : 0U,
        .has_sample_rings = layout.sample_rings ? 1U : 0U,
        .shared_with_peer = layout.shared_with_peer ? 1U : 0U,
    };
    new (address) ResultsHeader{memory.shape_, 0};
    for (const Role role : {Role::server, Role::client}) {
        for (unsigned endpoint = 0; endpoint < layout.endpoints; ++endpoint) {
            auto* slot = new (&memory.slot(role, endpoint)) Slot{};
            slot->latency.min_ns = UINT64_MAX;
            slot->uncorrected.min_ns = UINT64_MAX;
            slot->usage.migrations = not_known;
            slot->usage.run_delay_ns = not_known;
        }
    }
    return memory;
}

ResultsMemory ResultsMemory::open(int descriptor) {
    struct stat status {};
    if (fstat(descriptor, &status) != 0 || static_cast<std::size_t>(status.st_size) < sizeof(ResultsHeader))
        throw RunError(fmt::format("descriptor {} is not results memory", descriptor));
    const auto bytes = static_cast<std::size_t>(status.st_size);
    void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (address == MAP_FAILED)
        throw RunError(fmt::format("cannot map {} bytes of results memory: {}", bytes, std::strerror(errno)));
    ResultsMemory memory(descriptor, address, bytes);
    memory.shape_ = *memory.header_;
    if (memory.shape_.total_bytes != bytes || offsets(memory.shape_).end != bytes)
        throw RunError("results memory has an unknown layout");
    return memory;
}

template <class T> T* ResultsMemory::at(std::size_t offset) const noexcept {
    return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(header_) + offset);
}

std::size_t ResultsMemory::slot_number(Role role, unsigned endpoint) const noexcept {
    return static_cast<std::size_t>(role) * shape_.endpoints + endpoint;
}

Slot& ResultsMemory::slot(Role role, unsigned endpoint) const noexcept {
    return at<Slot>(offsets(shape_).slots)[slot_number(role, endpoint)];
}

std::span<std::uint64_t> ResultsMemory::counts(Role role, unsigned endpoint) const noexcept {
    return {at<std::uint64_t>(offsets(shape_).counts + slot_number(role, endpoint) * histogram_bytes),
            HistogramLayout::bucket_count};
}

std::span<std::uint64_t> ResultsMemory::uncorrected_counts(Role role, unsigned endpoint) const noexcept {
    if (shape_.has_uncorrected == 0)
        return {};
    return {at<std::uint64_t>(offsets(shape_).uncorrected + slot_number(role, endpoint) * histogram_bytes),
            HistogramLayout::bucket_count};
}

std::vector<std::uint64_t> ResultsMemory::copy_of(std::span<const std::uint64_t> counts) const {
    std::vector<std::uint64_t> copy(counts.size());
    const auto from = reinterpret_cast<const std::byte*>(counts.data()) - reinterpret_cast<const std::byte*>(header_);
    for (std::size_t done = 0; done < counts.size_bytes();) {
        const ssize_t got = pread(descriptor_, reinterpret_cast<std::byte*>(copy.data()) + done,
                                  counts.size_bytes() - done, static_cast<off_t>(from) + static_cast<off_t>(done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            throw RunError(fmt::format("cannot read the results memory: {}",
                                       got < 0 ? std::strerror(errno) : "it is shorter than it was made"));
        done += static_cast<std::size_t>(got);
    }
    return copy;
}

std::span<std::atomic<std::uint64_t>> ResultsMemory::stamps(unsigned endpoint) const noexcept {
    if (shape_.has_stamp_rings == 0)
        return {};
    return {at<std::atomic<std::uint64_t>>(offsets(shape_).stamps + endpoint * stamp_bytes), stamp_ring_entries};
}

std::span<RingSample> ResultsMemory::samples(unsigned endpoint) const noexcept {
    if (shape_.has_sample_rings == 0)
        return {};
    return {at<RingSample>(offsets(shape_).samples + endpoint * sample_bytes), sample_ring_entries};
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
// A transport over shared memory and eventfds.
#include <ipcmark/module_kit.hpp>
#include <ipcmark/module_kit/local_rendezvous.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

namespace kit = ipcmark::kit;

constexpr std::uint64_t limit_bytes = std::uint64_t{1} << 20;
constexpr std::size_t slot_count = 16;

// One message: its size, then its bytes.
struct Slot {
    std::uint64_t size;
    std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

std::size_t slot_bytes(std::uint64_t max_message_size) {
    return sizeof(Slot) + (static_cast<std::size_t>(max_message_size) + 63) / 64 * 64;
}

// A mapping that ends with its owner.
class Mapping {
public:
    Mapping(int memory, std::size_t size)
        : size_(size), start_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0)) {
        if (start_ == MAP_FAILED) {
            kit::throw_errno("map " + std::to_string(size) + " bytes of shared memory");
        }
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { munmap(start_, size_); }
    [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(start_); }

private:
    std::size_t size_;
    void* start_;
};

// What the connecting side makes and passes to the accepting one, in this order.
enum Part { memory, filled_a, empty_a, filled_b, empty_b, part_count };

class Endpoint {
public:
    // `parts` as in Part. The side `a` sends in the first half of the memory.
    Endpoint(const kit::EndpointRequest& request, kit::Fd socket, std::vector<kit::Fd> parts, bool is_a)
        : request_(request), socket_(std::move(socket)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          parts_(std::move(parts)), slot_bytes_(slot_bytes(request.max_message_size)),
          mapping_(parts_[memory].get(), 2 * slot_count * slot_bytes_) {
        if (!wake_) {
            kit::throw_errno("make an eventfd");
        }
        auto* const first = mapping_.data();
        auto* const second = first + slot_count * slot_bytes_;
        tx_ = is_a ? Lane{first, parts_[filled_a].get(), parts_[empty_a].get()}
                   : Lane{second, parts_[filled_b].get(), parts_[empty_b].get()};
        rx_ = is_a ? Lane{second, parts_[filled_b].get(), parts_[empty_b].get()}
                   : Lane{first, parts_[filled_a].get(), parts_[empty_a].get()};
    }

    ipcmark_status send(const void* data, std::size_t size) noexcept {
        if (size == 0 || (request_.tx_fixed_size != 0 && size != request_.tx_fixed_size)) {
            return kit::record_hot(IPCMARK_BAD_ARGUMENT, 0, "the message is empty or has not the fixed size");
        }
        if (size > request_.max_message_size) {
            return kit::record_hot(IPCMARK_TOO_BIG, 0, "the message is larger than max_message_size");
        }
        if (const auto status = take(tx_.empty); status != IPCMARK_OK) {
            return status;
        }
        auto& slot = next(tx_);
        slot.size = size;
        std::memcpy(slot.data(), data, size);
        give(tx_.filled);
        return IPCMARK_OK;
    }

    ipcmark_status recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
        if (const auto status = take(rx_.filled); status != IPCMARK_OK) {
            return status;
        }
        auto& slot = next(rx_);
        const auto length = slot.size; // read once: the memory is the peer's, too
        const bool fits = length <= capacity && length <= request_.max_message_size;
        if (fits) {
            std::memcpy(data, slot.data(), length);
            size = length;
        }
        give(rx_.empty);
        return fits ? IPCMARK_OK : kit::record_hot(IPCMARK_TRUNCATED, 0, "the message is larger than the buffer");
    }

    void interrupt(ipcmark_status status) noexcept {
        interrupt_.raise(status);
        give(wake_.get());
    }

private:
    struct Lane {
        std::byte* slots = nullptr;
        int filled = -1;
        int empty = -1;
        std::size_t position = 0;
    };

    Slot& next(Lane& lane) noexcept {
        auto* const slot = lane.slots + lane.position * slot_bytes_;
        lane.position = (lane.position + 1) % slot_count;
        return *reinterpret_cast<Slot*>(slot);
    }

    static void give(int semaphore) noexcept {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = write(semaphore, &one, sizeof one);
    }
    static bool try_take(int semaphore) noexcept {
        std::uint64_t one = 0;
        return read(semaphore, &one, sizeof one) == static_cast<ssize_t>(sizeof one);
    }

    // One count of the semaphore, by the wait policy.
    ipcmark_status take(int semaphore) noexcept {
        kit::SpinBudget budget(request_.spin_ns);
        for (bool peer_left = false;;) {
            if (interrupt_) {
                return kit::record_hot(interrupt_.status(), 0, "the call was interrupted");
            }
            if (try_take(semaphore)) {
                return IPCMARK_OK;
            }
            if (peer_left) { // it left before this last look, so nothing more will come
                return kit::record_hot(IPCMARK_PEER_GONE, 0, "the peer closed its end");
            }
            const bool spin = request_.wait_policy == IPCMARK_WAIT_SPIN ||
                              (request_.wait_policy == IPCMARK_WAIT_ADAPTIVE && budget.turn());
            std::array<pollfd, 3> all{pollfd{semaphore, POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0},
                                      pollfd{socket_.get(), POLLRDHUP, 0}};
            if (poll(all.data(), all.size(), spin ? 0 : -1) > 0) {
                peer_left = (all[2].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
            }
        }
    }

    kit::EndpointRequest request_; // its pointers are not used after the constructor
    kit::Fd socket_;               // says nothing; hangs up when the peer is gone
    kit::Fd wake_;
    std::vector<kit::Fd> parts_;
    std::size_t slot_bytes_;
    Mapping mapping_;
    Lane tx_;
    Lane rx_;
    kit::InterruptFlag interrupt_;
};

std::vector<kit::Fd> make_parts(const kit::EndpointRequest& request) {
    std::vector<kit::Fd> parts(part_count);
    parts[memory] = kit::Fd(memfd_create("ipcmark-eventfd", MFD_CLOEXEC));
    const auto size = static_cast<off_t>(2 * slot_count * slot_bytes(request.max_message_size));
    if (!parts[memory] || ftruncate(parts[memory].get(), size) != 0) {
        kit::throw_errno("make " + std::to_string(size) + " bytes of shared memory");
    }
    for (const auto part : {filled_a, empty_a, filled_b, empty_b}) {
        const unsigned count = part == empty_a || part == empty_b ? slot_count : 0;
        parts[part] = kit::Fd(eventfd(count, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE));
        if (!parts[part]) {
            kit::throw_errno("make an eventfd");
        }
    }
    return parts;
}

void check_request(const kit::EndpointRequest& request) {
    if (request.flags != 0) {
        throw kit::Error(IPCMARK_UNSUPPORTED, "this module has no extensions");
    }
    if (request.max_message_size > limit_bytes) {
        throw kit::Error(IPCMARK_LIMIT, "max_message_size is above this module's limit of 1 MiB");
    }
}

class Listener {
public:
    explicit Listener(const kit::ListenRequest& request) {
        if (request.max_message_size == 0 || request.max_message_size > limit_bytes) {
            throw kit::Error(IPCMARK_LIMIT, "max_message_size must be 1 to 1048576");
        }
    }
    [[nodiscard]] std::vector<std::byte> address() const { return rendezvous_.address(); }
    std::unique_ptr<Endpoint> accept(const kit::EndpointRequest& request) {
        check_request(request);
        auto peer = rendezvous_.accept(request.timeout_ns);
        struct stat status {};
        const auto needed = static_cast<off_t>(2 * slot_count * slot_bytes(request.max_message_size));
        if (peer.descriptors.size() != part_count || fstat(peer.descriptors[memory].get(), &status) != 0 ||
            status.st_size != needed) {
            throw kit::Error(IPCMARK_INTERNAL, "the peer brought other shared memory than was agreed");
        }
        return std::make_unique<Endpoint>(request, std::move(peer.socket), std::move(peer.descriptors), false);
    }
    void interrupt(ipcmark_status status) noexcept { rendezvous_.interrupt(status); }

private:
    kit::LocalRendezvous rendezvous_;
};

struct EventFd {
    using Listener = ::Listener;
    using Endpoint = ::Endpoint;

    static constexpr std::uint32_t capabilities = IPCMARK_CAP_BOUNDARIES | IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE |
                                                  IPCMARK_CAP_PEER_DEATH | IPCMARK_CAP_TX_RX_THREADS;
    static constexpr const char* display_name = "Shared memory with eventfds";
    static constexpr const char* result_name = "EventFd";
    static constexpr const char* description = "Slots in shared memory, counted by eventfds.";
    static constexpr const char* licence = "Apache-2.0";
    static constexpr std::array<ipcmark_option, 0> options{};

    static void limits(const kit::ListenRequest&, ipcmark_limits& out) {
        out.max_message_size = limit_bytes;
        out.max_in_flight = slot_count;
        std::strcpy(out.reason,
                    "the module's own limit: each of 16 slots a direction has room for the largest message");
    }
    static std::unique_ptr<Endpoint> connect(std::span<const std::byte> address, const kit::EndpointRequest& request) {
        check_request(request);
        auto parts = make_parts(request);
        std::array<int, part_count> raw{};
        for (std::size_t i = 0; i < parts.size(); ++i) {
            raw[i] = parts[i].get();
        }
        auto socket = kit::connect_local(address, request.timeout_ns, {}, raw);
        return std::make_unique<Endpoint>(request, std::move(socket), std::move(parts), true);
    }
};

} // namespace

IPCMARK_DEFINE_MODULE("eventfd", MODULE_VERSION, &kit::descriptor<EventFd>);

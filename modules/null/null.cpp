// SPDX-License-Identifier: Apache-2.0
#include <ipcmark/module_kit.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

namespace {

using namespace ipcmark::kit;

// The two ends of a message, where the harness keeps its stamp and its checks.
constexpr std::size_t head_bytes = 16;
constexpr std::size_t tail_bytes = 8;
constexpr std::size_t slot_count = 1024;

struct Slot {
    std::size_t size;
    std::array<std::byte, head_bytes> head;
    std::array<std::byte, tail_bytes> tail;
};

class NullEndpoint {
public:
    explicit NullEndpoint(const EndpointRequest& request)
        : max_size_(request.max_message_size), tx_fixed_(request.tx_fixed_size),
          usual_size_(tx_fixed_ >= head_bytes + tail_bytes ? tx_fixed_ : 0),
          spins_(request.wait_policy == IPCMARK_WAIT_SPIN) {
        if (request.polled() || request.loaned()) {
            throw Error(IPCMARK_UNSUPPORTED, "the null module has neither the pollfd nor the loan extension");
        }
    }

    ipcmark_status send(const void* data, std::size_t size) noexcept {
        if (size != usual_size_ || sent_ - received_ == slot_count) [[unlikely]] {
            return send_unusual(data, size);
        }
        auto& slot = slots_[sent_ % slot_count];
        slot.size = size;
        std::memcpy(slot.head.data(), data, head_bytes);
        std::memcpy(slot.tail.data(), static_cast<const std::byte*>(data) + size - tail_bytes, tail_bytes);
        ++sent_;
        return IPCMARK_OK;
    }

    ipcmark_status recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
        const auto& slot = slots_[received_ % slot_count];
        if (sent_ == received_ || slot.size > capacity || slot.size != usual_size_) [[unlikely]] {
            return recv_unusual(data, capacity, size);
        }
        size = usual_size_;
        std::memcpy(data, slot.head.data(), head_bytes);
        std::memcpy(static_cast<std::byte*>(data) + usual_size_ - tail_bytes, slot.tail.data(), tail_bytes);
        ++received_;
        return IPCMARK_OK;
    }

    void interrupt(ipcmark_status status) noexcept { interrupt_.raise(status); }

private:
    // Sizes that change, and those too short to have both ends apart.
    [[gnu::noinline]] ipcmark_status send_unusual(const void* data, std::size_t size) noexcept {
        if (size != tx_fixed_ && !allowed(size)) {
            return refuse(size);
        }
        if (sent_ - received_ == slot_count) {
            return wait_for_interrupt();
        }
        auto& slot = slots_[sent_++ % slot_count];
        slot.size = size;
        const auto* const bytes = static_cast<const std::byte*>(data);
        std::memcpy(slot.head.data(), bytes, std::min(size, head_bytes));
        if (size > head_bytes) {
            const auto rest = std::min(size - head_bytes, tail_bytes);
            std::memcpy(slot.tail.data(), bytes + size - rest, rest);
        }
        return IPCMARK_OK;
    }
    [[gnu::noinline]] ipcmark_status recv_unusual(void* data, std::size_t capacity, std::size_t& size) noexcept {
        if (sent_ == received_) {
            return wait_for_interrupt();
        }
        const auto& slot = slots_[received_++ % slot_count];
        if (slot.size > capacity) {
            return record_hot(IPCMARK_TRUNCATED, 0, "the message is larger than the buffer");
        }
        size = slot.size;
        auto* const bytes = static_cast<std::byte*>(data);
        std::memcpy(bytes, slot.head.data(), std::min(size, head_bytes));
        if (size > head_bytes) {
            const auto rest = std::min(size - head_bytes, tail_bytes);
            std::memcpy(bytes + size - rest, slot.tail.data(), rest);
        }
        return IPCMARK_OK;
    }
    [[nodiscard]] bool allowed(std::size_t size) const noexcept {
        return tx_fixed_ == 0 && size != 0 && size <= max_size_;
    }
    [[gnu::cold]] ipcmark_status refuse(std::size_t size) const noexcept {
        if (size > max_size_) {
            return record_hot(IPCMARK_TOO_BIG, 0, "the message is larger than max_message_size");
        }
        return record_hot(IPCMARK_BAD_ARGUMENT, 0, "the message's size is 0 or not the fixed size");
    }
    // Nobody else can send or receive while this call waits, since the halves never overlap.
    [[gnu::cold]] ipcmark_status wait_for_interrupt() const noexcept {
        if (!spins_) {
            interrupt_.wait();
        }
        while (!interrupt_) {
            cpu_relax();
        }
        return record_hot(interrupt_.status(), 0, "the call was interrupted");
    }

    std::uint64_t max_size_;
    std::uint64_t tx_fixed_;
    std::uint64_t usual_size_; // the fixed size if a message of it has both ends apart; else 0
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
    bool spins_;
    InterruptFlag interrupt_;
    std::array<Slot, slot_count> slots_{};
};

// Accepts at once, as often as it is asked.
class NullListener {
public:
    explicit NullListener(const ListenRequest&) {}
    [[nodiscard]] std::vector<std::byte> address() const { return {std::byte{0}}; }
    std::unique_ptr<NullEndpoint> accept(const EndpointRequest& request) {
        if (interrupt_) {
            throw Error(interrupt_.status(), "the accept was interrupted");
        }
        return std::make_unique<NullEndpoint>(request);
    }
    void interrupt(ipcmark_status status) noexcept { interrupt_.raise(status); }

private:
    InterruptFlag interrupt_;
};

struct Null {
    using Listener = NullListener;
    using Endpoint = NullEndpoint;

    static constexpr std::uint32_t capabilities =
        IPCMARK_CAP_LOOPBACK | IPCMARK_CAP_BOUNDARIES | IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE;
    static constexpr const char* display_name = "No transport";
    static constexpr const char* result_name = "Null";
    static constexpr const char* description =
        "Hands an endpoint its own messages back, without their bodies: what is measured is the harness itself.";
    static constexpr const char* licence = "Apache-2.0";
    static constexpr std::array<ipcmark_option, 0> options{};

    static void limits(const ListenRequest&, ipcmark_limits& out) {
        out.max_message_size = SIZE_MAX / 2;
        out.max_in_flight = slot_count;
    }
    static std::unique_ptr<Endpoint> connect(std::span<const std::byte>, const EndpointRequest& request) {
        return std::make_unique<NullEndpoint>(request);
    }
};

} // namespace

IPCMARK_DEFINE_MODULE("null", IPCMARK_MODULE_VERSION, &ipcmark::kit::descriptor<Null>);

// SPDX-License-Identifier: Apache-2.0
#include "address.hpp"
#include "endpoint.hpp"
#include "greeting.hpp"

#include <ipcmark/module_kit/local_rendezvous.hpp>

#include <algorithm>
#include <memory>

namespace ipcmark::shm {
namespace {

class Listener {
public:
    explicit Listener(const kit::ListenRequest& request)
        : endpoints_(request.endpoint_count), rendezvous_({}, endpoints_) {
        (void)Settings(request.options());
    }
    [[nodiscard]] std::vector<std::byte> address() const { return written({endpoints_, rendezvous_.address()}); }
    std::unique_ptr<Endpoint> accept(const kit::EndpointRequest& request) {
        return std::make_unique<Endpoint>(rendezvous_.accept(request.timeout_ns), request);
    }
    void interrupt(ipcmark_status status) noexcept { rendezvous_.interrupt(status); }

private:
    std::uint32_t endpoints_;
    kit::LocalRendezvous rendezvous_;
};

struct Shm {
    using Listener = shm::Listener;
    using Endpoint = shm::Endpoint;

    static constexpr std::uint32_t capabilities = IPCMARK_CAP_BOUNDARIES | IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE |
                                                  IPCMARK_CAP_PEER_DEATH | IPCMARK_CAP_TX_RX_THREADS;
    static constexpr const char* display_name = "Shared Memory";
    static constexpr const char* result_name = "SharedMemory";
    static constexpr const char* description =
        "A ring in shared memory for each direction; the system is called only to sleep and to wake.";
    static constexpr const char* licence = "Apache-2.0";
    static constexpr const auto& options = shm::options;

    static void limits(const kit::ListenRequest& request, ipcmark_limits& out) {
        const Settings settings(request.options());
        if (settings.numa_node) {
            check_node(*settings.numa_node);
        }
        const auto endpoints = std::max(request.endpoint_count, 1U);
        const bool given = settings.buffer_size != 0;
        const auto memory_of = [&](std::uint64_t size) {
            return given ? memory_of_rings(settings.buffer_size) : memory_for(size, endpoints);
        };
        // Huge pages can be had for any size: whoever lacks some is told how many the asked one takes.
        const auto needed =
            settings.pages == Pages::base ? 1 : std::clamp<std::uint64_t>(request.max_message_size, 1, largest_message);
        if (const auto lack = lack_of_memory(memory_of(needed), endpoints, settings.pages)) {
            throw kit::Error(IPCMARK_LIMIT, *lack);
        }
        if (given) {
            // Messages that are copied cross in pieces, in any ring.
            out.max_message_size = largest_message;
            out.max_in_flight =
                messages_in_ring(settings.buffer_size, std::max<std::uint64_t>(request.max_message_size, 1));
            return;
        }
        // The largest size with which the rings of all endpoints fit.
        const auto page = page_size(settings.pages);
        const auto available = memory_room(settings.pages) / endpoints / page * page;
        auto size = std::uint64_t{1};
        while (memory_of(2 * size) <= available) {
            size *= 2;
        }
        for (auto step = size / 2; step != 0; step /= 2) {
            if (memory_of(size + step) <= available) {
                size += step;
            }
        }
        out.max_message_size = size;
        const auto* what = settings.pages == Pages::base ? "the memory that is available, "
                                                         : "the memory of the huge pages that are free, ";
        const std::string reason =
            what + std::to_string(available >> 20) + " MiB for each endpoint, holds two messages in each direction";
        reason.copy(out.reason, sizeof out.reason - 1);
    }
    static std::unique_ptr<Endpoint> connect(std::span<const std::byte> address, const kit::EndpointRequest& request) {
        return std::make_unique<Endpoint>(read_address(address), request);
    }
};

} // namespace
} // namespace ipcmark::shm

IPCMARK_DEFINE_MODULE("shm", IPCMARK_MODULE_VERSION, &ipcmark::kit::descriptor<ipcmark::shm::Shm>);

// SPDX-License-Identifier: Apache-2.0
#include "endpoint.hpp"

#include <algorithm>
#include <memory>
#include <string>

namespace {

namespace kit = ipcmark::kit;

void check(const kit::ListenRequest& request) {
    pmq::check_limits(pmq::shape_of(request.options(), 0, std::max<std::uint64_t>(request.max_message_size, 1)),
                      std::max(request.endpoint_count, 1U));
}

class PmqListener {
public:
    explicit PmqListener(const kit::ListenRequest& request) : rendezvous_({}, request.endpoint_count) {
        check(request); // as in limits, for a host that has not asked
    }
    [[nodiscard]] std::vector<std::byte> address() const { return rendezvous_.address(); }
    std::unique_ptr<pmq::Endpoint> accept(const kit::EndpointRequest& request) {
        return std::make_unique<pmq::Endpoint>(rendezvous_.accept(request.timeout_ns), request);
    }
    void interrupt(ipcmark_status status) noexcept { rendezvous_.interrupt(status); }

private:
    kit::LocalRendezvous rendezvous_;
};

struct Pmq {
    using Listener = PmqListener;
    using Endpoint = pmq::Endpoint;

    static constexpr std::uint32_t capabilities = IPCMARK_CAP_BOUNDARIES | IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE |
                                                  IPCMARK_CAP_PEER_DEATH | IPCMARK_CAP_TX_RX_THREADS;
    static constexpr const char* display_name = "POSIX Message Queue";
    static constexpr const char* result_name = "PosixMessageQueue";
    static constexpr const char* description = "A POSIX message queue for each direction.";
    static constexpr const char* licence = "Apache-2.0";
    static constexpr const auto& options = pmq::options;

    static void limits(const kit::ListenRequest& request, ipcmark_limits& out) {
        check(request); // it knows which limit is in the way of what, and how far it must be raised
        const auto system = pmq::SystemLimits::read();
        const auto depth = request.options().u64(pmq::option::depth);
        const auto queues = 2 * std::max<std::uint64_t>(request.endpoint_count, 1);
        const auto by_bytes = system.bytes / (queues * depth) - pmq::charged_bytes({0, 1});
        out.max_message_size = std::min(system.message_size, by_bytes);
        out.max_in_flight = depth;
        out.max_endpoints = static_cast<std::uint32_t>(std::min<std::uint64_t>(system.queues / 2, UINT32_MAX));
        const std::string reason = system.message_size <= by_bytes
                                       ? "fs.mqueue.msgsize_max, which sysctl raises"
                                       : std::to_string(queues) + " queues of depth " + std::to_string(depth) +
                                             " share RLIMIT_MSGQUEUE, " + std::to_string(system.bytes) +
                                             " bytes, which ulimit -q raises";
        reason.copy(out.reason, sizeof out.reason - 1);
    }
    static std::unique_ptr<Endpoint> connect(std::span<const std::byte> address, const kit::EndpointRequest& request) {
        return std::make_unique<Endpoint>(address, request);
    }
};

} // namespace

IPCMARK_DEFINE_MODULE("pmq", IPCMARK_MODULE_VERSION, &ipcmark::kit::descriptor<Pmq>);

// SPDX-License-Identifier: Apache-2.0
// Structs that are shorter or longer than the module knows them: hosts of other minor versions.
#include "host/check/peer.hpp"

#include <array>
#include <cstring>

#include <fmt/format.h>

namespace ipcmark::check {
namespace {

constexpr unsigned char canary = 0xA5;
constexpr std::size_t room = 4096;

// A struct of `size` bytes as its host knows it, at the beginning of a field of canaries.
struct Field {
    alignas(16) std::array<unsigned char, room> bytes;
    explicit Field(std::uint32_t size) {
        bytes.fill(canary);
        std::memset(bytes.data(), 0, std::min<std::size_t>(size, room));
        std::memcpy(bytes.data(), &size, sizeof size);
    }
    void check_from(std::size_t first, const std::string& what) const {
        for (std::size_t i = first; i < room; ++i) {
            require(bytes[i] == canary, fmt::format("{} writes byte {}: it must write no more than the size that the "
                                                    "caller gave, and no more than it knows",
                                                    what, i));
        }
    }
};

void limits(Context& context) {
    const auto params = context.listen_params(1, 64);
    for (const std::uint32_t size :
         {8U, 12U, 16U, 24U, 32U, 100U, static_cast<std::uint32_t>(sizeof(ipcmark_limits))}) {
        Field field(size);
        Sandbox::step(fmt::format("limits into a struct of {} bytes", size));
        const auto status = context.table().limits(&params, reinterpret_cast<ipcmark_limits*>(field.bytes.data()));
        context.expect(status, IPCMARK_OK, nullptr, fmt::format("limits into a struct of {} bytes", size));
        field.check_from(size, fmt::format("limits into a struct of {} bytes", size));
    }
}

void error(Context& context) {
    for (const std::uint32_t size : {8U, 12U, 16U, 17U, 100U, static_cast<std::uint32_t>(sizeof(ipcmark_error))}) {
        // A failure first, so that there is something to tell.
        auto params = context.listen_params(1, 0);
        ListenerHandle listener;
        (void)context.try_listen(params, listener);
        Field field(size);
        Sandbox::step(fmt::format("last_error into a struct of {} bytes", size));
        context.table().last_error(nullptr, reinterpret_cast<ipcmark_error*>(field.bytes.data()));
        field.check_from(size, fmt::format("last_error into a struct of {} bytes", size));
    }
}

void longer_results(Context& context) {
    const auto params = context.listen_params(1, 64);
    constexpr std::uint32_t limits_size = sizeof(ipcmark_limits) + 256;
    Field limits_field(limits_size);
    std::memset(limits_field.bytes.data() + sizeof(ipcmark_limits), canary, 256);
    context.expect(context.table().limits(&params, reinterpret_cast<ipcmark_limits*>(limits_field.bytes.data())),
                   IPCMARK_OK, nullptr, "limits into a struct that is longer than version 1 has it");
    limits_field.check_from(sizeof(ipcmark_limits), "limits into a struct that is longer than version 1 has it");
    constexpr std::uint32_t error_size = sizeof(ipcmark_error) + 256;
    Field error_field(error_size);
    std::memset(error_field.bytes.data() + sizeof(ipcmark_error), canary, 256);
    context.table().last_error(nullptr, reinterpret_cast<ipcmark_error*>(error_field.bytes.data()));
    error_field.check_from(sizeof(ipcmark_error), "last_error into a struct that is longer than version 1 has it");
}

// Parameters of a later minor version: the same beginning, then members that this module cannot know.
template <class Params> struct Longer {
    Params params;
    std::array<unsigned char, 128> later;
    explicit Longer(const Params& known) : params(known) {
        later.fill(canary);
        params.size = sizeof(Longer);
    }
};

void longer_params_peer(Context& context, Channel& channel) {
    const auto setup = channel.get<Setup>();
    const auto where = channel.get_bytes();
    const Longer params(context.endpoint_params(setup.spec));
    ipcmark_endpoint* endpoint = nullptr;
    context.expect(context.table().connect(where.data(), where.size(), &params.params, &endpoint), IPCMARK_OK, nullptr,
                   "connect with parameters of a later minor version");
    Wire wire(context, context.own(endpoint));
    wire.recv_message(1, 64);
    wire.send_message(2, 64);
    channel.signal();
    channel.wait();
}

void longer_params(Context& context) {
    const auto spec = fitted(context, {});
    const Longer listen_params(context.listen_params(1, spec.max_message_size));
    ipcmark_limits result{};
    result.size = sizeof result;
    context.expect(context.table().limits(&listen_params.params, &result), IPCMARK_OK, nullptr,
                   "limits with parameters of a later minor version");
    ipcmark_listener* raw_listener = nullptr;
    context.expect(context.table().listen(&listen_params.params, &raw_listener), IPCMARK_OK, nullptr,
                   "listen with parameters of a later minor version");
    const auto listener = context.own(raw_listener);
    Peer peer(context);
    peer.channel().put(Setup{spec.mirrored()});
    peer.channel().put_bytes(context.address(listener));
    const Longer params(context.endpoint_params(spec));
    ipcmark_endpoint* endpoint = nullptr;
    context.expect(context.table().accept(listener.get(), &params.params, &endpoint), IPCMARK_OK, listener.get(),
                   "accept with parameters of a later minor version");
    Wire wire(context, context.own(endpoint));
    wire.send_message(1, 64);
    wire.recv_message(2, 64);
    peer.finish();
}

// The host's table may be longer, too, and may have no log.
void host_without_log(Context& context) {
    ipcmark_host silent{};
    silent.size = sizeof silent;
    for (const ipcmark_host* host : {static_cast<const ipcmark_host*>(&silent), module_host()}) {
        auto params = context.listen_params(1, 64);
        params.host = host;
        ListenerHandle listener;
        context.expect(context.try_listen(params, listener), IPCMARK_OK, nullptr, "listen with a host that has no log");
    }
}

constexpr std::array tests{
    Test{.id = "short_structs.limits",
         .proves =
             "limits writes no more than the caller's size: an older host's struct is shorter, and its stack is next "
             "to it.",
         .run = limits,
         .peers = Peers::none},
    Test{.id = "short_structs.error",
         .proves = "last_error writes no more than the caller's size.",
         .run = error,
         .peers = Peers::none},
    Test{.id = "short_structs.longer_results",
         .proves = "Into a struct of a newer host the module writes what it knows and leaves the rest alone.",
         .run = longer_results,
         .peers = Peers::none},
    Test{.id = "short_structs.longer_params",
         .proves =
             "Parameters of a newer host are taken by their known beginning: the promise that a module built for 1.y "
             "loads in every 1.z.",
         .run = longer_params,
         .peer = longer_params_peer},
    Test{.id = "short_structs.host_without_log",
         .proves = "A host that offers no log is a host.",
         .run = host_without_log,
         .peers = Peers::none},
};

} // namespace

std::span<const Test> short_structs_tests() {
    return tests;
}

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
#include "packet_channel.hpp"

#include <ipcmark/module_kit.hpp>
#include <ipcmark/module_kit/local_rendezvous.hpp>
#include <ipcmark/module_kit/socket_buffer.hpp>
#include <ipcmark/module_kit/stream_channel.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <sys/socket.h>

namespace {

using namespace ipcmark::kit;
using uds::PacketChannel;

enum class SocketType : std::uint8_t { stream, seqpacket, datagram };

enum OptionIndex : std::uint32_t { option_type, option_buffer, option_send_buffer, option_recv_buffer, option_path };

// How many pairs of sockets the connecting side makes for an endpoint.
constexpr std::size_t pair_count(SocketType type) {
    return type == SocketType::stream ? 0 : type == SocketType::seqpacket ? 1 : 2;
}

// What the kernel takes from the send buffer beside the message, and the largest piece of memory that it makes for one.
constexpr std::uint64_t packet_overhead = 32;
constexpr std::uint64_t largest_packet = 4u << 20;

// 0: as large as may be had.
std::uint64_t send_buffer_asked_for(const Options& options) {
    const auto own = options.bytes(option_send_buffer);
    return own != 0 ? own : options.bytes(option_buffer);
}

// The largest packet that fits the buffer asked for, or the largest buffer that may be had if none is asked for. The
// kernel makes it twice as large as asked for, and none smaller than 4608 bytes (SOCK_MIN_SNDBUF).
std::uint64_t packet_limit(const Options& options) {
    constexpr std::uint64_t least_buffer = 4608;
    const auto asked = send_buffer_asked_for(options);
    const auto buffer = asked != 0 ? asked : socket_buffer_limit(BufferSide::send).value_or(usual_socket_buffer_limit);
    return std::min(std::max(2 * std::min(buffer, largest_packet), least_buffer) - packet_overhead, largest_packet);
}

// Of one endpoint: `rx` and `life` only where the type needs them.
struct Sockets {
    Fd tx;
    Fd rx;
    Fd life;
};

class UdsEndpoint {
    // The stream first: one branch that always goes the same way.
    template <class Body> auto with(Body&& body) noexcept {
        if (auto* const stream = std::get_if<StreamChannel>(&channel_)) [[likely]] {
            return body(*stream);
        }
        return body(*std::get_if<PacketChannel>(&channel_));
    }

public:
    static constexpr std::uint32_t max_batch = StreamChannel::max_batch;

    UdsEndpoint(SocketType type, Sockets sockets, const EndpointRequest& request)
        : type_(type), path_(request.options().string(option_path)) {
        for (const auto* socket : {&sockets.tx, &sockets.rx}) {
            if (*socket) {
                apply_buffer_options(socket->get(), request.options(), option_buffer, option_send_buffer,
                                     option_recv_buffer, request.host);
            }
        }
        if (type == SocketType::stream) {
            channel_.emplace<StreamChannel>(std::move(sockets.tx), request);
            return;
        }
        make_room(sockets.tx.get(), request);
        channel_.emplace<PacketChannel>(std::move(sockets.tx), std::move(sockets.rx), std::move(sockets.life), request);
    }

    ipcmark_status send(const void* data, std::size_t size) noexcept {
        return with([&](auto& channel) { return channel.send(data, size); });
    }
    ipcmark_status recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
        return with([&](auto& channel) { return channel.recv(data, capacity, size); });
    }
    void interrupt(ipcmark_status status) noexcept {
        with([&](auto& channel) { channel.interrupt(status); });
    }
    void poll_descriptor(std::uint32_t direction, int& fd, short& events) noexcept {
        with([&](auto& channel) { channel.poll_descriptor(direction, fd, events); });
    }
    ipcmark_status try_send(const void* data, std::size_t size) noexcept {
        return with([&](auto& channel) { return channel.try_send(data, size); });
    }
    ipcmark_status try_recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
        return with([&](auto& channel) { return channel.try_recv(data, capacity, size); });
    }
    ipcmark_status arm(std::uint32_t directions, std::uint32_t& ready) noexcept {
        return with([&](auto& channel) { return channel.arm(directions, ready); });
    }
    ipcmark_status send_batch(const ipcmark_tx_message* messages, std::size_t count, std::size_t& sent) noexcept {
        return with([&](auto& channel) { return channel.send_batch(messages, count, sent); });
    }
    ipcmark_status recv_batch(ipcmark_rx_message* messages, std::size_t count, std::size_t& received) noexcept {
        return with([&](auto& channel) { return channel.recv_batch(messages, count, received); });
    }

    ipcmark_value effective_option(std::uint32_t index) {
        switch (index) {
        case option_type:
            return value_of_u64(static_cast<std::uint64_t>(type_), IPCMARK_TYPE_ENUM);
        case option_recv_buffer:
            return value_of_bytes(
                socket_buffer(with([](auto& channel) { return channel.rx_descriptor(); }), BufferSide::receive));
        case option_path:
            return value_of_string(path_.c_str());
        default:
            return value_of_bytes(
                socket_buffer(with([](auto& channel) { return channel.tx_descriptor(); }), BufferSide::send));
        }
    }

private:
    // A packet must fit the send buffer as a whole.
    static void make_room(int fd, const EndpointRequest& request) {
        const auto needed = request.max_message_size + packet_overhead;
        if (socket_buffer(fd, BufferSide::send) >= needed) {
            return;
        }
        const auto options = request.options();
        if (options.bytes(option_send_buffer) != 0 || options.bytes(option_buffer) != 0) {
            throw Error(IPCMARK_LIMIT, "messages of " + std::to_string(request.max_message_size) +
                                           " bytes do not fit the send buffer of " +
                                           std::to_string(socket_buffer(fd, BufferSide::send)) +
                                           " bytes; ask for a larger one, or for type=stream");
        }
        set_socket_buffer(fd, BufferSide::send, (needed + 1) / 2, nullptr);
    }

    SocketType type_;
    std::string path_;
    std::variant<std::monostate, StreamChannel, PacketChannel> channel_;
};

class UdsListener {
public:
    explicit UdsListener(const ListenRequest& request)
        : type_(request.options().choice<SocketType>(option_type)),
          meeting_(request.options().string(option_path), request.endpoint_count) {}

    [[nodiscard]] std::vector<std::byte> address() const { return meeting_.address(); }

    std::unique_ptr<UdsEndpoint> accept(const EndpointRequest& request) {
        auto peer = meeting_.accept(request.timeout_ns);
        if (peer.payload.size() != 1 || static_cast<SocketType>(peer.payload[0]) != type_ ||
            peer.descriptors.size() != pair_count(type_)) {
            throw Error(IPCMARK_BAD_ARGUMENT, "the two sides of the endpoint were given different values of type");
        }
        Sockets sockets;
        switch (type_) {
        case SocketType::stream:
            sockets.tx = std::move(peer.socket);
            break;
        case SocketType::seqpacket:
            sockets.tx = std::move(peer.descriptors[0]);
            break;
        case SocketType::datagram:
            sockets = {std::move(peer.descriptors[1]), std::move(peer.descriptors[0]), std::move(peer.socket)};
            break;
        }
        return std::make_unique<UdsEndpoint>(type_, std::move(sockets), request);
    }
    void interrupt(ipcmark_status status) noexcept { meeting_.interrupt(status); }

private:
    SocketType type_;
    LocalRendezvous meeting_;
};

constexpr std::array<ipcmark_choice, 3> type_choices{{
    {"stream", "a byte stream"},
    {"seqpacket", "packets, connected, as large as the send buffer"},
    {"datagram", "datagrams between two connected sockets, as large as the send buffer"},
}};

struct Uds {
    using Listener = UdsListener;
    using Endpoint = UdsEndpoint;

    static constexpr std::uint32_t capabilities =
        IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE | IPCMARK_CAP_PEER_DEATH | IPCMARK_CAP_TX_RX_THREADS;
    static constexpr const char* display_name = "Unix Domain Socket";
    static constexpr const char* result_name = "UnixDomainSocket";
    static constexpr const char* description = "A pair of connected unix domain sockets, one system call a message.";
    static constexpr const char* licence = "Apache-2.0";
    static constexpr std::array<ipcmark_option, 5> options{{
        {"type", IPCMARK_TYPE_ENUM, type_choices.size(), "stream", 0, 0, type_choices.data(), nullptr,
         "The type of the sockets."},
        {"buffer-size", IPCMARK_TYPE_BYTES, 0, "0", 0, 0, nullptr, "bytes",
         "Both socket buffers; 0: the system's default. The kernel counts twice what is asked for."},
        {"send-buffer", IPCMARK_TYPE_BYTES, 0, "0", 0, 0, nullptr, "bytes",
         "SO_SNDBUF, which bounds what is under way; 0: as buffer-size."},
        {"recv-buffer", IPCMARK_TYPE_BYTES, 0, "0", 0, 0, nullptr, "bytes",
         "SO_RCVBUF; Linux gives it no meaning on unix sockets. 0: as buffer-size."},
        {"path", IPCMARK_TYPE_STRING, 0, "", 0, 0, nullptr, nullptr,
         "Where the listener puts its socket file until the last endpoint is accepted; empty: an abstract name."},
    }};

    static void limits(const ListenRequest& request, ipcmark_limits& out) {
        if (request.options().choice<SocketType>(option_type) == SocketType::stream) {
            out.max_message_size = SIZE_MAX / 2;
            return;
        }
        out.max_message_size = packet_limit(request.options());
        const std::string reason =
            send_buffer_asked_for(request.options()) != 0
                ? "a packet must fit the send buffer asked for, which the kernel makes twice as large; ask for a "
                  "larger one (packets never exceed 4 MiB), or take type=stream"
                : "a packet must fit the send buffer, whose limit is net.core.wmem_max; raise it with "
                  "sysctl -w net.core.wmem_max=BYTES (packets never exceed 4 MiB), or take type=stream";
        reason.copy(out.reason, sizeof out.reason - 1);
    }

    static std::unique_ptr<Endpoint> connect(std::span<const std::byte> address, const EndpointRequest& request) {
        const auto type = request.options().choice<SocketType>(option_type);
        const std::array payload{static_cast<std::byte>(type)};
        std::array<Fd, 2> ours; // the first one sends, the second one, if any, receives
        std::array<Fd, 2> theirs;
        std::vector<int> descriptors;
        for (std::size_t i = 0; i < pair_count(type); ++i) {
            int pair[2];
            if (::socketpair(AF_UNIX, (type == SocketType::seqpacket ? SOCK_SEQPACKET : SOCK_DGRAM) | SOCK_CLOEXEC, 0,
                             pair) != 0) {
                throw_errno("make a pair of sockets");
            }
            ours[i].reset(pair[0]);
            theirs[i].reset(pair[1]);
            descriptors.push_back(pair[1]);
        }
        auto met = connect_local(address, request.timeout_ns, payload, descriptors);
        Sockets sockets{std::move(ours[0]), std::move(ours[1]), {}};
        if (type == SocketType::stream) {
            sockets.tx = std::move(met);
        } else if (type == SocketType::datagram) {
            sockets.life = std::move(met);
        }
        return std::make_unique<UdsEndpoint>(type, std::move(sockets), request);
    }
};

} // namespace

IPCMARK_DEFINE_MODULE("uds", IPCMARK_MODULE_VERSION, &ipcmark::kit::descriptor<Uds>);

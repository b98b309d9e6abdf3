// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include <ipcmark/module_kit.hpp>
#include <ipcmark/module_kit/rendezvous.hpp>
#include <ipcmark/module_kit/socket_buffer.hpp>
#include <ipcmark/module_kit/stream_channel.hpp>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace {

using namespace ipcmark::kit;
using tcp::Address;

enum OptionIndex : std::uint32_t {
    option_host,
    option_port,
    option_nodelay,
    option_quickack,
    option_congestion,
    option_busy_poll,
    option_buffer,
    option_send_buffer,
    option_recv_buffer
};

void set_congestion_control(int fd, const std::string& algorithm) {
    if (::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, algorithm.data(), static_cast<socklen_t>(algorithm.size())) ==
        0) {
        return;
    }
    const int error = errno;
    const auto known = [](const char* which) {
        return read_system_text(std::string("/proc/sys/net/ipv4/tcp_") + which + "_congestion_control")
            .value_or("none");
    };
    if (error == EPERM) {
        const auto allowed = known("allowed");
        throw Error(IPCMARK_UNSUPPORTED,
                    "congestion control " + algorithm + " is not in net.ipv4.tcp_allowed_congestion_control (" +
                        allowed +
                        ") and needs CAP_NET_ADMIN, or allow it with: sysctl -w "
                        "net.ipv4.tcp_allowed_congestion_control='" +
                        allowed + " " + algorithm + "'",
                    error);
    }
    throw Error(IPCMARK_UNSUPPORTED,
                "congestion control " + algorithm + ": " + errno_text(error) + "; this kernel has " +
                    known("available"),
                error);
}

// What is inherited by accepted connections from the listener, and must be set before the connection is made: the
// buffers bound the window that is agreed on.
void apply_before_connection(int fd, const Options& options, const ipcmark_host* host) {
    apply_buffer_options(fd, options, option_buffer, option_send_buffer, option_recv_buffer, host);
    if (const auto algorithm = options.string(option_congestion); !algorithm.empty()) {
        set_congestion_control(fd, algorithm);
    }
    if (const auto microseconds = options.u64(option_busy_poll); microseconds != 0) {
        const int value = static_cast<int>(microseconds);
        if (::setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &value, sizeof value) != 0) {
            throw_errno("set busy-poll to " + std::to_string(value) + " us", errno,
                        errno == EPERM ? "it needs CAP_NET_ADMIN to go above net.core.busy_read" : "");
        }
    }
}

class TcpEndpoint {
public:
    static constexpr std::uint32_t max_batch = StreamChannel::max_batch;

    TcpEndpoint(Fd socket, std::uint16_t listener_port, const EndpointRequest& request)
        : host_(request.options().string(option_host)), listener_port_(listener_port),
          quickack_(request.options().boolean(option_quickack)),
          channel_(prepare(std::move(socket), request), request) {}

    // What was sent stays receivable: data that was not read here would make the kernel reset the connection.
    ~TcpEndpoint() {
        const int fd = channel_.tx_descriptor();
        ::shutdown(fd, SHUT_WR);
        for (int rounds = 0; rounds < 1024 && ::recv(fd, nullptr, 65536, MSG_DONTWAIT | MSG_TRUNC) > 0; ++rounds) {
        }
    }

    ipcmark_status send(const void* data, std::size_t size) noexcept { return channel_.send(data, size); }
    ipcmark_status recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
        return acknowledged(channel_.recv(data, capacity, size));
    }
    void interrupt(ipcmark_status status) noexcept { channel_.interrupt(status); }
    void poll_descriptor(std::uint32_t direction, int& fd, short& events) const noexcept {
        channel_.poll_descriptor(direction, fd, events);
    }
    ipcmark_status try_send(const void* data, std::size_t size) noexcept { return channel_.try_send(data, size); }
    ipcmark_status try_recv(void* data, std::size_t capacity, std::size_t& size) noexcept {
        return acknowledged(channel_.try_recv(data, capacity, size));
    }
    ipcmark_status arm(std::uint32_t directions, std::uint32_t& ready) noexcept {
        return channel_.arm(directions, ready);
    }
    ipcmark_status send_batch(const ipcmark_tx_message* messages, std::size_t count, std::size_t& sent) noexcept {
        return channel_.send_batch(messages, count, sent);
    }
    ipcmark_status recv_batch(ipcmark_rx_message* messages, std::size_t count, std::size_t& received) noexcept {
        return acknowledged(channel_.recv_batch(messages, count, received));
    }

    ipcmark_value effective_option(std::uint32_t index) {
        const int fd = channel_.tx_descriptor();
        const auto flag = [&](int option, const char* name) {
            return value_of_bool(socket_option<int>(fd, IPPROTO_TCP, option, name) != 0);
        };
        switch (index) {
        case option_host:
            return value_of_string(host_.c_str());
        case option_port:
            return value_of_u64(listener_port_);
        case option_nodelay:
            return flag(TCP_NODELAY, "TCP_NODELAY");
        case option_quickack:
            return value_of_bool(quickack_);
        case option_congestion: {
            socklen_t length = sizeof congestion_ - 1;
            if (::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion_, &length) != 0) {
                throw_errno("read the socket option TCP_CONGESTION");
            }
            return value_of_string(congestion_);
        }
        case option_busy_poll:
            return value_of_u64(
                static_cast<std::uint64_t>(socket_option<int>(fd, SOL_SOCKET, SO_BUSY_POLL, "SO_BUSY_POLL")));
        case option_recv_buffer:
            return value_of_bytes(socket_buffer(fd, BufferSide::receive));
        default:
            return value_of_bytes(socket_buffer(fd, BufferSide::send));
        }
    }

private:
    static Fd prepare(Fd socket, const EndpointRequest& request) {
        set_socket_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY",
                          request.options().boolean(option_nodelay) ? 1 : 0);
        set_socket_option(socket.get(), IPPROTO_TCP, TCP_QUICKACK, "TCP_QUICKACK",
                          request.options().boolean(option_quickack) ? 1 : 0);
        return socket;
    }
    // The kernel leaves the mode of quick acknowledgements by itself, so it is asked for again after each receive.
    ipcmark_status acknowledged(ipcmark_status status) noexcept {
        if (quickack_) [[unlikely]] {
            const int on = 1;
            ::setsockopt(channel_.tx_descriptor(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
        }
        return status;
    }

    std::string host_;
    std::uint16_t listener_port_; // what the option is about, on the connecting side too
    bool quickack_;
    char congestion_[32] = {};
    StreamChannel channel_;
};

class TcpListener {
public:
    explicit TcpListener(const ListenRequest& request)
        : meeting_(listen(request), request.endpoint_count), address_(tcp::local_address(meeting_.descriptor())) {}

    [[nodiscard]] std::vector<std::byte> address() const {
        std::vector<std::byte> bytes(sizeof(Token) + address_.length);
        std::memcpy(bytes.data(), meeting_.token().data(), sizeof(Token));
        std::memcpy(bytes.data() + sizeof(Token), &address_.storage, address_.length);
        return bytes;
    }
    std::unique_ptr<TcpEndpoint> accept(const EndpointRequest& request) {
        return std::make_unique<TcpEndpoint>(meeting_.accept(request.timeout_ns).socket, address_.port(), request);
    }
    void interrupt(ipcmark_status status) noexcept { meeting_.interrupt(status); }

private:
    static Fd listen(const ListenRequest& request) {
        const auto options = request.options();
        const auto host = options.string(option_host);
        auto socket = tcp::listen_at(tcp::resolve(host, static_cast<std::uint16_t>(options.u64(option_port))), host);
        apply_before_connection(socket.get(), options, request.host);
        return socket;
    }

    Rendezvous meeting_;
    Address address_;
};

struct Tcp {
    using Listener = TcpListener;
    using Endpoint = TcpEndpoint;

    static constexpr std::uint32_t capabilities = IPCMARK_CAP_ORDERED | IPCMARK_CAP_RELIABLE | IPCMARK_CAP_CROSS_HOST |
                                                  IPCMARK_CAP_PEER_DEATH | IPCMARK_CAP_TX_RX_THREADS;
    static constexpr const char* display_name = "TCP Socket";
    static constexpr const char* result_name = "TcpSocket";
    static constexpr const char* description = "TCP over IPv4 or IPv6, the loopback interface by default.";
    static constexpr const char* licence = "Apache-2.0";
    static constexpr std::array<ipcmark_option, 9> options{{
        {"host", IPCMARK_TYPE_STRING, 0, "127.0.0.1", 0, 0, nullptr, nullptr,
         "The address or name to listen at. Where that is every address (0.0.0.0, ::), the connecting side connects to "
         "its own value, which is that of the server in 'ipcmark connect tcp:...'."},
        {"port", IPCMARK_TYPE_U64, 0, "0", 0, 65535, nullptr, nullptr, "0: a free port that the kernel chooses."},
        {"nodelay", IPCMARK_TYPE_BOOL, 0, "true", 0, 0, nullptr, nullptr, "TCP_NODELAY: sends every message at once."},
        {"quickack", IPCMARK_TYPE_BOOL, 0, "false", 0, 0, nullptr, nullptr,
         "TCP_QUICKACK, asked for again after each receive, which costs a system call a message."},
        {"congestion-control", IPCMARK_TYPE_STRING, 0, "", 0, 0, nullptr, nullptr,
         "TCP_CONGESTION, for example cubic or reno; empty: the system's default."},
        {"busy-poll", IPCMARK_TYPE_U64, 0, "0", 0, 1'000'000, nullptr, "us",
         "SO_BUSY_POLL: polls the network device that long before sleeping; 0: the system's default."},
        {"buffer-size", IPCMARK_TYPE_BYTES, 0, "0", 0, 0, nullptr, "bytes",
         "Both socket buffers; 0: the kernel tunes them. The kernel counts twice what is asked for."},
        {"send-buffer", IPCMARK_TYPE_BYTES, 0, "0", 0, 0, nullptr, "bytes", "SO_SNDBUF; 0: as buffer-size."},
        {"recv-buffer", IPCMARK_TYPE_BYTES, 0, "0", 0, 0, nullptr, "bytes", "SO_RCVBUF; 0: as buffer-size."},
    }};

    static void limits(const ListenRequest&, ipcmark_limits& out) { out.max_message_size = SIZE_MAX / 2; }

    static std::unique_ptr<Endpoint> connect(std::span<const std::byte> bytes, const EndpointRequest& request) {
        Address address;
        if (bytes.size() <= sizeof(Token) || bytes.size() > sizeof(Token) + sizeof address.storage) {
            throw wrong_address();
        }
        Token token;
        std::memcpy(token.data(), bytes.data(), sizeof token);
        address.length = static_cast<socklen_t>(bytes.size() - sizeof token);
        std::memcpy(&address.storage, bytes.data() + sizeof token, address.length);
        const auto whole = address.storage.ss_family == AF_INET    ? sizeof(sockaddr_in)
                           : address.storage.ss_family == AF_INET6 ? sizeof(sockaddr_in6)
                                                                   : 0;
        if (address.length != whole) { // half an IPv6 address would be another one
            throw wrong_address();
        }
        if (address.is_wildcard()) {
            address = tcp::resolve(request.options().string(option_host), address.port());
        }
        if (address.is_link_local()) {
            address.take_scope(tcp::resolve(request.options().string(option_host), address.port()));
        }
        auto socket = tcp::connect_to(address, request.timeout_ns,
                                      [&](int fd) { apply_before_connection(fd, request.options(), request.host); });
        send_greeting(socket.get(), token);
        return std::make_unique<Endpoint>(std::move(socket), address.port(), request);
    }
};

} // namespace

IPCMARK_DEFINE_MODULE("tcp", IPCMARK_MODULE_VERSION, &ipcmark::kit::descriptor<Tcp>);

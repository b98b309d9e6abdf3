// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/request.hpp>
#include <ipcmark/module_kit/system_value.hpp>

#include <climits>
#include <cstdint>
#include <string>

#include <sys/socket.h>

namespace ipcmark::kit {

template <class Value> Value socket_option(int fd, int level, int option, const char* name) {
    Value value{};
    socklen_t length = sizeof value;
    if (::getsockopt(fd, level, option, &value, &length) != 0) {
        throw_errno(std::string("read the socket option ") + name);
    }
    return value;
}

template <class Value> void set_socket_option(int fd, int level, int option, const char* name, Value value) {
    if (::setsockopt(fd, level, option, &value, sizeof value) != 0) {
        throw_errno("set the socket option " + std::string(name) + " to " + std::to_string(value));
    }
}

enum class BufferSide { send, receive };

// The kernel's own count: twice what was asked for.
inline std::uint64_t socket_buffer(int fd, BufferSide side) {
    return static_cast<std::uint64_t>(side == BufferSide::send
                                          ? socket_option<int>(fd, SOL_SOCKET, SO_SNDBUF, "SO_SNDBUF")
                                          : socket_option<int>(fd, SOL_SOCKET, SO_RCVBUF, "SO_RCVBUF"));
}

// What may be asked for, in bytes; nothing where a container does not show it.
inline std::optional<std::uint64_t> socket_buffer_limit(BufferSide side) {
    return read_system_number(side == BufferSide::send ? "/proc/sys/net/core/wmem_max" : "/proc/sys/net/core/rmem_max");
}
// What it is where nobody has changed it.
inline constexpr std::uint64_t usual_socket_buffer_limit = 212992;

// What the kernel itself can count, twice, whatever its limit is set to.
inline constexpr std::uint64_t largest_socket_buffer = INT_MAX / 2;

// Asks for a buffer of `bytes` and makes sure that it was granted: the kernel itself cuts it to its limit in silence.
inline void set_socket_buffer(int fd, BufferSide side, std::uint64_t bytes, const ipcmark_host* host) {
    const bool sending = side == BufferSide::send;
    const std::string limit_name = sending ? "net.core.wmem_max" : "net.core.rmem_max";
    const auto refuse = [&](const std::string& limit) {
        throw Error(IPCMARK_LIMIT, std::string(sending ? "send" : "receive") + " buffer of " + std::to_string(bytes) +
                                       " bytes: the limit " + limit_name + " is " + limit +
                                       "; raise it with sysctl -w " + limit_name + "=" + std::to_string(bytes));
    };
    const auto limit = socket_buffer_limit(side);
    if (bytes > largest_socket_buffer) {
        throw Error(IPCMARK_LIMIT, std::string(sending ? "send" : "receive") + " buffer of " + std::to_string(bytes) +
                                       " bytes: no kernel gives more than " + std::to_string(largest_socket_buffer) +
                                       " bytes, and the limit " + limit_name + " is " +
                                       (limit ? std::to_string(*limit) : "less"));
    }
    set_socket_option(fd, SOL_SOCKET, sending ? SO_SNDBUF : SO_RCVBUF, sending ? "SO_SNDBUF" : "SO_RCVBUF",
                      static_cast<int>(bytes));
    const auto granted = socket_buffer(fd, side);
    if (granted < 2 * bytes) {
        refuse(limit ? std::to_string(*limit) : std::to_string(granted / 2));
    }
    if (granted > 2 * bytes) {
        log(host, IPCMARK_LOG_WARNING,
            std::string(sending ? "send" : "receive") + " buffer of " + std::to_string(bytes) +
                " bytes: the kernel gave its least, " + std::to_string(granted) + " bytes by its own count");
    }
}

// The usual three options, of type bytes, 0 for the system's default: one for both sides, and one for each side, which
// wins over the first. For effective_option: their values are what socket_buffer() tells.
inline void apply_buffer_options(int fd, const Options& options, std::uint32_t both, std::uint32_t send,
                                 std::uint32_t receive, const ipcmark_host* host) {
    const auto asked = [&](std::uint32_t side) {
        return options.bytes(side) != 0 ? options.bytes(side) : options.bytes(both);
    };
    if (asked(send) != 0) {
        set_socket_buffer(fd, BufferSide::send, asked(send), host);
    }
    if (asked(receive) != 0) {
        set_socket_buffer(fd, BufferSide::receive, asked(receive), host);
    }
}

} // namespace ipcmark::kit

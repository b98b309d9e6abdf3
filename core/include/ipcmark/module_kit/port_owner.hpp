// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/system_value.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include <netinet/in.h>
#include <sys/socket.h>

namespace ipcmark::kit {

namespace detail {

inline constexpr std::string_view listening_state = "0A"; // TCP_LISTEN in /proc/net/tcp

// The names that /proc/PID/fd gives to the sockets in the way.
struct SocketsInTheWay {
    std::set<std::string> listening;
    std::set<std::string> others; // of any state: their port is bound as well
};

// Words of 32 bits as they lie in memory; an IPv4 address in that of IPv6 which stands for it.
struct PortPlace {
    std::array<std::uint32_t, 4> host{};
    unsigned port = 0;
};

inline std::array<std::uint32_t, 4> mapped(std::uint32_t ipv4) {
    return {0, 0, htonl(0xffff), ipv4};
}

inline PortPlace place_of(const sockaddr* address) {
    PortPlace place;
    if (address->sa_family == AF_INET6) {
        const auto* const ipv6 = reinterpret_cast<const sockaddr_in6*>(address);
        std::memcpy(place.host.data(), &ipv6->sin6_addr, sizeof place.host);
        place.port = ntohs(ipv6->sin6_port);
    } else {
        const auto* const ipv4 = reinterpret_cast<const sockaddr_in*>(address);
        place.host = mapped(ipv4->sin_addr.s_addr);
        place.port = ntohs(ipv4->sin_port);
    }
    return place;
}

// "0100007F:1C85" in /proc/net/tcp, four such words in /proc/net/tcp6.
inline std::optional<PortPlace> parse_place(std::string_view text) {
    constexpr std::size_t word = 8; // digits
    const auto colon = text.find(':');
    const auto number = [&](std::size_t from, std::size_t to, auto& value) {
        return std::from_chars(text.data() + from, text.data() + to, value, 16).ec == std::errc{};
    };
    PortPlace place;
    if ((colon != word && colon != 4 * word) || !number(colon + 1, text.size(), place.port)) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < colon / word; ++i) {
        if (!number(i * word, (i + 1) * word, place.host[i])) {
            return std::nullopt;
        }
    }
    if (colon == word) {
        place.host = mapped(place.host[0]);
    }
    return place;
}

inline bool in_the_way(const PortPlace& taken, const PortPlace& wanted) {
    constexpr std::array<std::uint32_t, 4> every_address{};
    const auto any_ipv4 = mapped(htonl(INADDR_ANY));
    const auto has = [&](const std::array<std::uint32_t, 4>& whole, const std::array<std::uint32_t, 4>& host) {
        return whole == host || whole == every_address || (whole == any_ipv4 && host[2] == any_ipv4[2]);
    };
    return taken.port == wanted.port && (has(taken.host, wanted.host) || has(wanted.host, taken.host));
}

inline void add_sockets(const char* table, const PortPlace& wanted, SocketsInTheWay& found) {
    std::ifstream lines(table);
    std::string line;
    std::getline(lines, line); // the headings
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
        words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode;
        if (const auto taken = parse_place(local); taken && in_the_way(*taken, wanted)) {
            (state == listening_state ? found.listening : found.others).insert("socket:[" + inode + "]");
        }
    }
}

inline bool holds_one_of(const std::filesystem::path& process, const std::set<std::string>& sockets) {
    std::error_code ignored;
    for (std::filesystem::directory_iterator entry(process / "fd", ignored), end; entry != end;
         entry.increment(ignored)) {
        if (const auto target = std::filesystem::read_symlink(entry->path(), ignored);
            sockets.count(target.string()) != 0) {
            return true;
        }
    }
    return false;
}

inline std::string owner_of_one(const std::set<std::string>& sockets) {
    if (sockets.empty()) {
        return {};
    }
    std::error_code ignored;
    for (std::filesystem::directory_iterator entry("/proc", ignored), end; entry != end; entry.increment(ignored)) {
        const auto pid = entry->path().filename().string();
        if (pid.find_first_not_of("0123456789") == std::string::npos && holds_one_of(entry->path(), sockets)) {
            return read_system_text(entry->path() / "comm").value_or("a process") + " (pid " + pid + ")";
        }
    }
    return {};
}

} // namespace detail

// Whose socket keeps others from listening at a TCP address of this machine, IPv4 or IPv6: "nginx (pid 812)"; empty if
// that cannot be known, for example because the process belongs to another user, or the socket is bound and nothing
// more, which the kernel does not list.
inline std::string port_owner(const sockaddr* address) {
    detail::SocketsInTheWay sockets;
    detail::add_sockets("/proc/net/tcp", detail::place_of(address), sockets);
    detail::add_sockets("/proc/net/tcp6", detail::place_of(address), sockets);
    const auto owner = detail::owner_of_one(sockets.listening);
    return owner.empty() ? detail::owner_of_one(sockets.others) : owner;
}

} // namespace ipcmark::kit

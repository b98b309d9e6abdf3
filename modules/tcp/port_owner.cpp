// SPDX-License-Identifier: Apache-2.0
#include "port_owner.hpp"

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
#include <string_view>
#include <system_error>

#include <netinet/in.h>

namespace tcp {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view listening_state = "0A"; // TCP_LISTEN in /proc/net/tcp

// The names that /proc/PID/fd gives to the sockets in the way.
struct Sockets {
    std::set<std::string> listening;
    std::set<std::string> others; // of any state: their port is bound as well
};

// Words of 32 bits as they lie in memory; an IPv4 address in that of IPv6 which stands for it.
struct Place {
    std::array<std::uint32_t, 4> host{};
    unsigned port = 0;
};

std::array<std::uint32_t, 4> mapped(std::uint32_t ipv4) {
    return {0, 0, htonl(0xffff), ipv4};
}

Place place_of(const Address& address) {
    Place place{{}, address.port()};
    if (address.storage.ss_family == AF_INET6) {
        std::memcpy(place.host.data(), &reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr,
                    sizeof place.host);
    } else {
        place.host = mapped(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr.s_addr);
    }
    return place;
}

// "0100007F:1C85" in /proc/net/tcp, four such words in /proc/net/tcp6.
std::optional<Place> parse(std::string_view text) {
    constexpr std::size_t word = 8; // digits
    const auto colon = text.find(':');
    const auto number = [&](std::size_t from, std::size_t to, auto& value) {
        return std::from_chars(text.data() + from, text.data() + to, value, 16).ec == std::errc{};
    };
    Place place;
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

bool in_the_way(const Place& taken, const Place& wanted) {
    constexpr std::array<std::uint32_t, 4> every_address{};
    const auto any_ipv4 = mapped(htonl(INADDR_ANY));
    const auto has = [&](const std::array<std::uint32_t, 4>& whole, const std::array<std::uint32_t, 4>& host) {
        return whole == host || whole == every_address || (whole == any_ipv4 && host[2] == any_ipv4[2]);
    };
    return taken.port == wanted.port && (has(taken.host, wanted.host) || has(wanted.host, taken.host));
}

void add_sockets(const char* table, const Place& wanted, Sockets& found) {
    std::ifstream lines(table);
    std::string line;
    std::getline(lines, line); // the headings
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
        words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode;
        if (const auto taken = parse(local); taken && in_the_way(*taken, wanted)) {
            (state == listening_state ? found.listening : found.others).insert("socket:[" + inode + "]");
        }
    }
}

bool holds_one_of(const fs::path& process, const std::set<std::string>& sockets) {
    std::error_code ignored;
    for (fs::directory_iterator entry(process / "fd", ignored), end; entry != end; entry.increment(ignored)) {
        if (const auto target = fs::read_symlink(entry->path(), ignored); sockets.count(target.string()) != 0) {
            return true;
        }
    }
    return false;
}

std::string owner_of_one(const std::set<std::string>& sockets) {
    if (sockets.empty()) {
        return {};
    }
    std::error_code ignored;
    for (fs::directory_iterator entry("/proc", ignored), end; entry != end; entry.increment(ignored)) {
        const auto pid = entry->path().filename().string();
        if (pid.find_first_not_of("0123456789") == std::string::npos && holds_one_of(entry->path(), sockets)) {
            return ipcmark::kit::read_system_text(entry->path() / "comm").value_or("a process") + " (pid " + pid + ")";
        }
    }
    return {};
}

} // namespace

std::string port_owner(const Address& address) {
    Sockets sockets;
    add_sockets("/proc/net/tcp", place_of(address), sockets);
    add_sockets("/proc/net/tcp6", place_of(address), sockets);
    const auto owner = owner_of_one(sockets.listening);
    return owner.empty() ? owner_of_one(sockets.others) : owner;
}

} // namespace tcp

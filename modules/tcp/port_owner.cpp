// SPDX-License-Identifier: Apache-2.0
#include "port_owner.hpp"

#include <ipcmark/module_kit/system_value.hpp>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>

namespace tcp {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view listening = "0A"; // TCP_LISTEN in /proc/net/tcp

// The names that /proc/PID/fd gives to the sockets that listen on the port.
void add_sockets(const char* table, std::uint16_t port, std::set<std::string>& found) {
    std::ifstream lines(table);
    std::string line;
    std::getline(lines, line); // the headings
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
        words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode;
        const auto colon = local.rfind(':');
        unsigned number = 0;
        if (state != listening || colon == std::string::npos ||
            std::from_chars(local.data() + colon + 1, local.data() + local.size(), number, 16).ec != std::errc{}) {
            continue;
        }
        if (number == port) {
            found.insert("socket:[" + inode + "]");
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

} // namespace

std::string port_owner(std::uint16_t port) {
    std::set<std::string> sockets;
    add_sockets("/proc/net/tcp", port, sockets);
    add_sockets("/proc/net/tcp6", port, sockets);
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

} // namespace tcp

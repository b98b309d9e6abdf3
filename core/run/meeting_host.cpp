// SPDX-License-Identifier: Apache-2.0
#include "run/meeting_host.hpp"

#include "run/unique_fd.hpp"

#include <ipcmark/run.hpp>

#include <cerrno>
#include <memory>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace ipcmark {
namespace {

constexpr const char* option = "host";

struct FreeAddresses {
    void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

// Null for what is no number.
Addresses address_of(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* list = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0)
        return nullptr;
    return Addresses(list);
}

bool is_every_address(const addrinfo& address) {
    if (address.ai_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6*>(address.ai_addr)->sin6_addr);
    return reinterpret_cast<const sockaddr_in*>(address.ai_addr)->sin_addr.s_addr == htonl(INADDR_ANY);
}

bool is_local(const addrinfo& address) {
    const UniqueFd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return !socket || bind(socket.get(), address.ai_addr, address.ai_addrlen) == 0 || errno != EADDRNOTAVAIL;
}

std::string without_scope(const std::string& host) {
    return host.substr(0, host.find('%'));
}

using GetName = int (*)(int, sockaddr*, socklen_t*);

std::string host_of(int socket, GetName get_name) {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    char host[NI_MAXHOST];
    if (get_name(socket, reinterpret_cast<sockaddr*>(&name), &length) != 0 ||
        (name.ss_family != AF_INET && name.ss_family != AF_INET6) ||
        getnameinfo(reinterpret_cast<const sockaddr*>(&name), length, host, sizeof host, nullptr, 0, NI_NUMERICHOST) !=
            0)
        return {};
    return host;
}

} // namespace

std::string peer_host(int socket) {
    return host_of(socket, getpeername);
}

std::string own_host(int socket) {
    return host_of(socket, getsockname);
}

void choose_host(WorkerJob& server, WorkerJob& client, const std::string& peer) {
    const auto given = client.options.find(option);
    if (given == client.options.end()) {
        server.chosen_options[option] = without_scope(peer);
        client.chosen_options[option] = peer;
        return;
    }
    const Addresses address = address_of(given->second);
    if (!address || !is_every_address(*address))
        return;
    const Addresses reached = address_of(peer);
    if (address->ai_family == AF_INET && reached && reached->ai_family == AF_INET6)
        throw UsageError(fmt::format("host {} is every address of IPv4, and the server is reached by IPv6, at {}: give "
                                     "--host :: instead",
                                     given->second, peer));
    given->second = peer;
}

void adopt_scope(WorkerJob& job, const std::string& own) {
    const auto chosen = job.chosen_options.find(option);
    if (chosen != job.chosen_options.end() && chosen->second == without_scope(own))
        chosen->second = own;
}

void check_chosen_host(const WorkerJob& job) {
    const auto chosen = job.chosen_options.find(option);
    if (chosen == job.chosen_options.end())
        return;
    if (const Addresses address = address_of(chosen->second); address && !is_local(*address))
        throw UsageError(
            fmt::format("module '{}' cannot listen at {}, by which the client has reached the server: no interface "
                        "there has that address (it is translated on the way, as by a published port of a container); "
                        "give --host an address of the server that the client can reach, or --host 0.0.0.0 and a "
                        "--port that is translated like that of the control connection",
                        job.module_id, chosen->second));
}

} // namespace ipcmark

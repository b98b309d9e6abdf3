// SPDX-License-Identifier: Apache-2.0
#include "host/stand_alone.hpp"

#include <filesystem>

#include <fmt/format.h>

namespace ipcmark::host {

namespace {

constexpr std::uint16_t default_port = 8080;
constexpr const char* default_host = "127.0.0.1";
constexpr const char* default_memory_name = "ipc_benchmark_shm";
constexpr const char* default_queue_name = "ipc_benchmark_pmq";
constexpr std::chrono::seconds client_retry{30};

std::string text_or(const Arguments& arguments, const std::string& name, const std::string& otherwise) {
    const auto found = arguments.values.find(name);
    if (found == arguments.values.end())
        return otherwise;
    if (found->second.front().empty())
        throw UsageError(fmt::format("--{} '' is empty", name));
    return found->second.front();
}

// A name with the slash that POSIX wants, and the same without it, are one.
std::string without_slash(std::string name) {
    return name.starts_with('/') ? name.substr(1) : name;
}

// A TMPDIR that is no folder is not needed by whoever gives a path.
std::string default_socket_path() {
    std::error_code error;
    const auto folder = std::filesystem::temp_directory_path(error);
    return ((error ? std::filesystem::path("/tmp") : folder) / "ipc_benchmark.sock").string();
}

ControlAddress address_for(const std::string& mechanism, const Arguments& arguments, const TestSettings& settings) {
    ControlAddress address;
    if (mechanism == "tcp") {
        address.host = settings.host.value_or(default_host);
        address.port = settings.port.value_or(default_port);
        return address;
    }
    if (mechanism == "uds") {
        address.kind = ControlAddress::Kind::unix_path;
        address.path = text_or(arguments, "socket-path", default_socket_path());
        return address;
    }
    address.kind = ControlAddress::Kind::unix_abstract;
    if (mechanism == "shm")
        address.path = without_slash(text_or(arguments, "shared-memory-name", default_memory_name));
    else if (mechanism == "pmq")
        address.path = without_slash(text_or(arguments, "message-queue-name", default_queue_name));
    else
        address.path = "ipc_benchmark_" + mechanism;
    return address;
}

} // namespace

std::vector<Option> stand_alone_options() {
    constexpr const char* group = "Stand-alone ends";
    return {
        {"--server", "", Arity::flag, group, "Be the receiving end, for one --client; as 'ipcmark serve --once'.", ""},
        {"--client", "", Arity::flag, group,
         "Be the sending end of a --server, which is waited for up to 30 s; as 'ipcmark connect'.", ""},
        {"--socket-path", "PATH", Arity::one, group,
         "Where the two ends meet for uds. Default: ipc_benchmark.sock in the folder for temporary files. For tcp they "
         "meet at --host and --port (8080 there).",
         ""},
        {"--shared-memory-name", "NAME", Arity::one, group,
         fmt::format("Name by which the two ends meet for shm. Default: {}.", default_memory_name), ""},
        {"--message-queue-name", "NAME", Arity::one, group,
         fmt::format("Name by which the two ends meet for pmq. Default: {}.", default_queue_name), ""},
    };
}

void apply_stand_alone(const Arguments& arguments, const TestSettings& settings, RunRequest& request) {
    const bool server = arguments.flag("server");
    const bool client = arguments.flag("client");
    if (!server && !client)
        return;
    if (server && client)
        throw UsageError("--server and --client exclude each other; start one of them in each of two terminals");
    const auto mechanisms = settings.mechanisms.value_or(std::vector<std::string>{"uds"});
    const auto* end = server ? "--server" : "--client";
    for (const auto& mechanism : mechanisms)
        if (mechanism == "all")
            throw UsageError(fmt::format("{} takes one mechanism, not 'all'; write for example -m uds", end));
    if (mechanisms.size() > 1)
        throw UsageError(fmt::format("{} takes one mechanism, but {} were given; write for example -m {}", end,
                                     mechanisms.size(), mechanisms.front()));
    request.role = server ? Role::serve : Role::connect;
    request.retry = client_retry;
    request.address = address_for(mechanisms.front(), arguments, settings);
}

} // namespace ipcmark::host

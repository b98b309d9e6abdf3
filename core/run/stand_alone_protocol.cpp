// SPDX-License-Identifier: Apache-2.0
#include "run/stand_alone_protocol.hpp"

#include "config.h"
#include "run/environment.hpp"
#include "run/system_json.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ipcmark {
namespace {

// Changes whenever a message of coordinator and worker changes its meaning.
constexpr std::uint64_t protocol_version = 3;
constexpr std::chrono::milliseconds look_for_stop{50};

boost::json::object hello_of(const SystemInfo& system) {
    return {
        {"type", "hello"}, {"protocol", protocol_version}, {"version", IPCMARK_VERSION}, {"boot_id", system.boot_id}};
}

} // namespace

std::optional<boost::json::object> receive_until(ControlChannel& channel, std::chrono::steady_clock::time_point end,
                                                 const std::stop_token& stop) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        auto message = channel.receive(std::clamp(left, std::chrono::milliseconds(0), look_for_stop));
        if (message || channel.closed() || left.count() <= 0 || stop.stop_requested())
            return message;
    }
}

void say_hello(ControlChannel& channel) {
    channel.send(hello_of(capture_environment()));
}

void answer_hello(ControlChannel& channel) {
    SystemInfo system = capture_environment();
    system.benchmark_version = IPCMARK_VERSION;
    system.compiler = IPCMARK_COMPILER;
    boost::json::object hello = hello_of(system);
    hello["system"] = system_to_json(system);
    channel.send(hello);
}

PeerHello read_hello(const boost::json::object& message) {
    if (text_field(message, "type") != "hello")
        throw RunError("the other end of the control connection does not say hello: is it an ipcmark?");
    PeerHello peer{text_field(message, "version"), text_field(message, "boot_id"), std::nullopt};
    if (number_field(message, "protocol") != protocol_version)
        throw RunError(
            fmt::format("the other end is ipcmark {} with control protocol {}, this one {} with {}: use the same "
                        "version on both ends",
                        peer.version, number_field(message, "protocol"), IPCMARK_VERSION, protocol_version));
    if (message.contains("system"))
        peer.system = system_from_json(object_field(message, "system"));
    return peer;
}

PeerHello shake_hands(ControlChannel& channel, std::chrono::steady_clock::time_point end, const std::stop_token& stop) {
    say_hello(channel);
    const auto hello = receive_until(channel, end, stop);
    if (!hello && stop.stop_requested())
        throw RunError("interrupted before the other end of the control connection said hello");
    if (!hello)
        throw RunError(channel.closed() ? "the other end closed the control connection before it said hello"
                                        : "the other end of the control connection stays silent: it is busy with "
                                          "another client, or it is no ipcmark");
    return read_hello(*hello);
}

} // namespace ipcmark

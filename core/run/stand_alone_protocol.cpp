// SPDX-License-Identifier: Apache-2.0
#include "run/stand_alone_protocol.hpp"

#include "config.h"
#include "run/environment.hpp"

#include <ipcmark/run.hpp>

#include <fmt/format.h>

namespace ipcmark {
namespace {

// Changes whenever a message of coordinator and worker changes its meaning.
constexpr std::uint64_t protocol_version = 1;
constexpr std::chrono::milliseconds hello_limit{5000};

} // namespace

PeerHello shake_hands(ControlChannel& channel) {
    channel.send({{"type", "hello"},
                  {"protocol", protocol_version},
                  {"version", IPCMARK_VERSION},
                  {"boot_id", capture_environment().boot_id}});
    const auto hello = channel.receive(hello_limit);
    if (!hello)
        throw RunError(channel.closed() ? "the other end closed the control connection before it said hello"
                                        : "the other end of the control connection stays silent: is it an ipcmark?");
    if (text_field(*hello, "type") != "hello")
        throw RunError("the other end of the control connection does not say hello: is it an ipcmark?");
    PeerHello peer{text_field(*hello, "version"), text_field(*hello, "boot_id")};
    if (number_field(*hello, "protocol") != protocol_version)
        throw RunError(
            fmt::format("the other end is ipcmark {} with control protocol {}, this one {} with {}: use the same "
                        "version on both ends",
                        peer.version, number_field(*hello, "protocol"), IPCMARK_VERSION, protocol_version));
    return peer;
}

} // namespace ipcmark

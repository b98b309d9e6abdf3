// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/control_channel.hpp"

#include <ipcmark/document.hpp>

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include <boost/json/object.hpp>

namespace ipcmark {

// The handshake of the two ends of a stand-alone run. After it the client may ask for readings of a clock
// (clock_agreement.hpp), and sends a "spawn" for each direction of a test; from then on the messages of coordinator and
// worker pass through as they are, until an "exited" with the worker's results. Of a one-way test the server says
// "warming" beside them: how much of the warm-up it has taken.
struct PeerHello {
    std::string version;
    std::string boot_id;              // another one than ours: another machine, and another clock
    std::optional<SystemInfo> system; // of a server: its machine
};

// The two halves of it. The client speaks first: a server answers the hello of the client that it is going to serve.
void say_hello(ControlChannel& channel);
void answer_hello(ControlChannel& channel);
// Throws RunError for what is no hello, or one of another protocol version, naming both.
[[nodiscard]] PeerHello read_hello(const boost::json::object& message);

// The client's handshake: sends our hello and receives the server's. Throws RunError where the other end is silent
// until `end`, is no ipcmark or speaks another protocol version, naming both; and where a stop is asked for.
[[nodiscard]] PeerHello shake_hands(ControlChannel& channel, std::chrono::steady_clock::time_point end,
                                    const std::stop_token& stop);

// The next message, until `end` or a stop; nothing then, or when the peer is gone. Throws RunError as receive() does.
[[nodiscard]] std::optional<boost::json::object>
receive_until(ControlChannel& channel, std::chrono::steady_clock::time_point end, const std::stop_token& stop);

} // namespace ipcmark

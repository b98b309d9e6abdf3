// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/blocked.hpp"
#include "host/check/peer.hpp"
#include "host/check/task.hpp"
#include "host/check/wire.hpp"

#include <chrono>
#include <string>

namespace ipcmark::check {

// A peer that says nothing until the other side ends.
inline void idle_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    joined.finish();
}

// What ends a call that waits for something which never comes.
enum class Ending { interrupt, peer_death };

// `call` takes the Wire to an idle peer, waits, and returns its status: that of the ending, soon after it.
template <class Call>
void end_waiting_call(Context& context, const EndpointSpec& spec, Ending ending, const std::string& name, Call call) {
    using namespace std::chrono_literals;
    Link link(context, fitted(context, spec));
    ipcmark_status status = IPCMARK_OK;
    Task task([&] { status = call(link.wire); });
    require(!task.done_within(30ms), name + " returned with nothing to receive");
    if (ending == Ending::interrupt) {
        link.wire.interrupt(IPCMARK_CANCELLED);
        require(task.done_within(context.hang_limit()), name + " did not return after an interrupt");
        context.expect(status, IPCMARK_CANCELLED, link.wire.get(), name + " after an interrupt");
        link.finish();
    } else {
        link.peer.kill();
        require(task.done_within(context.hang_limit()), name + " did not return after the peer's death");
        context.expect(status, IPCMARK_PEER_GONE, link.wire.get(), name + " after the peer's death");
    }
}

// The same for a way of sending that waits for room which an idle peer never makes.
template <class SendOne>
void end_waiting_send(Context& context, const EndpointSpec& spec, Ending ending, const std::string& name,
                      SendOne send_one) {
    using namespace std::chrono_literals;
    Link link(context, fitted(context, spec));
    const auto bytes = static_cast<std::size_t>(context.at_most(4096));
    Filler filler([&] { return send_one(link.wire, bytes); }, bytes);
    filler.until_blocked();
    if (ending == Ending::interrupt) {
        link.wire.interrupt(IPCMARK_CANCELLED);
        context.expect(
            filler.end_within(context.hang_limit(), name + " that waits for room did not return after an interrupt"),
            IPCMARK_CANCELLED, nullptr, name + " after an interrupt");
        link.finish();
    } else {
        link.peer.kill();
        context.expect(filler.end_within(context.hang_limit(),
                                         name + " that waits for room did not return after the peer's death"),
                       IPCMARK_PEER_GONE, nullptr, name + " after the peer's death");
    }
}

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
#include "host/check/blocked.hpp"

namespace ipcmark::check {
namespace {

// More than any buffer holds: a transport that takes all this takes everything, and throws it away.
constexpr std::uint64_t never_blocks_bytes = std::uint64_t{4} << 30;

} // namespace

Filler::Filler(Wire& wire)
    : state_(std::make_shared<State>()), task_([state = state_, &wire] {
          const auto data = message(0, static_cast<std::size_t>(wire.context().at_most(4096)));
          while (state->status == IPCMARK_OK && state->sent * data.size() < never_blocks_bytes) {
              state->status = wire.try_send(data);
              state->sent += state->status == IPCMARK_OK ? 1 : 0;
          }
      }) {}

void Filler::until_blocked() {
    Sandbox::step("sending until send waits");
    std::uint64_t before = 0;
    do {
        before = state_->sent;
        if (task_.done_within(std::chrono::milliseconds(100))) {
            if (state_->status != IPCMARK_OK) {
                fail("send failed with " + status_name(state_->status) +
                     " where it should wait for the peer to make room");
            }
            skip("send never waits on this transport, however much is under way");
        }
    } while (state_->sent != before || before == 0);
    Sandbox::step("send that waits for room");
}

ipcmark_status Filler::end_within(std::chrono::nanoseconds time, const std::string& text) {
    require(task_.done_within(time), text);
    return state_->status;
}

} // namespace ipcmark::check

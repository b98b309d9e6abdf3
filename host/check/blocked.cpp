// SPDX-License-Identifier: Apache-2.0
#include "host/check/blocked.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::check {
Filler::Filler(Wire& wire, std::function<void()> at_end)
    : Filler([&wire, data = message(
                         0, static_cast<std::size_t>(wire.context().at_most(4096)))] { return wire.try_send(data); },
             static_cast<std::size_t>(wire.context().at_most(4096)), std::move(at_end)) {}

Filler::Filler(std::function<ipcmark_status()> send_one, std::size_t bytes, std::function<void()> at_end)
    : state_(std::make_shared<State>()),
      task_([state = state_, send_one = std::move(send_one), bytes, at_end = std::move(at_end)] {
          state->thread = gettid();
          while (state->status == IPCMARK_OK && state->sent * bytes < never_blocks_bytes) {
              state->status = send_one();
              state->sent += state->status == IPCMARK_OK ? 1 : 0;
          }
          if (at_end) {
              at_end();
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

void send_unreceived(Wire& wire, std::uint64_t count, std::size_t size, const std::string& text) {
    auto& context = wire.context();
    std::uint64_t sent = 0;
    ipcmark_status status = IPCMARK_OK;
    Task task([&] {
        while (sent < count && (status = wire.try_send(message(sent, size))) == IPCMARK_OK) {
            ++sent;
        }
    });
    if (!task.done_within(std::min<std::chrono::nanoseconds>(std::chrono::seconds(5), context.hang_limit()))) {
        wire.interrupt(IPCMARK_CANCELLED);
        fail(text);
    }
    context.expect(status, IPCMARK_OK, nullptr, fmt::format("send number {}", sent + 1));
}

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
#include "run/waiting_room.hpp"

#include "module/limit_remedy.hpp"
#include "run/control_address.hpp"
#include "run/stand_alone_protocol.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

// A client says hello as soon as it has connected; this is for the way and for a machine that is busy.
constexpr auto hello_limit = 10s;
constexpr auto pause = 1s; // where there is no room for anybody
constexpr std::size_t most_guests = 16;
constexpr std::size_t longest_hello = 4096; // bytes

} // namespace

std::unique_ptr<ControlChannel> WaitingRoom::next_client() {
    while (!stop_.stop_requested()) {
        for (auto guest = guests_.begin(); guest != guests_.end();) {
            bool goes = true;
            try {
                if (has_said_hello(*guest)) {
                    auto client = std::move(guest->channel);
                    guests_.erase(guest);
                    return client;
                }
                goes = false;
            } catch (const std::exception& error) { // of the JSON library, too
                send_away(error.what());
            }
            guest = goes ? guests_.erase(guest) : guest + 1;
        }
        wait();
        let_in();
    }
    return nullptr;
}

bool WaitingRoom::has_said_hello(Guest& guest) {
    if (const auto message = guest.channel->receive(0ms)) {
        // Said in any case: the other side can then tell what does not fit.
        answer_hello(*guest.channel);
        static_cast<void>(read_hello(*message));
        guest.channel->limit_messages(ControlChannel::longest_message);
        return true;
    }
    if (guest.channel->closed())
        throw RunError("somebody connected and went without a hello");
    if (SteadyClock::now() >= guest.end)
        throw RunError("somebody connected and did not say hello: sent away, it is no ipcmark");
    return false;
}

void WaitingRoom::wait() const {
    std::vector<pollfd> entries{{stop_event_, POLLIN, 0}};
    auto time = -1ms;
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(closed_until_ - SteadyClock::now());
    if (rest > 0ms)
        time = rest;
    else
        entries.push_back({listener_, POLLIN, 0});
    for (const Guest& guest : guests_) {
        entries.push_back({guest.channel->descriptor(), POLLIN, 0});
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(guest.end - SteadyClock::now());
        time = std::max(0ms, time < 0ms ? left : std::min(time, left));
    }
    poll(entries.data(), entries.size(), static_cast<int>(time.count()));
}

void WaitingRoom::let_in() {
    UniqueFd socket(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)); // the listener does not block
    if (!socket) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            make_room(errno);
        return;
    }
    told_of_no_room_ = false;
    // Who came last has had no time to speak, so it is not the one that is silent.
    if (guests_.size() == most_guests) {
        send_away("too many have connected and not said hello: the one that came first is sent away");
        guests_.erase(guests_.begin());
    }
    watch_connection(socket.get());
    guests_.push_back({std::make_unique<ControlChannel>(std::move(socket)), SteadyClock::now() + hello_limit});
    guests_.back().channel->limit_messages(longest_hello);
}

void WaitingRoom::make_room(int error) {
    const std::string reason = fmt::format("{}{}", std::strerror(error), limit_remedy(error));
    if (!guests_.empty()) {
        send_away(fmt::format("no room for whoever connects: {}; the one that came first and has not said hello is "
                              "sent away",
                              reason));
        guests_.erase(guests_.begin());
        return;
    }
    // Whoever waits at the listener keeps it readable.
    closed_until_ = SteadyClock::now() + pause;
    if (!std::exchange(told_of_no_room_, true))
        observer_.log(IPCMARK_LOG_WARNING, fmt::format("whoever connects has to wait: {}", reason));
}

} // namespace ipcmark

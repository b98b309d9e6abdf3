// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/control_channel.hpp"

#include <ipcmark/module.h>
#include <ipcmark/run.hpp>

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace ipcmark {

// Those who have connected to a server and not said hello yet. All of them are listened to at once, so that one who
// says nothing, or half of it, keeps nobody waiting: whoever says hello first is served first.
class WaitingRoom {
public:
    // `stop_event` is readable once `stop` is asked for. Neither descriptor is owned; all must outlive this.
    WaitingRoom(int listener, int stop_event, const std::stop_token& stop, Observer& observer)
        : listener_(listener), stop_event_(stop_event), stop_(stop), observer_(observer) {}

    // Waits for the next client that has said hello, and says it, too. Null where a stop is asked for. Those who are no
    // ipcmark, have another protocol version or stay silent are sent away, and the log told of it.
    [[nodiscard]] std::unique_ptr<ControlChannel> next_client();

private:
    struct Guest {
        std::unique_ptr<ControlChannel> channel;
        std::chrono::steady_clock::time_point end; // of the time to say hello
    };

    [[nodiscard]] static bool has_said_hello(Guest& guest);
    void wait() const;
    void let_in();
    // For one more, where the system has none.
    void make_room(int error);
    void send_away(const std::string& reason) const { observer_.log(IPCMARK_LOG_WARNING, reason); }

    int listener_;
    int stop_event_;
    const std::stop_token& stop_;
    Observer& observer_;
    std::vector<Guest> guests_; // in the order in which they came
    std::chrono::steady_clock::time_point closed_until_{};
    bool told_of_no_room_ = false;
};

} // namespace ipcmark

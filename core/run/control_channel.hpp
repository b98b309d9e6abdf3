// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

namespace ipcmark {

// Control messages between coordinator and worker, or between the two ends of a stand-alone run: JSON objects with a
// "type", each behind its length (4 bytes, big endian) on a stream socket. Never the transport under test.
class ControlChannel {
public:
    // The largest message is a histogram of a remote worker; a length beyond this is not ours.
    static constexpr std::size_t longest_message = std::size_t{64} << 20;

    explicit ControlChannel(UniqueFd socket) noexcept : socket_(std::move(socket)) {}

    // What receive() takes for a message at most, in bytes, until another limit is set.
    void limit_messages(std::size_t bytes) noexcept { longest_ = bytes; }

    // [any thread] Sends one message whole. False if the peer is gone, or has read nothing for as long as the socket's
    // SO_SNDTIMEO says: then the connection is ended, since nothing can follow half a message.
    bool send(const boost::json::object& message);

    // One thread at a time. The next message, waiting at most `limit` (negative: for ever). Nothing when the time is
    // over or the peer is gone; closed() tells which. Throws RunError for what is not a control message.
    std::optional<boost::json::object> receive(std::chrono::milliseconds limit);

    // Ends the connection in both directions: neither side receives anything any more.
    void hang_up() noexcept;

    // True once the peer has closed or died and everything it had sent was received.
    [[nodiscard]] bool closed() const noexcept { return closed_; }
    // To wait on for POLLIN, together with other descriptors; receive() may also have a message without it being
    // readable.
    [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
    [[nodiscard]] bool has_buffered() const noexcept;

private:
    std::optional<boost::json::object> take_buffered();

    UniqueFd socket_;
    std::mutex sending_;
    std::vector<char> buffer_;
    std::size_t longest_ = longest_message;
    bool closed_ = false;
};

// The connected pair of a coordinator and its worker.
struct ControlPair {
    UniqueFd ours;
    UniqueFd theirs;
};
[[nodiscard]] ControlPair make_control_pair();

// Field access that blames the peer instead of crashing: throws RunError naming the field.
[[nodiscard]] std::string text_field(const boost::json::object& message, const char* name);
[[nodiscard]] std::uint64_t number_field(const boost::json::object& message, const char* name);
[[nodiscard]] const boost::json::object& object_field(const boost::json::object& message, const char* name);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "run/control_channel.hpp"

#include "module/any_bytes.hpp"
#include "module/limit_remedy.hpp"

#include <ipcmark/run.hpp>

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

namespace ipcmark {
namespace {

constexpr std::size_t length_bytes = 4;

std::size_t announced_length(const std::vector<char>& buffer) {
    std::uint32_t length = 0;
    std::memcpy(&length, buffer.data(), length_bytes);
    return ntohl(length);
}

} // namespace

bool ControlChannel::send(const boost::json::object& message) {
    const std::string body = boost::json::serialize(message);
    const std::uint32_t length = htonl(static_cast<std::uint32_t>(body.size()));
    std::string frame(reinterpret_cast<const char*>(&length), length_bytes);
    frame += body;
    const std::lock_guard lock(sending_);
    for (std::size_t done = 0; done < frame.size();) {
        const ssize_t sent = ::send(socket_.get(), frame.data() + done, frame.size() - done, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN)
                shutdown(socket_.get(), SHUT_RDWR);
            return false;
        }
        done += static_cast<std::size_t>(sent);
    }
    return true;
}

void ControlChannel::hang_up() noexcept {
    shutdown(socket_.get(), SHUT_RDWR);
    buffer_.clear();
    closed_ = true;
}

bool ControlChannel::has_buffered() const noexcept {
    return buffer_.size() >= length_bytes && buffer_.size() >= length_bytes + announced_length(buffer_);
}

std::optional<boost::json::object> ControlChannel::take_buffered() {
    if (buffer_.size() >= length_bytes && announced_length(buffer_) > longest_)
        throw RunError(fmt::format("the other end of the control connection does not speak ipcmark's protocol "
                                   "(it announced a message of {} bytes)",
                                   announced_length(buffer_)));
    if (!has_buffered())
        return std::nullopt;
    const std::size_t length = announced_length(buffer_);
    boost::json::error_code error;
    auto value = boost::json::parse({buffer_.data() + length_bytes, length}, error, {}, any_bytes());
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(length_bytes + length));
    if (error || !value.is_object())
        throw RunError("the other end of the control connection sent something that is not a control message");
    return std::move(value.as_object());
}

std::optional<boost::json::object> ControlChannel::receive(std::chrono::milliseconds limit) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + limit;
    for (;;) {
        if (auto message = take_buffered())
            return message;
        if (closed_)
            return std::nullopt;
        int wait = -1;
        if (limit >= std::chrono::milliseconds::zero()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
            wait = left.count() > 0 ? static_cast<int>(left.count()) : 0;
        }
        pollfd entry{socket_.get(), POLLIN, 0};
        const int ready = poll(&entry, 1, wait);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return std::nullopt;
        char piece[65536];
        const ssize_t received = recv(socket_.get(), piece, sizeof piece, 0);
        if (received > 0)
            buffer_.insert(buffer_.end(), piece, piece + received);
        else if (received == 0 || errno != EINTR)
            closed_ = true;
    }
}

ControlPair make_control_pair() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        const int error = errno;
        throw RunError(
            fmt::format("cannot make a control connection: {}{}", std::strerror(error), limit_remedy(error)));
    }
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string text_field(const boost::json::object& message, const char* name) {
    const auto* value = message.if_contains(name);
    if (value == nullptr || !value->is_string())
        throw RunError(fmt::format("a control message lacks the text '{}'", name));
    return std::string(value->get_string());
}

std::uint64_t number_field(const boost::json::object& message, const char* name) {
    const auto* value = message.if_contains(name);
    if (value != nullptr && value->is_uint64())
        return value->get_uint64();
    if (value != nullptr && value->is_int64() && value->get_int64() >= 0)
        return static_cast<std::uint64_t>(value->get_int64());
    throw RunError(fmt::format("a control message lacks the number '{}'", name));
}

const boost::json::object& object_field(const boost::json::object& message, const char* name) {
    const auto* value = message.if_contains(name);
    if (value == nullptr || !value->is_object())
        throw RunError(fmt::format("a control message lacks the object '{}'", name));
    return value->get_object();
}

} // namespace ipcmark

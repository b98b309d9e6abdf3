// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/error.hpp>
#include <ipcmark/module_kit/fd.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <sys/random.h>
#include <sys/socket.h>

namespace ipcmark::kit {

// Stands in the address of a listener and in the greeting of each peer: whoever does not know it is a stranger.
using Token = std::array<std::byte, 16>;

inline Token random_token() {
    Token token;
    if (::getrandom(token.data(), token.size(), 0) != static_cast<ssize_t>(token.size())) {
        throw_errno("get random bytes");
    }
    return token;
}

// What the connecting side says first on a stream socket: this head, then payload_size bytes of the module's own.
// Descriptors (unix sockets only) travel with the first byte.
struct GreetingHead {
    std::array<char, 8> magic{'i', 'p', 'c', 'm', 'a', 'r', 'k', '1'};
    Token token{};
    std::uint32_t payload_size = 0;
    std::uint32_t descriptor_count = 0;
};
static_assert(sizeof(GreetingHead) == 32);

inline constexpr std::size_t max_greeting_payload = 1024;
inline constexpr std::size_t max_greeting_descriptors = 16;

// Sends a greeting. A fresh connection always has room for it, so this does not wait.
inline void send_greeting(int socket, const Token& token, std::span<const std::byte> payload = {},
                          std::span<const int> descriptors = {}) {
    if (payload.size() > max_greeting_payload || descriptors.size() > max_greeting_descriptors) {
        throw Error(IPCMARK_INTERNAL, "a greeting with too much payload or too many descriptors");
    }
    GreetingHead head;
    head.token = token;
    head.payload_size = static_cast<std::uint32_t>(payload.size());
    head.descriptor_count = static_cast<std::uint32_t>(descriptors.size());
    iovec parts[2] = {{&head, sizeof head}, {const_cast<std::byte*>(payload.data()), payload.size()}};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * max_greeting_descriptors)] = {};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = payload.empty() ? 1 : 2;
    if (!descriptors.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        auto* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }
    ssize_t sent = 0;
    do {
        sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        if (errno == EPIPE || errno == ECONNRESET) {
            throw Error(IPCMARK_NOT_CONNECTED, "the listener went away while it was greeted", errno);
        }
        throw_errno("greet the listener");
    }
    if (static_cast<std::size_t>(sent) != sizeof head + payload.size()) {
        throw Error(IPCMARK_SYSTEM, "the greeting of the listener was cut short");
    }
}

// Reads a greeting as its bytes arrive, and never a byte beyond it: messages may follow at once.
class GreetingReader {
public:
    enum class State { reading, complete, stranger };

    // Takes what is there without waiting. `stranger`: it left, or what it said is not a greeting with this token.
    // Throws Error if this process has no room for the descriptors of one that is none.
    State advance(int socket, const Token& token) {
        while (state_ == State::reading) {
            const bool in_head = got_ < sizeof head_;
            auto* const into =
                in_head ? reinterpret_cast<std::byte*>(&head_) + got_ : payload_.data() + got_ - sizeof head_;
            iovec part{into, (in_head ? sizeof head_ : sizeof head_ + payload_.size()) - got_};
            const auto count = receive(socket, part);
            if (count < 0 && errno == EINTR) {
                continue;
            }
            if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                return state_;
            }
            if (count <= 0) {
                return state_ = State::stranger;
            }
            got_ += static_cast<std::size_t>(count);
            judge(token);
        }
        return state_;
    }
    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] std::vector<std::byte> take_payload() noexcept { return std::move(payload_); }
    [[nodiscard]] std::vector<Fd> take_descriptors() noexcept { return std::move(descriptors_); }

private:
    ssize_t receive(int socket, iovec& part) {
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * max_greeting_descriptors)];
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const auto count = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (count < 0) {
            return count;
        }
        cut_ = cut_ || (message.msg_flags & MSG_CTRUNC) != 0;
        for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
                for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= header->cmsg_len; at += sizeof(int)) {
                    int fd = -1;
                    std::memcpy(&fd, reinterpret_cast<char*>(header) + at, sizeof fd);
                    descriptors_.emplace_back(fd);
                }
            }
        }
        return count;
    }
    void judge(const Token& token) {
        // A stranger may send some with every byte.
        if (descriptors_.size() > max_greeting_descriptors) {
            descriptors_.clear();
            state_ = State::stranger;
        }
        if (got_ < sizeof head_ || state_ == State::stranger) {
            return;
        }
        if (got_ == sizeof head_ && payload_.empty()) {
            if (head_.magic != GreetingHead{}.magic || head_.token != token ||
                head_.payload_size > max_greeting_payload || head_.descriptor_count > max_greeting_descriptors) {
                state_ = State::stranger;
                return;
            }
            if (head_.descriptor_count != descriptors_.size()) {
                // The kernel drops, without an error, what this process may not have any more.
                if (cut_) {
                    throw_errno("take the descriptors of a peer that has connected", EMFILE);
                }
                state_ = State::stranger;
                return;
            }
            payload_.resize(head_.payload_size);
        }
        if (got_ == sizeof head_ + payload_.size()) {
            state_ = State::complete;
        }
    }

    State state_ = State::reading;
    std::size_t got_ = 0;
    bool cut_ = false; // not all of the descriptors came
    GreetingHead head_{};
    std::vector<std::byte> payload_;
    std::vector<Fd> descriptors_;
};

} // namespace ipcmark::kit

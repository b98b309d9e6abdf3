// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/greeting.hpp>
#include <ipcmark/module_kit/wait.hpp>

#include <chrono>
#include <cstdint>
#include <list>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

namespace ipcmark::kit {

// A peer that knew the token: its connection, and what it brought.
struct Peer {
    Fd socket; // blocking
    std::vector<std::byte> payload;
    std::vector<Fd> descriptors;
};

// What connect throws for bytes that no listener of the module can have given out.
inline Error wrong_address() {
    return {IPCMARK_BAD_ARGUMENT, "this is not the address of a listener of this module in this version"};
}

// The listening side of a meeting over a listening stream socket of any family. Each connection must begin with a
// greeting that has the token; strangers (a wrong token, garbage, silence, a connection closed at once) are turned away
// and cost the real peers nothing, since all open connections are watched together.
class Rendezvous {
public:
    // Takes a socket that listens. `promised`: how many peers will come, 0 if that is not known; with the last one all
    // strangers are turned away.
    explicit Rendezvous(Fd listening, std::uint32_t promised = 0)
        : listening_(std::move(listening)), wake_(::eventfd(0, EFD_CLOEXEC)), promised_(promised) {
        if (!wake_) {
            throw_errno("make an eventfd");
        }
        const int flags = ::fcntl(listening_.get(), F_GETFL);
        if (flags < 0 || ::fcntl(listening_.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
            throw_errno("set the flags of the listening socket");
        }
    }

    [[nodiscard]] const Token& token() const noexcept { return token_; }
    [[nodiscard]] int descriptor() const noexcept { return listening_.get(); }
    // All that were promised have been accepted.
    [[nodiscard]] bool complete() const noexcept { return promised_ != 0 && accepted_ >= promised_; }

    // The next peer, in the order of their connections. timeout_ns == 0 waits for ever. Throws Error: TIMED_OUT, or the
    // status of interrupt().
    Peer accept(std::uint64_t timeout_ns) {
        const Deadline deadline(timeout_ns);
        for (;;) {
            if (interrupt_) {
                throw Error(interrupt_.status(), "the accept was interrupted");
            }
            admit_new();
            if (auto found = hear(); found != guests_.end()) {
                Peer peer{std::move(found->socket), found->greeting.take_payload(), found->greeting.take_descriptors()};
                guests_.erase(found);
                ++accepted_;
                if (complete()) {
                    guests_.clear(); // the descriptors are the run's
                }
                return peer;
            }
            turn_away_silent();
            if (deadline.passed()) {
                throw Error(IPCMARK_TIMED_OUT, "no peer connected in time");
            }
            wait(deadline);
        }
    }

    // Any thread; sticky.
    void interrupt(ipcmark_status status) noexcept {
        if (interrupt_.raise(status)) {
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
        }
    }

private:
    static constexpr std::size_t most_silent_guests = 64;
    static constexpr std::chrono::seconds longest_silence{5};
    // Left to the rest of the process, and to what a greeting brings. So many guests are listened to in any case.
    static constexpr rlim_t spare_descriptors = 16;
    static constexpr std::size_t least_guests = 4;

    struct Guest {
        Fd socket;
        SteadyTime since;
        GreetingReader greeting;
    };
    using Guests = std::list<Guest>;

    // No more than can be listened to: a crowd waits in the kernel, where it takes none of this process's descriptors.
    void admit_new() {
        crowded_ = false;
        while (guests_.size() <= most_silent_guests) {
            if (guests_.size() >= least_guests && descriptors_are_short()) {
                crowded_ = somebody_waits();
                return;
            }
            Fd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (socket) {
                guests_.push_back({std::move(socket), std::chrono::steady_clock::now(), {}});
            } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
                return;
            } else if ((errno == EMFILE || errno == ENFILE) && !guests_.empty()) {
                crowded_ = true; // guests have what this process may have
                return;
            } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
                throw_errno("accept a connection");
            }
        }
    }
    static bool descriptors_are_short() noexcept {
        const Fd lowest(::eventfd(0, EFD_CLOEXEC)); // the lowest number that is free
        rlimit limit{};
        return !lowest || (::getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
                           static_cast<rlim_t>(lowest.get()) + spare_descriptors >= limit.rlim_cur);
    }
    [[nodiscard]] bool somebody_waits() const noexcept {
        pollfd listening{listening_.get(), POLLIN, 0};
        return ::poll(&listening, 1, 0) > 0;
    }
    // Listens to all guests; the first one that said the whole greeting, or end().
    Guests::iterator hear() {
        auto found = guests_.end();
        for (auto guest = guests_.begin(); guest != guests_.end();) {
            const auto state = guest->greeting.advance(guest->socket.get(), token_);
            if (state == GreetingReader::State::stranger) {
                guest = guests_.erase(guest);
                continue;
            }
            if (state == GreetingReader::State::complete && found == guests_.end()) {
                found = guest;
            }
            ++guest;
        }
        return found;
    }
    // Called when no guest has completed its greeting.
    void turn_away_silent() {
        const auto now = std::chrono::steady_clock::now();
        while (!guests_.empty() && (std::exchange(crowded_, false) || guests_.size() > most_silent_guests ||
                                    now - guests_.front().since > longest_silence)) {
            guests_.pop_front();
        }
    }
    void wait(const Deadline& deadline) {
        polled_.clear();
        polled_.push_back({wake_.get(), POLLIN, 0});
        polled_.push_back({listening_.get(), POLLIN, 0});
        for (const auto& guest : guests_) {
            polled_.push_back({guest.socket.get(), POLLIN, 0});
        }
        auto end = deadline.end();
        if (!guests_.empty()) {
            end = std::min(end, guests_.front().since + longest_silence + std::chrono::milliseconds(1));
        }
        if (::poll(polled_.data(), polled_.size(), poll_timeout(end)) < 0 && errno != EINTR) {
            throw_errno("wait for a connection");
        }
    }

    Fd listening_;
    Fd wake_;
    std::uint32_t promised_;
    std::uint32_t accepted_ = 0;
    Token token_ = random_token();
    InterruptFlag interrupt_;
    Guests guests_;
    bool crowded_ = false; // the next one can only come when one of them has gone
    std::vector<pollfd> polled_;
};

} // namespace ipcmark::kit

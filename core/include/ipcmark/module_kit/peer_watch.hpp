// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/error.hpp>
#include <ipcmark/module_kit/fd.hpp>

#include <csignal>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace ipcmark::kit {

// For transports whose own calls never fail when the peer dies (shared memory, message queues): a thread, one for all
// endpoints of the module, that sleeps until a socket that the peer holds hangs up, and then tells the endpoint. So the
// hot path asks nobody whether the peer lives.
class PeerWatch {
public:
    class Listener {
    public:
        // On the watching thread, at most once: the peer closed or died.
        virtual void peer_left() noexcept = 0;

    protected:
        ~Listener() = default;
    };

    // Watches as long as it lives. After the destructor peer_left is not called any more.
    class Registration {
    public:
        Registration() = default;
        Registration(int socket, Listener& listener) : watch_(shared()), id_(watch_->add(socket, listener)) {}
        Registration(Registration&& other) noexcept
            : watch_(std::move(other.watch_)), id_(std::exchange(other.id_, 0)) {}
        Registration& operator=(Registration&& other) noexcept {
            reset();
            watch_ = std::move(other.watch_);
            id_ = std::exchange(other.id_, 0);
            return *this;
        }
        ~Registration() { reset(); }
        void reset() noexcept {
            if (watch_) {
                watch_->remove(id_);
                watch_.reset();
            }
        }

    private:
        std::shared_ptr<PeerWatch> watch_;
        std::uint64_t id_ = 0;
    };

    ~PeerWatch() {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(stop_.get(), &one, sizeof one);
        thread_.join();
    }

private:
    struct Watched {
        int socket;
        Listener* listener;
    };
    static constexpr std::uint64_t stop_id = 0;

    PeerWatch() : events_(::epoll_create1(EPOLL_CLOEXEC)), stop_(::eventfd(0, EFD_CLOEXEC)) {
        if (!events_ || !stop_) {
            throw_errno("make descriptors to watch the peer");
        }
        register_events(stop_.get(), EPOLLIN, stop_id);
        // The thread must take no signal of the host's.
        sigset_t all;
        sigset_t before;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            thread_ = std::thread([this] { run(); });
        } catch (const std::system_error& failure) {
            ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
            const int error = failure.code().value();
            throw Error(IPCMARK_LIMIT,
                        "cannot start a thread to watch the peer: " + errno_text(error) +
                            "; raise the limits of processes and memory (ulimit -u, -v, -d)",
                        error);
        } catch (...) {
            ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
            throw;
        }
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        ::pthread_setname_np(thread_.native_handle(), "ipcmark-watch");
    }

    static std::shared_ptr<PeerWatch> shared() {
        static std::mutex mutex;
        static std::weak_ptr<PeerWatch> current;
        const std::scoped_lock lock(mutex);
        auto watch = current.lock();
        if (!watch) {
            watch.reset(new PeerWatch);
            current = watch;
        }
        return watch;
    }

    void register_events(int fd, std::uint32_t events, std::uint64_t id) {
        epoll_event event{};
        event.events = events;
        event.data.u64 = id;
        if (::epoll_ctl(events_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
            throw_errno("watch the peer's socket");
        }
    }

    std::uint64_t add(int socket, Listener& listener) {
        const std::scoped_lock lock(mutex_);
        const auto id = ++last_id_;
        watched_.emplace(id, Watched{socket, &listener});
        try {
            register_events(socket, EPOLLRDHUP, id);
        } catch (...) {
            watched_.erase(id);
            throw;
        }
        return id;
    }
    void remove(std::uint64_t id) noexcept {
        const std::scoped_lock lock(mutex_);
        if (const auto found = watched_.find(id); found != watched_.end()) {
            ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, found->second.socket, nullptr);
            watched_.erase(found);
        }
    }

    void run() noexcept {
        for (;;) {
            epoll_event event{};
            if (::epoll_wait(events_.get(), &event, 1, -1) != 1) {
                continue;
            }
            // A copy: epoll_event is packed, so a reference would be misaligned.
            const std::uint64_t id = event.data.u64;
            if (id == stop_id) {
                return;
            }
            // Held while peer_left runs, so that remove waits for its end.
            const std::scoped_lock lock(mutex_);
            const auto found = watched_.find(id);
            if (found != watched_.end()) {
                ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, found->second.socket, nullptr);
                auto* const listener = found->second.listener;
                watched_.erase(found);
                listener->peer_left();
            }
        }
    }

    Fd events_;
    Fd stop_;
    std::mutex mutex_;
    std::map<std::uint64_t, Watched> watched_;
    std::uint64_t last_id_ = stop_id;
    std::thread thread_;
};

} // namespace ipcmark::kit

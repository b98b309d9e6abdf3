// SPDX-License-Identifier: Apache-2.0
// The same round trips as uds_epoll.c under Boost.Asio: a descriptor that is waited for and then read and written by
// our own calls, as a transport behind the pollfd extension would have to be. What Asio costs on top of epoll decided
// which of the two drives the asynchronous mode (core/measure/reactor.cpp).
#include <cstddef>
#include <cstdint>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <sys/socket.h>

extern "C" {
#define _Noreturn [[noreturn]]
// The C header of the floor, without the pedantry of C++.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wconversion"
#include "floor.h"
#pragma GCC diagnostic pop
extern const floor_transport floor_uds_asio;
}

namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

class RoundTrip {
public:
    RoundTrip(int fd, const floor_run& run, floor_results& results)
        : descriptor_(context_, fd), run_(run), results_(results), message_(floor_message(run.size)) {}

    void ping() {
        begin_ = floor_stamp();
        put();
        wait_for_reply();
        context_.run();
    }
    void pong() {
        wait_for_request();
        context_.run();
    }

private:
    void put() {
        for (std::size_t done = 0; done < run_.size;) {
            const ssize_t count = ::send(descriptor_.native_handle(), message_ + done, run_.size - done, MSG_NOSIGNAL);
            if (count > 0)
                done += static_cast<std::size_t>(count);
            else if (errno != EAGAIN)
                floor_fail("send");
        }
    }
    void take() {
        for (std::size_t done = 0; done < run_.size;) {
            const ssize_t count = ::recv(descriptor_.native_handle(), message_ + done, run_.size - done, 0);
            if (count > 0)
                done += static_cast<std::size_t>(count);
            else if (count == 0 || errno != EAGAIN)
                floor_fail("recv");
        }
    }
    void wait_for_reply() {
        descriptor_.async_wait(Descriptor::wait_read, [this](const boost::system::error_code&) {
            take();
            const std::uint64_t now = floor_stamp();
            if (done_ == run_.warmup)
                results_.first = begin_;
            if (done_ >= run_.warmup)
                results_.samples[done_ - run_.warmup] = now - begin_;
            results_.last = begin_ = now;
            if (++done_ == run_.warmup + run_.count)
                return;
            floor_put_stamp(message_, run_.size, begin_);
            put();
            wait_for_reply();
        });
    }
    void wait_for_request() {
        descriptor_.async_wait(Descriptor::wait_read, [this](const boost::system::error_code&) {
            take();
            put();
            if (++done_ != run_.warmup + run_.count)
                wait_for_request();
        });
    }

    boost::asio::io_context context_{1};
    Descriptor descriptor_;
    const floor_run& run_;
    floor_results& results_;
    unsigned char* message_;
    std::uint64_t begin_ = 0;
    std::uint64_t done_ = 0;
};

void* make(const floor_run* run) {
    static int pair[2];
    if (run->spin != 0 || run->one_way != 0) {
        errno = ENOTSUP;
        floor_fail("uds-asio has blocking round trips only");
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        floor_fail("socketpair");
    return pair;
}

void client(void* made, const floor_run* run, floor_results* results) {
    RoundTrip(static_cast<int*>(made)[0], *run, *results).ping();
}

void server(void* made, const floor_run* run, floor_results* results) {
    RoundTrip(static_cast<int*>(made)[1], *run, *results).pong();
}

} // namespace

const floor_transport floor_uds_asio = {"uds-asio", make, client, server};

// SPDX-License-Identifier: Apache-2.0
#include "host/check/peer.hpp"

#include "host/check/child.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <mutex>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

std::mutex living_mutex;
std::vector<pid_t> living; // peers of this process that no test has ended

void forget(pid_t pid) {
    const std::lock_guard lock(living_mutex);
    living.erase(std::remove(living.begin(), living.end(), pid), living.end());
}

} // namespace

Channel::~Channel() {
    if (fd_ >= 0) {
        close(fd_);
    }
}

void Channel::put_bytes(std::span<const std::byte> bytes) {
    if (send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
        fail("the other process of the test is gone");
    }
}

Bytes Channel::get_bytes() {
    const Step step("waiting for the other process of the test");
    Bytes bytes(64 * 1024);
    ssize_t got = 0;
    do {
        got = recv(fd_, bytes.data(), bytes.size(), 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        fail("the other process of the test ended too early");
    }
    bytes.resize(static_cast<std::size_t>(got));
    return bytes;
}

int Peer::make_channel(int& theirs) {
    int both[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, both) != 0) {
        fail("no socket pair for the processes of the test could be made");
    }
    theirs = both[1];
    return both[0];
}

Peer::Peer(Context& context) : channel_(make_channel(theirs_)) {
    ChildRole role;
    role.test_id = context.test().id;
    role.is_peer = true;
    role.report_fd = Sandbox::report_fd();
    role.step_fd = Sandbox::step_fd();
    role.channel_fd = theirs_;
    role.subject = context.subject();
    pid_ = spawn(role, -1, Group::inherited);
    close(theirs_);
    const std::lock_guard lock(living_mutex);
    living.push_back(pid_);
}

Peer::~Peer() {
    // In-process a failed test comes here, and the peer may be about to say why.
    for (int turn = 0; !Sandbox::entered() && !reaped_ && turn < 30; ++turn) {
        if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
            forget(pid_);
            reaped_ = true;
            return;
        }
        usleep(10'000);
    }
    kill();
}

void Peer::kill() {
    if (reaped_) {
        return;
    }
    forget(pid_);
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    reaped_ = true;
}

void Peer::stop() {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
    require(WIFSTOPPED(status), "the peer process ended too early");
}

void Peer::go_on() {
    ::kill(pid_, SIGCONT);
}

void Peer::join() {
    const Step step("waiting for the peer process to end");
    forget(pid_);
    int status = 0;
    waitpid(pid_, &status, 0);
    reaped_ = true;
    if (WIFSIGNALED(status)) {
        fail_as_crash(fmt::format("the peer process crashed with {} in: {}", signal_name(WTERMSIG(status)),
                                  Sandbox::peer_step()));
    }
    require(WEXITSTATUS(status) == 0, fmt::format("the peer process ended with exit code {}", WEXITSTATUS(status)));
}

void Peer::finish() {
    channel().wait();
    channel().signal();
    join();
}

std::string Peer::unexpected_death() {
    // A crash takes its time to become visible here: the core is written first.
    for (int turn = 0; turn < 20; ++turn) {
        {
            const std::lock_guard lock(living_mutex);
            if (living.empty()) {
                return "";
            }
            for (const auto pid : living) {
                siginfo_t info{};
                if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
                    info.si_pid != pid) {
                    continue;
                }
                if (info.si_code != CLD_EXITED) {
                    return fmt::format("the peer process crashed with {} in: {}", signal_name(info.si_status),
                                       Sandbox::peer_step());
                }
                if (info.si_status == 0) { // one that failed has told of it, and ends with 1
                    return fmt::format("the peer process ended by itself with exit code 0 in: {}; no function of a "
                                       "module may call exit",
                                       Sandbox::peer_step());
                }
            }
        }
        usleep(5000);
    }
    return "";
}

EndpointSpec fitted(Context& context, EndpointSpec spec) {
    spec.max_message_size = context.at_most(spec.max_message_size);
    spec.tx_fixed_size = std::min(spec.tx_fixed_size, spec.max_message_size);
    spec.rx_fixed_size = std::min(spec.rx_fixed_size, spec.max_message_size);
    return spec;
}

Link::Link(Context& context, EndpointSpec spec, std::uint64_t argument, Listening listening)
    : peer(context), wire(context, meet(context, listener, peer, spec, argument, listening)) {}

EndpointHandle Link::meet(Context& context, ListenerHandle& listener, Peer& peer, const EndpointSpec& spec,
                          std::uint64_t argument, Listening listening) {
    peer.channel().put(Setup{spec.mirrored(), argument, listening == Listening::peer});
    EndpointHandle endpoint;
    if (listening == Listening::here) {
        listener = context.listen(1, spec.max_message_size);
        peer.channel().put_bytes(context.address(listener));
        endpoint = context.accept(listener, spec);
    } else {
        endpoint = context.connect(peer.channel().get_bytes(), spec);
    }
    peer.channel().wait();
    Sandbox::step("at work after the endpoint was made");
    return endpoint;
}

void Link::finish() {
    peer.finish();
}

Joined::Joined(Context& context, Channel& its_channel)
    : channel(its_channel), setup(channel.get<Setup>()), wire(context, meet(context, channel, setup, listener)) {}

EndpointHandle Joined::meet(Context& context, Channel& channel, const Setup& setup, ListenerHandle& listener) {
    EndpointHandle endpoint;
    if (setup.listens) {
        listener = context.listen(1, setup.spec.max_message_size);
        channel.put_bytes(context.address(listener));
        endpoint = context.accept(listener, setup.spec);
    } else {
        endpoint = context.connect(channel.get_bytes(), setup.spec);
    }
    channel.signal();
    return endpoint;
}

void Joined::finish() {
    channel.signal();
    channel.wait();
}

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/context.hpp"
#include "host/check/wire.hpp"

#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include <sys/types.h>

namespace ipcmark::check {

// Between the processes of a test, apart from the transport under test. Every call ends the test if the other side is
// gone.
class Channel {
public:
    explicit Channel(int fd) noexcept : fd_(fd) {}
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    ~Channel();
    [[nodiscard]] int fd() const noexcept { return fd_; }

    void put_bytes(std::span<const std::byte> bytes);
    [[nodiscard]] Bytes get_bytes();
    template <class T> void put(const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        put_bytes(std::as_bytes(std::span(&value, 1)));
    }
    template <class T> [[nodiscard]] T get() {
        static_assert(std::is_trivially_copyable_v<T>);
        const auto bytes = get_bytes();
        require(bytes.size() == sizeof(T), "the two processes of the test do not understand each other");
        T value;
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }
    // A word that only says "I am here now"; `wait` waits for the other side's.
    void signal() { put('.'); }
    void wait() { (void)get<char>(); }

private:
    int fd_;
};

// Another process of the test, which calls Test::peer. Killed and reaped at the end.
class Peer {
public:
    explicit Peer(Context& context);
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer();

    [[nodiscard]] Channel& channel() noexcept { return channel_; }
    // SIGKILL, and reaps it: when this returns the process is no more.
    void kill();
    void stop();
    void go_on();
    // Waits for its end; ends the test if it did not end well.
    void join();
    // The usual end: waits until the peer has done its part, lets it go, and joins it.
    void finish();

    // "the peer process crashed with SIGSEGV", if a peer of this process died and no test killed it; else empty.
    [[nodiscard]] static std::string unexpected_death();

private:
    [[nodiscard]] static int make_channel(int& theirs);
    int theirs_ = -1;
    Channel channel_;
    pid_t pid_ = -1;
    bool reaped_ = false;
};

// In which nothing moves: long enough for whoever takes silence for an end.
inline constexpr std::chrono::seconds long_silence{3};

// What the first process tells a peer: what to connect to, as what, and a number whose meaning is the test's own.
struct Setup {
    EndpointSpec spec;
    std::uint64_t argument = 0;
    bool listens = false; // the peer
};

// Which of the two sides listens: the first process, or its peer.
enum class Listening { here, peer };

// A peer, and an endpoint between this process and it.
class Link {
public:
    Link(Context& context, EndpointSpec spec, std::uint64_t argument = 0, Listening listening = Listening::here);
    // Both sides are done: the peer ends, and ends well.
    void finish();

    ListenerHandle listener; // Listening::here
    Peer peer;
    Wire wire;

private:
    static EndpointHandle meet(Context& context, ListenerHandle& listener, Peer& peer, const EndpointSpec& spec,
                               std::uint64_t argument, Listening listening);
};

// The peer's side of a Link.
class Joined {
public:
    Joined(Context& context, Channel& channel);
    void finish();

    Channel& channel;
    Setup setup;
    ListenerHandle listener; // setup.listens
    Wire wire;

private:
    static EndpointHandle meet(Context& context, Channel& channel, const Setup& setup, ListenerHandle& listener);
};

// A test whose two sides are one function: it is run twice, with the listener's side sending and with the connector's.
struct Flow {
    EndpointSpec spec;
    void (*run)(Wire& wire, bool sends);
};

[[nodiscard]] EndpointSpec fitted(Context& context, EndpointSpec spec);

template <const Flow& flow> void run_flow(Context& context) {
    for (const bool sends : {true, false}) {
        Link link(context, fitted(context, flow.spec), sends ? 0 : 1);
        flow.run(link.wire, sends);
        link.finish();
    }
}

template <const Flow& flow> void peer_flow(Context& context, Channel& channel) {
    Joined joined(context, channel);
    flow.run(joined.wire, joined.setup.argument != 0);
    joined.finish();
}

} // namespace ipcmark::check

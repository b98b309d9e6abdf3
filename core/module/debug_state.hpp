// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/loan.h>
#include <ipcmark/ext/pollfd.h>
#include <ipcmark/module.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

// What the checking layer of --debug-module knows of a module, its listeners and its endpoints.
namespace ipcmark::debug {

// Held while a call of one thread tag is under way.
class Turn {
public:
    [[nodiscard]] bool enter() noexcept { return !taken_.exchange(true, std::memory_order_acquire); }
    void leave() noexcept { taken_.store(false, std::memory_order_release); }
    [[nodiscard]] bool taken() const noexcept { return taken_.load(std::memory_order_acquire); }

private:
    std::atomic<bool> taken_{false};
};

struct WrappedModule;

enum class Life : std::uint32_t { alive = 0x11feaaaa, closed = 0xdeadaaaa };

struct WrappedListener {
    std::atomic<Life> life{Life::alive};
    WrappedModule* module = nullptr;
    ipcmark_listener* real = nullptr;
    Turn turn;
};

struct WrappedEndpoint {
    std::atomic<Life> life{Life::alive};
    WrappedModule* module = nullptr;
    ipcmark_endpoint* real = nullptr;
    std::uint64_t max_message_size = 0;
    std::uint64_t tx_fixed_size = 0;
    std::uint64_t rx_fixed_size = 0;
    std::uint32_t flags = 0;
    Turn tx;
    Turn rx;
    std::atomic<std::uint64_t> interrupted_at_ns{0};
    std::atomic<ipcmark_status> interrupt_status{IPCMARK_OK};
    // What try_send and try_recv left unfinished, which must be repeated with the same arguments.
    const void* unsent = nullptr;
    std::size_t unsent_size = 0;
    void* unreceived = nullptr;
    std::size_t unreceived_capacity = 0;
    int fds[2] = {-1, -1}; // of RX and TX
    std::uint64_t loan_token = 0;
    std::uint64_t loan_size = 0;
    std::uint64_t take_token = 0;
};

struct WrappedModule {
    ipcmark_descriptor real{};
    ipcmark_descriptor shown{};
    std::string id;
    ipcmark_host host{}; // given to the module in place of the host's own, which it forwards to
    const ipcmark_host* real_host = nullptr;
    Turn control;

    const ipcmark_ext_pollfd* pollfd = nullptr;
    const ipcmark_ext_loan* loan = nullptr;
    const ipcmark_ext_batch* batch = nullptr;
    ipcmark_ext_pollfd shown_pollfd{};
    ipcmark_ext_loan shown_loan{};
    ipcmark_ext_batch shown_batch{};

    // What was closed stays here, so that a use of it is recognised: a process makes few of them.
    std::deque<WrappedListener> listeners; // under `mutex`
    std::deque<WrappedEndpoint> endpoints; // likewise

    // The first breach; later calls fail with it.
    std::atomic<bool> broken{false};
    std::mutex mutex;
    std::string breach;

    // Logs the breach and remembers the first one. Returns IPCMARK_INTERNAL.
    ipcmark_status report(const char* rule, const char* function, const std::string& what) noexcept;
};

enum class Half { tx, rx };

// One call of a half of an endpoint, from its checks before to its checks after. While `usable` is false the module
// must not be called and `status` is returned.
class HotCall {
public:
    HotCall(ipcmark_endpoint* endpoint, Half half, const char* function, std::uint32_t needed_flag) noexcept;
    HotCall(const HotCall&) = delete;
    HotCall& operator=(const HotCall&) = delete;
    ~HotCall();

    [[nodiscard]] bool usable() const noexcept { return usable_; }
    [[nodiscard]] ipcmark_status status() const noexcept { return status_; }
    [[nodiscard]] WrappedEndpoint& endpoint() const noexcept { return *endpoint_; }
    ipcmark_status breach(const char* rule, const std::string& what) noexcept;

    enum class WouldBlock { never, allowed };
    // Whether the status is of the set, and an interrupt was obeyed in time. Returns what to hand to the host.
    ipcmark_status check_status(ipcmark_status status, WouldBlock would_block) noexcept;
    // After a message of that size was taken for sending, or received.
    ipcmark_status check_sent(std::uint64_t size) noexcept;
    ipcmark_status check_received(std::uint64_t size, std::uint64_t capacity) noexcept;

private:
    WrappedEndpoint* endpoint_;
    Half half_;
    const char* function_;
    bool entered_ = false;
    bool usable_ = false;
    ipcmark_status status_ = IPCMARK_INTERNAL;
};

[[nodiscard]] inline WrappedEndpoint* unwrap(ipcmark_endpoint* endpoint) noexcept {
    return reinterpret_cast<WrappedEndpoint*>(endpoint);
}
[[nodiscard]] inline WrappedListener* unwrap(ipcmark_listener* listener) noexcept {
    return reinterpret_cast<WrappedListener*>(listener);
}

// Whether this thread is in a [hot] function of a module, which must not log.
[[nodiscard]] bool in_hot_call() noexcept;
// The breach that this thread was last told of, for last_error; empty if its last failure was the module's own.
[[nodiscard]] std::string& own_breach() noexcept;

// Fills in shown_pollfd, shown_loan and shown_batch for what the module has.
void wrap_extensions(WrappedModule& module);
[[nodiscard]] bool in_closed_set(ipcmark_status status) noexcept;
[[nodiscard]] std::uint64_t steady_ns() noexcept;

} // namespace ipcmark::debug

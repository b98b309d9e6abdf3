// SPDX-License-Identifier: Apache-2.0
#include "module/debug_state.hpp"

#include "module/loaded_module.hpp"

#include <chrono>
#include <string_view>

#include <fmt/format.h>

namespace ipcmark::debug {
namespace {

// Ten times what is promised, since the thread that waits may have had no CPU.
constexpr std::uint64_t late_ns = 10 * IPCMARK_INTERRUPT_LIMIT_NS;

thread_local int hot_depth = 0;
thread_local std::string breach_of_thread;

// Whose fault it is when a rule is broken: some are the caller's to keep.
bool is_for_host(std::string_view rule) {
    return rule == "thread tags" || rule == "use after close" || rule == "endpoint mode" ||
           rule == "repeat after would_block" || rule == "interrupt";
}

} // namespace

bool in_hot_call() noexcept {
    return hot_depth > 0;
}
std::string& own_breach() noexcept {
    return breach_of_thread;
}

bool in_closed_set(ipcmark_status status) noexcept {
    return status >= 0 && status < IPCMARK_STATUS_COUNT;
}

std::uint64_t steady_ns() noexcept {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

ipcmark_status WrappedModule::report(const char* rule, const char* function, const std::string& what) noexcept {
    try {
        const auto text =
            is_for_host(rule)
                ? fmt::format("the host breaks the rule '{}' in {} of module {}: {}", rule, function, id, what)
                : fmt::format("module {} breaks the rule '{}' in {}: {}", id, rule, function, what);
        {
            const std::lock_guard lock(mutex);
            if (breach.empty()) {
                breach = text;
            }
        }
        broken = true;
        breach_of_thread = text;
        const auto* log = module_host();
        log->log(log->context, IPCMARK_LOG_ERROR, text.c_str());
    } catch (...) {
        broken = true;
    }
    return IPCMARK_INTERNAL;
}

HotCall::HotCall(ipcmark_endpoint* endpoint, Half half, const char* function, std::uint32_t needed_flag) noexcept
    : endpoint_(unwrap(endpoint)), half_(half), function_(function) {
    auto& module = *endpoint_->module;
    if (module.broken) {
        const std::lock_guard lock(module.mutex);
        breach_of_thread = module.breach;
        return;
    }
    if (endpoint_->life != Life::alive) {
        breach("use after close", "the endpoint was closed before");
        return;
    }
    constexpr std::uint32_t modes = IPCMARK_ENDPOINT_POLLED | IPCMARK_ENDPOINT_LOANED;
    if ((endpoint_->flags & modes) != needed_flag) {
        breach("endpoint mode", fmt::format("the endpoint was made with the flags {:#x}", endpoint_->flags));
        return;
    }
    auto& own = half == Half::tx ? endpoint_->tx : endpoint_->rx;
    const auto& other = half == Half::tx ? endpoint_->rx : endpoint_->tx;
    if (!own.enter()) {
        breach("thread tags", "another call of this half of the endpoint is under way on another thread");
        return;
    }
    entered_ = true;
    if (other.taken() && (module.real.capabilities & IPCMARK_CAP_TX_RX_THREADS) == 0) {
        breach("thread tags", "sending and receiving overlap, and the module does not claim tx-rx-threads");
        return;
    }
    ++hot_depth;
    usable_ = true;
}

HotCall::~HotCall() {
    if (usable_) {
        --hot_depth;
    }
    if (entered_) {
        (half_ == Half::tx ? endpoint_->tx : endpoint_->rx).leave();
    }
}

ipcmark_status HotCall::breach(const char* rule, const std::string& what) noexcept {
    return endpoint_->module->report(rule, function_, what);
}

ipcmark_status HotCall::check_status(ipcmark_status status, WouldBlock would_block) noexcept {
    breach_of_thread.clear();
    if (!in_closed_set(status)) {
        return breach("closed set of statuses", fmt::format("it returned {}", status));
    }
    if (status == IPCMARK_WOULD_BLOCK && would_block == WouldBlock::never) {
        return breach("would_block", "it returned would_block, which this function never does");
    }
    const auto interrupted = endpoint_->interrupted_at_ns.load(std::memory_order_acquire);
    if (interrupted != 0 && steady_ns() - interrupted > late_ns && status == IPCMARK_WOULD_BLOCK) {
        return breach("interrupt is sticky", "it returned would_block on an endpoint that was interrupted");
    }
    return status;
}

ipcmark_status HotCall::check_sent(std::uint64_t size) noexcept {
    const auto& endpoint = *endpoint_;
    if (size == 0 || size > endpoint.max_message_size) {
        return breach("sizes", fmt::format("it took a message of {} bytes; max_message_size is {}", size,
                                           endpoint.max_message_size));
    }
    if (endpoint.tx_fixed_size != 0 && size != endpoint.tx_fixed_size) {
        return breach("sizes",
                      fmt::format("it took a message of {} bytes; the fixed size is {}", size, endpoint.tx_fixed_size));
    }
    return IPCMARK_OK;
}

ipcmark_status HotCall::check_received(std::uint64_t size, std::uint64_t capacity) noexcept {
    const auto& endpoint = *endpoint_;
    if (size == 0 || size > capacity || size > endpoint.max_message_size) {
        return breach("sizes", fmt::format("it gave a message of {} bytes with a capacity of {} and a max_message_size "
                                           "of {}",
                                           size, capacity, endpoint.max_message_size));
    }
    if (endpoint.rx_fixed_size != 0 && size != endpoint.rx_fixed_size) {
        return breach("sizes",
                      fmt::format("it gave a message of {} bytes; the fixed size is {}", size, endpoint.rx_fixed_size));
    }
    return IPCMARK_OK;
}

} // namespace ipcmark::debug

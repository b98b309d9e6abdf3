// SPDX-License-Identifier: Apache-2.0
#include "module/debug_wrapper.hpp"

#include "module/debug_state.hpp"
#include "module/loaded_module.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace ipcmark {
namespace debug {
namespace {

// The table's functions get no pointer to their module, so that each wrapped module has functions of its own.
constexpr std::size_t most_modules = 8;

std::array<WrappedModule, most_modules>& modules() {
    static auto& all = *new std::array<WrappedModule, most_modules>; // outlives every endpoint
    return all;
}

// For the [control] functions and accept: these may take their time, so the checks may, too.
class ControlCall {
public:
    ControlCall(WrappedModule& module, Turn& turn, const char* function)
        : module_(module), turn_(turn), function_(function) {
        if (module.broken) {
            const std::lock_guard lock(module.mutex);
            own_breach() = module.breach;
            return;
        }
        entered_ = turn.enter();
        if (!entered_) {
            breach("thread tags", "another such call is under way on another thread");
        }
    }
    ControlCall(const ControlCall&) = delete;
    ControlCall& operator=(const ControlCall&) = delete;
    ~ControlCall() {
        if (entered_) {
            turn_.leave();
        }
    }
    [[nodiscard]] bool usable() const { return entered_; }
    ipcmark_status breach(const char* rule, const std::string& what) { return module_.report(rule, function_, what); }

    // `object` is what last_error is asked about.
    ipcmark_status check(ipcmark_status status, const void* object) {
        own_breach().clear();
        if (!in_closed_set(status)) {
            return breach("closed set of statuses", fmt::format("it returned {}", status));
        }
        if (status == IPCMARK_WOULD_BLOCK) {
            return breach("would_block", "it returned would_block, which this function never does");
        }
        if (status == IPCMARK_OK) {
            return status;
        }
        ipcmark_error error{};
        error.size = sizeof error;
        module_.real.last_error(object, &error);
        const bool interrupt_status = error.text[0] == '\0' && status == IPCMARK_CANCELLED;
        if (!interrupt_status && (error.status != status || error.text[0] == '\0')) {
            return breach("last_error", fmt::format("it returned {}, and last_error says {} with the text '{}'",
                                                    status_name(status), status_name(error.status), error.text));
        }
        return status;
    }
    template <class Object> ipcmark_status check_out(ipcmark_status status, const Object* out) {
        if (in_closed_set(status) && (out != nullptr) != (status == IPCMARK_OK)) {
            return breach("*out", fmt::format("it returned {} and left {} in *out", status_name(status),
                                              out == nullptr ? "nothing" : "something"));
        }
        return status;
    }

private:
    WrappedModule& module_;
    Turn& turn_;
    const char* function_;
    bool entered_ = false;
};

void forward_log(void* context, std::int32_t level, const char* text) {
    auto& module = *static_cast<WrappedModule*>(context);
    if (in_hot_call()) {
        module.report("hot functions do not log", "a hot function", text == nullptr ? "" : text);
        return;
    }
    const auto* host = module.real_host;
    if (host != nullptr && host->log != nullptr) {
        host->log(host->context, level, text);
    }
}

// A copy of the host's parameters, as long as this program knows them, with our log in place of the host's.
template <class Params> Params own_params(WrappedModule& module, const Params* given) {
    Params copy{};
    std::memcpy(&copy, given, std::min<std::size_t>(given->size, sizeof copy));
    copy.size = sizeof copy;
    module.real_host = copy.host;
    copy.host = &module.host;
    return copy;
}

ipcmark_endpoint* wrap(WrappedModule& module, ipcmark_endpoint* real, const ipcmark_endpoint_params& params) {
    const std::lock_guard lock(module.mutex);
    auto& endpoint = module.endpoints.emplace_back();
    endpoint.module = &module;
    endpoint.real = real;
    endpoint.max_message_size = params.max_message_size;
    endpoint.tx_fixed_size = params.tx_fixed_size;
    endpoint.rx_fixed_size = params.rx_fixed_size;
    endpoint.flags = params.flags;
    return reinterpret_cast<ipcmark_endpoint*>(&endpoint);
}

template <std::size_t slot> WrappedModule& module_of() {
    return modules()[slot];
}

template <std::size_t slot> ipcmark_status limits(const ipcmark_listen_params* given, ipcmark_limits* out) {
    auto& module = module_of<slot>();
    ControlCall call(module, module.control, "limits");
    if (!call.usable()) {
        return IPCMARK_INTERNAL;
    }
    const auto params = own_params(module, given);
    const auto status = call.check(module.real.limits(&params, out), nullptr);
    if (status == IPCMARK_OK && out->max_message_size == 0) {
        return call.breach("limits", "max_message_size is 0");
    }
    return status;
}

template <std::size_t slot> ipcmark_status listen(const ipcmark_listen_params* given, ipcmark_listener** out) {
    auto& module = module_of<slot>();
    *out = nullptr;
    ControlCall call(module, module.control, "listen");
    if (!call.usable()) {
        return IPCMARK_INTERNAL;
    }
    const auto params = own_params(module, given);
    ipcmark_listener* real = nullptr;
    auto status = module.real.listen(&params, &real);
    status = call.check_out(call.check(status, nullptr), real);
    if (status == IPCMARK_OK) {
        const std::lock_guard lock(module.mutex);
        auto& listener = module.listeners.emplace_back();
        listener.module = &module;
        listener.real = real;
        *out = reinterpret_cast<ipcmark_listener*>(&listener);
    }
    return status;
}

template <std::size_t slot>
ipcmark_status connect(const void* address, std::size_t length, const ipcmark_endpoint_params* given,
                       ipcmark_endpoint** out) {
    auto& module = module_of<slot>();
    *out = nullptr;
    ControlCall call(module, module.control, "connect");
    if (!call.usable()) {
        return IPCMARK_INTERNAL;
    }
    const auto params = own_params(module, given);
    ipcmark_endpoint* real = nullptr;
    auto status = module.real.connect(address, length, &params, &real);
    status = call.check_out(call.check(status, nullptr), real);
    if (status == IPCMARK_OK) {
        *out = wrap(module, real, params);
    }
    return status;
}

ipcmark_status accept(ipcmark_listener* given_listener, const ipcmark_endpoint_params* given, ipcmark_endpoint** out) {
    auto& listener = *unwrap(given_listener);
    auto& module = *listener.module;
    *out = nullptr;
    ControlCall call(module, listener.turn, "accept");
    if (!call.usable()) {
        return IPCMARK_INTERNAL;
    }
    if (listener.life != Life::alive) {
        return call.breach("use after close", "the listener was closed before");
    }
    const auto params = own_params(module, given);
    ipcmark_endpoint* real = nullptr;
    auto status = module.real.accept(listener.real, &params, &real);
    status = call.check_out(call.check(status, listener.real), real);
    if (status == IPCMARK_OK) {
        *out = wrap(module, real, params);
    }
    return status;
}

ipcmark_status listener_address(ipcmark_listener* given, void* buffer, std::size_t capacity, std::size_t* length) {
    auto& listener = *unwrap(given);
    ControlCall call(*listener.module, listener.turn, "listener_address");
    if (!call.usable()) {
        return IPCMARK_INTERNAL;
    }
    if (listener.life != Life::alive) {
        return call.breach("use after close", "the listener was closed before");
    }
    const auto status =
        call.check(listener.module->real.listener_address(listener.real, buffer, capacity, length), listener.real);
    if (status == IPCMARK_OK && (*length == 0 || *length > capacity)) {
        return call.breach("addresses", fmt::format("it gave {} bytes with a capacity of {}", *length, capacity));
    }
    return status;
}

void close_listener(ipcmark_listener* given) {
    if (given == nullptr) {
        return;
    }
    auto& listener = *unwrap(given);
    if (listener.life.exchange(Life::closed) != Life::alive) {
        listener.module->report("use after close", "close_listener", "the listener was closed before");
    } else if (listener.turn.taken()) {
        listener.module->report("thread tags", "close_listener", "a call of this listener is under way");
    } else {
        listener.module->real.close_listener(listener.real);
    }
}

void close(ipcmark_endpoint* given) {
    if (given == nullptr) {
        return;
    }
    auto& endpoint = *unwrap(given);
    if (endpoint.life.exchange(Life::closed) != Life::alive) {
        endpoint.module->report("use after close", "close", "the endpoint was closed before");
    } else if (endpoint.tx.taken() || endpoint.rx.taken()) {
        endpoint.module->report("thread tags", "close", "a call of this endpoint is under way");
    } else {
        endpoint.module->real.close(endpoint.real);
    }
}

ipcmark_status send(ipcmark_endpoint* given, const void* data, std::size_t size) {
    HotCall call(given, Half::tx, "send", 0);
    if (!call.usable()) {
        return call.status();
    }
    auto& endpoint = call.endpoint();
    const auto status =
        call.check_status(endpoint.module->real.send(endpoint.real, data, size), HotCall::WouldBlock::never);
    return status == IPCMARK_OK ? call.check_sent(size) : status;
}

ipcmark_status recv(ipcmark_endpoint* given, void* data, std::size_t capacity, std::size_t* size) {
    HotCall call(given, Half::rx, "recv", 0);
    if (!call.usable()) {
        return call.status();
    }
    auto& endpoint = call.endpoint();
    const auto status =
        call.check_status(endpoint.module->real.recv(endpoint.real, data, capacity, size), HotCall::WouldBlock::never);
    return status == IPCMARK_OK ? call.check_received(*size, capacity) : status;
}

void interrupt(ipcmark_endpoint* given, ipcmark_status status) {
    auto& endpoint = *unwrap(given);
    if (endpoint.life != Life::alive || status == IPCMARK_OK || !in_closed_set(status)) {
        endpoint.module->report("interrupt", "interrupt", "the endpoint is closed, or the status is no reason to stop");
        return;
    }
    endpoint.module->real.interrupt(endpoint.real, status);
    ipcmark_status none = IPCMARK_OK;
    endpoint.interrupt_status.compare_exchange_strong(none, status);
    std::uint64_t never = 0;
    endpoint.interrupted_at_ns.compare_exchange_strong(never, steady_ns());
}

void interrupt_listener(ipcmark_listener* given, ipcmark_status status) {
    auto& listener = *unwrap(given);
    if (listener.life != Life::alive || status == IPCMARK_OK) {
        listener.module->report("interrupt", "interrupt_listener",
                                "the listener is closed, or the status is no reason to stop");
        return;
    }
    listener.module->real.interrupt_listener(listener.real, status);
}

template <std::size_t slot> void last_error(const void* object, ipcmark_error* out) {
    if (own_breach().empty()) {
        auto& module = module_of<slot>();
        // Listeners and endpoints begin alike; only the real one inside means something to the module.
        static_assert(offsetof(WrappedEndpoint, real) == offsetof(WrappedListener, real));
        const void* real = nullptr;
        if (object != nullptr) {
            std::memcpy(&real, static_cast<const char*>(object) + offsetof(WrappedEndpoint, real), sizeof real);
        }
        module.real.last_error(real, out);
        return;
    }
    ipcmark_error error{};
    error.size = out->size;
    error.status = IPCMARK_INTERNAL;
    const auto& text = own_breach();
    std::memcpy(error.text, text.data(), std::min(text.size(), sizeof error.text - 1));
    std::memcpy(out, &error, std::min<std::size_t>(out->size, sizeof error));
}

ipcmark_status effective_option(ipcmark_endpoint* given, std::uint32_t index, ipcmark_value* out) {
    auto& endpoint = *unwrap(given);
    auto& module = *endpoint.module;
    if (endpoint.life != Life::alive || endpoint.tx.taken() || endpoint.rx.taken()) {
        return module.report("thread tags", "effective_option", "the endpoint is closed, or a call of it is under way");
    }
    const auto status = module.real.effective_option(endpoint.real, index, out);
    if (status == IPCMARK_OK && index < module.real.option_count) {
        const auto* table =
            reinterpret_cast<const char*>(module.real.options) + std::size_t{index} * module.real.option_size;
        const auto* option = reinterpret_cast<const ipcmark_option*>(table);
        if (out->type != option->type) {
            return module.report("types of options", "effective_option",
                                 fmt::format("the option '{}' has type {} and its value type {}", option->name,
                                             option->type, out->type));
        }
    }
    return in_closed_set(status)
               ? status
               : module.report("closed set of statuses", "effective_option", fmt::format("it returned {}", status));
}

template <std::size_t slot> const void* get_extension(const char* id) {
    auto& module = module_of<slot>();
    // What is not fit to be called is shown as it is, for the host to refuse.
    const auto shown = [&](const void* usable, const void* checking) {
        if (usable != nullptr)
            return checking;
        return module.real.get_extension != nullptr ? module.real.get_extension(id) : nullptr;
    };
    if (std::strcmp(id, IPCMARK_EXT_POLLFD) == 0) {
        return shown(module.pollfd, &module.shown_pollfd);
    }
    if (std::strcmp(id, IPCMARK_EXT_LOAN) == 0) {
        return shown(module.loan, &module.shown_loan);
    }
    if (std::strcmp(id, IPCMARK_EXT_BATCH) == 0) {
        return shown(module.batch, &module.shown_batch);
    }
    return nullptr; // not checked, so not offered
}

template <std::size_t slot> void show(ipcmark_descriptor& table) {
    table.limits = limits<slot>;
    table.listen = listen<slot>;
    table.connect = connect<slot>;
    table.last_error = last_error<slot>;
    table.get_extension = get_extension<slot>;
}

template <std::size_t... slots>
void show_in(std::size_t wanted, ipcmark_descriptor& table, std::index_sequence<slots...>) {
    ((slots == wanted ? show<slots>(table) : void()), ...);
}

} // namespace
} // namespace debug

ipcmark_descriptor wrap_for_debugging(const ipcmark_descriptor& table, const std::string& module_id) {
    using namespace debug;
    static std::mutex mutex;
    static std::size_t used = 0;
    const std::lock_guard lock(mutex);
    if (used == most_modules) {
        throw RunError(fmt::format("--debug-module checks {} modules in a process at most", most_modules));
    }
    auto& module = modules()[used];
    module.real = table;
    module.id = module_id;
    module.host = {sizeof(ipcmark_host), 0, &module, forward_log};
    wrap_extensions(module);
    module.shown = table;
    show_in(used, module.shown, std::make_index_sequence<most_modules>{});
    module.shown.listener_address = listener_address;
    module.shown.accept = accept;
    module.shown.close_listener = close_listener;
    module.shown.close = close;
    module.shown.send = send;
    module.shown.recv = recv;
    module.shown.interrupt = interrupt;
    module.shown.interrupt_listener = interrupt_listener;
    module.shown.effective_option = table.effective_option != nullptr ? effective_option : nullptr;
    ++used;
    return module.shown;
}

} // namespace ipcmark

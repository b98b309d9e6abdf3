// SPDX-License-Identifier: Apache-2.0
#include "host/check/context.hpp"

#include "module/capability_names.hpp"
#include "result/wait_policy_names.hpp"

#include <string_view>

#include <fmt/format.h>

namespace ipcmark::check {

void skip_unless_applicable(Context& context) {
    const auto& test = context.test();
    if (test.peers == Peers::none && test.capabilities == 0 && test.extension == nullptr) {
        return; // perhaps one that looks at a file that cannot be loaded
    }
    if (test.peers == Peers::needed && context.is_loopback()) {
        skip("the module has no peer: it is a loopback");
    }
    const auto missing = test.capabilities & ~context.table().capabilities;
    if (missing != 0) {
        skip(fmt::format("the module does not claim to be {}", fmt::join(capability_names(missing), ", ")));
    }
    if (test.extension != nullptr && context.module().extension(test.extension) == nullptr) {
        skip(fmt::format("the module has not the extension {}", test.extension));
    }
}

Context::Context(Subject subject, const Test& test) : subject_(std::move(subject)), test_(test) {}

const Module& Context::module() {
    return *module_pointer();
}

std::shared_ptr<const Module> Context::module_pointer() {
    if (module_ == nullptr) {
        Sandbox::step("loading the module");
        try {
            ModuleSearch search;
            search.use_environment = false;
            module_ = Module::load(find_module(search, subject_.path));
        } catch (const std::exception& error) {
            // loading.accepted fails of this; there is no second fault in it.
            if (std::string_view(test_.id) == "loading.accepted") {
                fail(error.what());
            }
            skip(fmt::format("{}: {}", not_loaded, error.what()));
        }
        values_ = module_->parse_options(subject_.options);
        Sandbox::step(test_.id);
    }
    return module_;
}

std::span<const ipcmark_value> Context::values() {
    (void)module();
    return values_.values();
}

ipcmark_limits Context::limits() {
    const auto params = listen_params(1, 1);
    ipcmark_limits limits{};
    limits.size = sizeof limits;
    const Step step("limits");
    expect(table().limits(&params, &limits), IPCMARK_OK, nullptr, "limits");
    return limits;
}

ipcmark_listen_params Context::listen_params(std::uint32_t endpoints, std::uint64_t max_message_size) {
    ipcmark_listen_params params{};
    params.size = sizeof params;
    params.endpoint_count = endpoints;
    params.max_message_size = max_message_size;
    params.host = module_host();
    params.values = values().data();
    params.value_count = static_cast<std::uint32_t>(values().size());
    params.scratch_dir = has(IPCMARK_CAP_SCRATCH_DIR) ? subject_.scratch.c_str() : nullptr;
    return params;
}

ipcmark_endpoint_params Context::endpoint_params(const EndpointSpec& spec) {
    ipcmark_endpoint_params params{};
    params.size = sizeof params;
    params.index = spec.index;
    params.max_message_size = spec.max_message_size;
    params.tx_fixed_size = spec.tx_fixed_size;
    params.rx_fixed_size = spec.rx_fixed_size;
    params.wait_policy = static_cast<std::uint32_t>(subject_.wait);
    params.flags = spec.flags;
    params.spin_ns = 20'000;
    params.timeout_ns = spec.timeout_ns;
    params.host = module_host();
    params.values = values().data();
    params.value_count = static_cast<std::uint32_t>(values().size());
    params.in_flight = spec.in_flight;
    return params;
}

ipcmark_status Context::try_listen(const ipcmark_listen_params& params, ListenerHandle& out) {
    auto* listener = reinterpret_cast<ipcmark_listener*>(&out); // not null, so that a forgotten *out shows
    const Step step("listen");
    const auto status = table().listen(&params, &listener);
    Sandbox::progress();
    in_set(status, "listen");
    require((listener != nullptr) == (status == IPCMARK_OK),
            "listen must set *out to a listener on success and to NULL on failure");
    out = own(listener);
    return status;
}

ListenerHandle Context::listen(std::uint32_t endpoints, std::uint64_t max_message_size) {
    ListenerHandle listener;
    expect(try_listen(listen_params(endpoints, max_message_size), listener), IPCMARK_OK, nullptr, "listen");
    return listener;
}

Address Context::address(const ListenerHandle& listener) {
    Address address(IPCMARK_ADDRESS_SIZE);
    std::size_t length = 0;
    const Step step("listener_address");
    expect(table().listener_address(listener.get(), address.data(), address.size(), &length), IPCMARK_OK,
           listener.get(), "listener_address");
    require(length <= address.size(), "listener_address gives a length above the capacity");
    address.resize(length);
    return address;
}

ipcmark_status Context::try_accept(const ListenerHandle& listener, const EndpointSpec& spec, EndpointHandle& out) {
    const auto params = endpoint_params(spec);
    auto* endpoint = reinterpret_cast<ipcmark_endpoint*>(&out);
    const Step step(fmt::format("accept of endpoint {}", spec.index));
    const auto status = table().accept(listener.get(), &params, &endpoint);
    Sandbox::progress();
    in_set(status, "accept");
    require((endpoint != nullptr) == (status == IPCMARK_OK),
            "accept must set *out to an endpoint on success and to NULL on failure");
    out = own(endpoint);
    return status;
}

namespace {

// A wait policy but `block` may be refused: then there is nothing to test with it.
void skip_if_refused(ipcmark_status status, const Subject& subject) {
    if (status == IPCMARK_UNSUPPORTED && subject.wait != WaitPolicy::block) {
        skip(fmt::format("the module refuses the wait policy {}", wait_policy_name(subject.wait)));
    }
}

} // namespace

EndpointHandle Context::accept(const ListenerHandle& listener, const EndpointSpec& spec, const std::string& where) {
    EndpointHandle endpoint;
    const auto status = try_accept(listener, spec, endpoint);
    skip_if_refused(status, subject_);
    expect(status, IPCMARK_OK, listener.get(), fmt::format("accept of endpoint {}{}", spec.index, where));
    return endpoint;
}

ipcmark_status Context::try_connect(const Address& address, const EndpointSpec& spec, EndpointHandle& out) {
    const auto params = endpoint_params(spec);
    auto* endpoint = reinterpret_cast<ipcmark_endpoint*>(&out);
    const Step step(fmt::format("connect of endpoint {}", spec.index));
    const auto status = table().connect(address.data(), address.size(), &params, &endpoint);
    Sandbox::progress();
    in_set(status, "connect");
    require((endpoint != nullptr) == (status == IPCMARK_OK),
            "connect must set *out to an endpoint on success and to NULL on failure");
    out = own(endpoint);
    return status;
}

EndpointHandle Context::connect(const Address& address, const EndpointSpec& spec, const std::string& where) {
    EndpointHandle endpoint;
    const auto status = try_connect(address, spec, endpoint);
    skip_if_refused(status, subject_);
    expect(status, IPCMARK_OK, nullptr, fmt::format("connect of endpoint {}{}", spec.index, where));
    return endpoint;
}

void Context::in_set(ipcmark_status status, const std::string& action) {
    require(status >= 0 && status < IPCMARK_STATUS_COUNT,
            fmt::format("{} returned {}, which is not a status of the closed set", action, status));
}

std::string Context::describe(ipcmark_status status, const void* object) {
    if (status == IPCMARK_OK) {
        return "ok";
    }
    ipcmark_error error{};
    error.size = sizeof error;
    const Step step("last_error");
    table().last_error(object, &error);
    error.text[sizeof error.text - 1] = '\0';
    return error.text[0] == '\0' ? status_name(status) : fmt::format("{} ({})", status_name(status), error.text);
}

void Context::expect(ipcmark_status status, ipcmark_status wanted, const void* object, const std::string& action) {
    in_set(status, action);
    if (status != wanted) {
        fail(fmt::format("{} returned {} where {} is right", action, describe(status, object), status_name(wanted)));
    }
}

} // namespace ipcmark::check

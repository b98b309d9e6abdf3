// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/loan.h>
#include <ipcmark/ext/pollfd.h>
#include <ipcmark/module_kit/error.hpp>
#include <ipcmark/module_kit/request.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

// Builds the C tables of a module from a C++ class. The class, say Pipe, has:
//
//   static constexpr std::uint32_t capabilities;
//   static constexpr const char *display_name, *result_name, *description, *licence;
//   static constexpr <array of ipcmark_option> options;             empty array: std::array<ipcmark_option, 0>
//   static void limits(const ListenRequest&, ipcmark_limits&);      sizes and reason; may throw
//   class Listener:   Listener(const ListenRequest&)                may throw
//                     std::vector<std::byte> address() const
//                     std::unique_ptr<Endpoint> accept(const EndpointRequest&)                      may throw
//                     void interrupt(ipcmark_status) noexcept       any thread
//   static std::unique_ptr<Endpoint> connect(std::span<const std::byte> address, const EndpointRequest&)   may throw
//   class Endpoint:   ipcmark_status send(const void*, std::size_t) noexcept
//                     ipcmark_status recv(void*, std::size_t, std::size_t&) noexcept
//                     void interrupt(ipcmark_status) noexcept       any thread
//                     ipcmark_value effective_option(std::uint32_t)   optional; may throw
//                     and the functions of the extensions that it has:
//     pollfd          void poll_descriptor(std::uint32_t direction, int&, short&); try_send, try_recv, arm noexcept
//     batch           static constexpr std::uint32_t max_batch; send_batch, recv_batch noexcept
//     loan            loan, commit, discard, take, release noexcept
//
// and the module's one file ends in
//
//   IPCMARK_DEFINE_MODULE("pipe", "1.0.0", &ipcmark::kit::descriptor<Pipe>);
namespace ipcmark::kit {

template <class Endpoint>
concept HasPollfd = requires(Endpoint& e, std::size_t& size, std::uint32_t& ready, int& fd, short& events) {
    e.poll_descriptor(0u, fd, events);
    e.try_send(nullptr, 0);
    e.try_recv(nullptr, 0, size);
    e.arm(0u, ready);
};
template <class Endpoint>
concept HasBatch = requires(Endpoint& e, const ipcmark_tx_message* tx, ipcmark_rx_message* rx, std::size_t& count) {
    Endpoint::max_batch;
    e.send_batch(tx, std::size_t{1}, count);
    e.recv_batch(rx, std::size_t{1}, count);
};
template <class Endpoint>
concept HasLoan = requires(Endpoint& e, ipcmark_loan& loan, ipcmark_taken& taken) {
    e.loan(std::size_t{1}, loan);
    e.commit(std::uint64_t{1}, std::size_t{1});
    e.discard(std::uint64_t{1});
    e.take(taken);
    e.release(std::uint64_t{1});
};

// The parameters of accept and connect. A flag asks for something to be done, so one that this module knows nothing of
// is refused.
template <class Endpoint> EndpointRequest endpoint_request(const ipcmark_endpoint_params* params) {
    constexpr std::uint32_t known = (HasPollfd<Endpoint> ? std::uint32_t{IPCMARK_ENDPOINT_POLLED} : 0) |
                                    (HasLoan<Endpoint> ? std::uint32_t{IPCMARK_ENDPOINT_LOANED} : 0);
    const EndpointRequest request(params);
    if ((request.flags & ~known) != 0) {
        throw Error(IPCMARK_UNSUPPORTED, "endpoint flags " + std::to_string(request.flags & ~known) +
                                             " ask for what this module does not have");
    }
    return request;
}

template <class Module> struct Table {
    using Listener = typename Module::Listener;
    using Endpoint = typename Module::Endpoint;

    static Listener& of(ipcmark_listener* handle) noexcept { return *reinterpret_cast<Listener*>(handle); }
    static Endpoint& of(ipcmark_endpoint* handle) noexcept { return *reinterpret_cast<Endpoint*>(handle); }
    static ipcmark_endpoint* give(std::unique_ptr<Endpoint> endpoint) noexcept {
        return reinterpret_cast<ipcmark_endpoint*>(endpoint.release());
    }

    static ipcmark_status limits(const ipcmark_listen_params* params, ipcmark_limits* out) noexcept {
        return guarded([&] {
            ipcmark_limits found{};
            Module::limits(ListenRequest(params), found);
            fill_sized(out, found);
        });
    }
    static ipcmark_status listen(const ipcmark_listen_params* params, ipcmark_listener** out) noexcept {
        *out = nullptr;
        return guarded([&] {
            const ListenRequest request(params);
            auto listener = std::make_unique<Listener>(request); // its own words first, they know more
            ipcmark_limits found{};
            Module::limits(request, found);
            if (request.max_message_size == 0 || request.max_message_size > found.max_message_size) {
                found.reason[sizeof found.reason - 1] = '\0';
                throw Error(IPCMARK_LIMIT, "messages of " + std::to_string(request.max_message_size) +
                                               " bytes are asked for, 1 to " + std::to_string(found.max_message_size) +
                                               " are possible: " + found.reason);
            }
            *out = reinterpret_cast<ipcmark_listener*>(listener.release());
        });
    }
    static ipcmark_status listener_address(ipcmark_listener* listener, void* buffer, std::size_t capacity,
                                           std::size_t* length) noexcept {
        return guarded([&] {
            const std::vector<std::byte> address = of(listener).address();
            *length = address.size();
            if (address.size() > capacity) {
                throw Error(IPCMARK_TRUNCATED, "the address has " + std::to_string(address.size()) +
                                                   " bytes, the buffer " + std::to_string(capacity));
            }
            std::memcpy(buffer, address.data(), address.size());
        });
    }
    static ipcmark_status accept(ipcmark_listener* listener, const ipcmark_endpoint_params* params,
                                 ipcmark_endpoint** out) noexcept {
        *out = nullptr;
        return guarded([&] { *out = give(of(listener).accept(endpoint_request<Endpoint>(params))); });
    }
    static ipcmark_status connect(const void* address, std::size_t length, const ipcmark_endpoint_params* params,
                                  ipcmark_endpoint** out) noexcept {
        *out = nullptr;
        return guarded([&] {
            *out = give(
                Module::connect({static_cast<const std::byte*>(address), length}, endpoint_request<Endpoint>(params)));
        });
    }
    static void close_listener(ipcmark_listener* listener) noexcept { delete reinterpret_cast<Listener*>(listener); }
    static void close(ipcmark_endpoint* endpoint) noexcept { delete reinterpret_cast<Endpoint*>(endpoint); }

    static ipcmark_status send(ipcmark_endpoint* endpoint, const void* data, std::size_t size) noexcept {
        return of(endpoint).send(data, size);
    }
    static ipcmark_status recv(ipcmark_endpoint* endpoint, void* data, std::size_t capacity,
                               std::size_t* size) noexcept {
        return of(endpoint).recv(data, capacity, *size);
    }
    static void interrupt(ipcmark_endpoint* endpoint, ipcmark_status status) noexcept {
        of(endpoint).interrupt(status);
    }
    static void interrupt_listener(ipcmark_listener* listener, ipcmark_status status) noexcept {
        of(listener).interrupt(status);
    }
    static void last_error(const void* /*object*/, ipcmark_error* out) noexcept { copy_last_error(out); }

    static ipcmark_status effective_option(ipcmark_endpoint* endpoint, std::uint32_t index,
                                           ipcmark_value* out) noexcept {
        return guarded([&] {
            if (index >= Module::options.size()) {
                throw Error(IPCMARK_BAD_ARGUMENT, "there is no option number " + std::to_string(index));
            }
            if constexpr (requires { of(endpoint).effective_option(index); }) {
                *out = of(endpoint).effective_option(index);
            }
        });
    }

    static ipcmark_status get_fd(ipcmark_endpoint* endpoint, std::uint32_t direction, int* fd, short* events) noexcept {
        return guarded([&] {
            if (direction != IPCMARK_POLL_RX && direction != IPCMARK_POLL_TX) {
                throw Error(IPCMARK_BAD_ARGUMENT, "get_fd takes one direction");
            }
            of(endpoint).poll_descriptor(direction, *fd, *events);
        });
    }
    static ipcmark_status try_send(ipcmark_endpoint* endpoint, const void* data, std::size_t size) noexcept {
        return of(endpoint).try_send(data, size);
    }
    static ipcmark_status try_recv(ipcmark_endpoint* endpoint, void* data, std::size_t capacity,
                                   std::size_t* size) noexcept {
        return of(endpoint).try_recv(data, capacity, *size);
    }
    static ipcmark_status arm(ipcmark_endpoint* endpoint, std::uint32_t directions, std::uint32_t* ready) noexcept {
        return of(endpoint).arm(directions, *ready);
    }

    static ipcmark_status send_batch(ipcmark_endpoint* endpoint, const ipcmark_tx_message* messages, std::size_t count,
                                     std::size_t* sent) noexcept {
        return of(endpoint).send_batch(messages, count, *sent);
    }
    static ipcmark_status recv_batch(ipcmark_endpoint* endpoint, ipcmark_rx_message* messages, std::size_t count,
                                     std::size_t* received) noexcept {
        return of(endpoint).recv_batch(messages, count, *received);
    }

    static ipcmark_status loan(ipcmark_endpoint* endpoint, std::size_t size, ipcmark_loan* out) noexcept {
        return of(endpoint).loan(size, *out);
    }
    static ipcmark_status commit(ipcmark_endpoint* endpoint, std::uint64_t token, std::size_t size) noexcept {
        return of(endpoint).commit(token, size);
    }
    static ipcmark_status discard(ipcmark_endpoint* endpoint, std::uint64_t token) noexcept {
        return of(endpoint).discard(token);
    }
    static ipcmark_status take(ipcmark_endpoint* endpoint, ipcmark_taken* out) noexcept {
        return of(endpoint).take(*out);
    }
    static ipcmark_status release(ipcmark_endpoint* endpoint, std::uint64_t token) noexcept {
        return of(endpoint).release(token);
    }

    // Built by functions, so that the functions of an extension are instantiated only where the endpoint has it.
    template <class E> static constexpr ipcmark_ext_pollfd make_pollfd() {
        if constexpr (HasPollfd<E>) {
            return {sizeof(ipcmark_ext_pollfd), 0, get_fd, try_send, try_recv, arm};
        } else {
            return {};
        }
    }
    template <class E> static constexpr ipcmark_ext_batch make_batch() {
        if constexpr (HasBatch<E>) {
            return {sizeof(ipcmark_ext_batch), E::max_batch, send_batch, recv_batch};
        } else {
            return {};
        }
    }
    template <class E> static constexpr ipcmark_ext_loan make_loan() {
        if constexpr (HasLoan<E>) {
            return {sizeof(ipcmark_ext_loan), 0, loan, commit, discard, take, release};
        } else {
            return {};
        }
    }

    static const void* get_extension(const char* id) noexcept {
        static constexpr auto pollfd = make_pollfd<Endpoint>();
        static constexpr auto batch = make_batch<Endpoint>();
        static constexpr auto lent = make_loan<Endpoint>();
        const std::string_view wanted = id;
        if (pollfd.size != 0 && wanted == IPCMARK_EXT_POLLFD) {
            return &pollfd;
        }
        if (batch.size != 0 && wanted == IPCMARK_EXT_BATCH) {
            return &batch;
        }
        if (lent.size != 0 && wanted == IPCMARK_EXT_LOAN) {
            return &lent;
        }
        return nullptr;
    }

    static constexpr ipcmark_descriptor make_descriptor() {
        ipcmark_descriptor table{};
        table.size = sizeof(ipcmark_descriptor);
        table.capabilities = Module::capabilities;
        table.display_name = Module::display_name;
        table.result_name = Module::result_name;
        table.description = Module::description;
        table.licence = Module::licence;
        if constexpr (Module::options.size() != 0) {
            table.options = Module::options.data();
        }
        table.option_count = static_cast<std::uint32_t>(Module::options.size());
        table.option_size = sizeof(ipcmark_option);
        table.limits = limits;
        table.listen = listen;
        table.listener_address = listener_address;
        table.accept = accept;
        table.connect = connect;
        table.close_listener = close_listener;
        table.close = close;
        table.send = send;
        table.recv = recv;
        table.interrupt = interrupt;
        table.interrupt_listener = interrupt_listener;
        table.last_error = last_error;
        if constexpr (requires(Endpoint & e) { e.effective_option(std::uint32_t{0}); }) {
            table.effective_option = effective_option;
        }
        table.get_extension = get_extension;
        return table;
    }
};

template <class Module> inline constexpr ipcmark_descriptor descriptor = Table<Module>::make_descriptor();

} // namespace ipcmark::kit

// SPDX-License-Identifier: Apache-2.0
// The checks of --debug-module around the extensions.
#include "module/debug_state.hpp"
#include "module/guarded_call.hpp"
#include "module/table_check.hpp"

#include <cstdint>

#include <fmt/format.h>

namespace ipcmark::debug {
namespace {

using enum HotCall::WouldBlock;

// ------------------------------------------------------------------------------------------------------- pollfd

ipcmark_status get_fd(ipcmark_endpoint* endpoint, std::uint32_t direction, int* fd, short* events) {
    HotCall call(endpoint, direction == IPCMARK_POLL_TX ? Half::tx : Half::rx, "get_fd", IPCMARK_ENDPOINT_POLLED);
    if (!call.usable()) {
        return call.status();
    }
    auto& wrapped = call.endpoint();
    const auto status = call.check_status(wrapped.module->pollfd->get_fd(wrapped.real, direction, fd, events), never);
    if (status != IPCMARK_OK) {
        return status;
    }
    auto& known = wrapped.fds[direction == IPCMARK_POLL_TX ? 1 : 0];
    if (*fd < 0 || *events == 0 || (known >= 0 && known != *fd)) {
        return call.breach("poll descriptors", fmt::format("it gave the descriptor {} with the events {:#x}; before it "
                                                           "gave {}",
                                                           *fd, *events, known));
    }
    known = *fd;
    return status;
}

ipcmark_status try_send(ipcmark_endpoint* endpoint, const void* data, std::size_t size) {
    HotCall call(endpoint, Half::tx, "try_send", IPCMARK_ENDPOINT_POLLED);
    if (!call.usable()) {
        return call.status();
    }
    auto& wrapped = call.endpoint();
    if (wrapped.unsent != nullptr && (wrapped.unsent != data || wrapped.unsent_size != size)) {
        return call.breach("repeat after would_block", "the host came with another message before the last was sent");
    }
    const auto status = call.check_status(wrapped.module->pollfd->try_send(wrapped.real, data, size), allowed);
    wrapped.unsent = status == IPCMARK_WOULD_BLOCK ? data : nullptr;
    wrapped.unsent_size = size;
    return status == IPCMARK_OK ? call.check_sent(size) : status;
}

ipcmark_status try_recv(ipcmark_endpoint* endpoint, void* data, std::size_t capacity, std::size_t* size) {
    HotCall call(endpoint, Half::rx, "try_recv", IPCMARK_ENDPOINT_POLLED);
    if (!call.usable()) {
        return call.status();
    }
    auto& wrapped = call.endpoint();
    if (wrapped.unreceived != nullptr && (wrapped.unreceived != data || wrapped.unreceived_capacity != capacity)) {
        return call.breach("repeat after would_block", "the host came with another buffer before the last was filled");
    }
    const auto status =
        call.check_status(wrapped.module->pollfd->try_recv(wrapped.real, data, capacity, size), allowed);
    wrapped.unreceived = status == IPCMARK_WOULD_BLOCK ? data : nullptr;
    wrapped.unreceived_capacity = capacity;
    return status == IPCMARK_OK ? call.check_received(*size, capacity) : status;
}

ipcmark_status arm(ipcmark_endpoint* endpoint, std::uint32_t directions, std::uint32_t* ready) {
    HotCall call(endpoint, directions == IPCMARK_POLL_TX ? Half::tx : Half::rx, "arm", IPCMARK_ENDPOINT_POLLED);
    if (!call.usable()) {
        return call.status();
    }
    auto& wrapped = call.endpoint();
    const bool interrupted = wrapped.interrupt_status.load(std::memory_order_acquire) != IPCMARK_OK;
    const auto status = call.check_status(wrapped.module->pollfd->arm(wrapped.real, directions, ready), never);
    if (status == IPCMARK_OK && (*ready & ~directions) != 0) {
        return call.breach("ready directions", fmt::format("it was asked for {} and gave {}", directions, *ready));
    }
    if (status == IPCMARK_OK && interrupted && *ready != directions) {
        return call.breach("interrupt is sticky", "an interrupted endpoint was not given as ready");
    }
    return status;
}

// --------------------------------------------------------------------------------------------------------- loan

ipcmark_status loan(ipcmark_endpoint* endpoint, std::size_t size, ipcmark_loan* out) {
    HotCall call(endpoint, Half::tx, "loan", IPCMARK_ENDPOINT_LOANED);
    if (!call.usable()) {
        return call.status();
    }
    auto& wrapped = call.endpoint();
    const auto status = call.check_status(wrapped.module->loan->loan(wrapped.real, size, out), never);
    if (status != IPCMARK_OK) {
        return status;
    }
    if (wrapped.loan_token != 0) {
        return call.breach("one loan at a time", "it lent a second piece while one was out");
    }
    if (out->token == 0 || out->data == nullptr || out->size < size ||
        reinterpret_cast<std::uintptr_t>(out->data) % 16 != 0) {
        return call.breach("loans", fmt::format("it lent {} bytes at {} with the token {} for {} bytes", out->size,
                                                out->data, out->token, size));
    }
    wrapped.loan_token = out->token;
    wrapped.loan_size = out->size;
    return status;
}

// A token is consumed whatever the status.
ipcmark_status commit(ipcmark_endpoint* endpoint, std::uint64_t token, std::size_t size) {
    HotCall call(endpoint, Half::tx, "commit", IPCMARK_ENDPOINT_LOANED);
    if (!call.usable()) {
        return call.status();
    }
    auto& wrapped = call.endpoint();
    const bool known = token != 0 && token == wrapped.loan_token;
    wrapped.loan_token = known ? 0 : wrapped.loan_token;
    const auto status = call.check_status(wrapped.module->loan->commit(wrapped.real, token, size), never);
    if (status != IPCMARK_OK) {
        return status;
    }
    if (!known || size > wrapped.loan_size) {
        return call.breach("tokens",
                           fmt::format("it took the token {} with {} bytes, which is not what it lent", token, size));
    }
    return call.check_sent(size);
}

ipcmark_status discard(ipcmark_endpoint* endpoint, std::uint64_t token) {
    HotCall call(endpoint, Half::tx, "discard", IPCMARK_ENDPOINT_LOANED);
    if (!call.usable()) {
        return call.status();
    }
    auto& wrapped = call.endpoint();
    const bool known = token != 0 && token == wrapped.loan_token;
    wrapped.loan_token = known ? 0 : wrapped.loan_token;
    const auto status = call.check_status(wrapped.module->loan->discard(wrapped.real, token), never);
    return status == IPCMARK_OK && !known
               ? call.breach("tokens", fmt::format("it took the token {}, which is not out", token))
               : status;
}

ipcmark_status take(ipcmark_endpoint* endpoint, ipcmark_taken* out) {
    HotCall call(endpoint, Half::rx, "take", IPCMARK_ENDPOINT_LOANED);
    if (!call.usable()) {
        return call.status();
    }
    auto& wrapped = call.endpoint();
    const auto status = call.check_status(wrapped.module->loan->take(wrapped.real, out), never);
    if (status != IPCMARK_OK) {
        return status;
    }
    if (wrapped.take_token != 0) {
        return call.breach("one taken message at a time", "it gave a second message while one was out");
    }
    if (out->token == 0 || out->data == nullptr || reinterpret_cast<std::uintptr_t>(out->data) % 16 != 0) {
        return call.breach("loans", fmt::format("it gave a message at {} with the token {}", out->data, out->token));
    }
    wrapped.take_token = out->token;
    return call.check_received(out->size, wrapped.max_message_size);
}

ipcmark_status release(ipcmark_endpoint* endpoint, std::uint64_t token) {
    HotCall call(endpoint, Half::rx, "release", IPCMARK_ENDPOINT_LOANED);
    if (!call.usable()) {
        return call.status();
    }
    auto& wrapped = call.endpoint();
    const bool known = token != 0 && token == wrapped.take_token;
    wrapped.take_token = known ? 0 : wrapped.take_token;
    const auto status = call.check_status(wrapped.module->loan->release(wrapped.real, token), never);
    return status == IPCMARK_OK && !known
               ? call.breach("tokens", fmt::format("it took the token {}, which is not out", token))
               : status;
}

// -------------------------------------------------------------------------------------------------------- batch

ipcmark_status check_count(HotCall& call, ipcmark_status status, std::size_t done, std::size_t count) {
    if (status == IPCMARK_OK && (done == 0 || done > count)) {
        return call.breach("batch counts", fmt::format("it returned ok for {} of {} messages", done, count));
    }
    return status;
}

ipcmark_status send_batch(ipcmark_endpoint* endpoint, const ipcmark_tx_message* messages, std::size_t count,
                          std::size_t* sent) {
    HotCall call(endpoint, Half::tx, "send_batch", 0);
    if (!call.usable()) {
        return call.status();
    }
    auto& wrapped = call.endpoint();
    auto status = call.check_status(wrapped.module->batch->send_batch(wrapped.real, messages, count, sent), never);
    status = check_count(call, status, *sent, count);
    for (std::size_t i = 0; status == IPCMARK_OK && i < *sent; ++i) {
        status = call.check_sent(messages[i].size);
    }
    return status;
}

ipcmark_status recv_batch(ipcmark_endpoint* endpoint, ipcmark_rx_message* messages, std::size_t count,
                          std::size_t* received) {
    HotCall call(endpoint, Half::rx, "recv_batch", 0);
    if (!call.usable()) {
        return call.status();
    }
    auto& wrapped = call.endpoint();
    auto status = call.check_status(wrapped.module->batch->recv_batch(wrapped.real, messages, count, received), never);
    status = check_count(call, status, *received, count);
    for (std::size_t i = 0; status == IPCMARK_OK && i < *received; ++i) {
        status = call.check_received(messages[i].size, messages[i].capacity);
    }
    return status;
}

template <class Table> const Table* find(const WrappedModule& module, const char* id) {
    const auto get = module.real.get_extension;
    if (get == nullptr)
        return nullptr;
    const auto* table = static_cast<const Table*>(guarded_call(module.id, "get_extension", [&] { return get(id); }));
    return fault_of_extension(id, table) ? nullptr : table;
}

} // namespace

void wrap_extensions(WrappedModule& module) {
    module.pollfd = find<ipcmark_ext_pollfd>(module, IPCMARK_EXT_POLLFD);
    module.loan = find<ipcmark_ext_loan>(module, IPCMARK_EXT_LOAN);
    module.batch = find<ipcmark_ext_batch>(module, IPCMARK_EXT_BATCH);
    module.shown_pollfd = {sizeof(ipcmark_ext_pollfd), 0, get_fd, try_send, try_recv, arm};
    module.shown_loan = {sizeof(ipcmark_ext_loan), 0, loan, commit, discard, take, release};
    module.shown_batch = {sizeof(ipcmark_ext_batch), module.batch != nullptr ? module.batch->max_batch : 0, send_batch,
                          recv_batch};
}

} // namespace ipcmark::debug

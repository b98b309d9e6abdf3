// SPDX-License-Identifier: Apache-2.0
#pragma once

// Part of endpoint.hpp: messages written and read in place. A loan is a reserved slot; a taken message is a record that
// was looked at and not yet stepped over.

namespace ipcmark::shm {

inline ipcmark_status Endpoint::loan(std::size_t size, ipcmark_loan& out) noexcept {
    if (!loaned_) [[unlikely]] {
        return kit::record_hot(IPCMARK_BAD_ARGUMENT, 0, "the endpoint was not made with IPCMARK_ENDPOINT_LOANED");
    }
    if (tx_.lent_token != 0) [[unlikely]] {
        return loan_is_out();
    }
    if (size - 1 >= tx_.piece) [[unlikely]] {
        return refuse_size(size);
    }
    if (const auto status = reason_to_stop_sending(); status != IPCMARK_OK) [[unlikely]] {
        return status;
    }
    return with_ring(tx_, [&](auto& ring) noexcept {
        if (const auto status = reserve<Wait::may>(ring, size, tx_.lent); status != IPCMARK_OK) [[unlikely]] {
            return status;
        }
        tx_.lent_size = size;
        tx_.lent_token = ++tx_.last_token;
        out = {ring.payload(tx_.lent), size, tx_.lent_token};
        return ipcmark_status{IPCMARK_OK};
    });
}

inline ipcmark_status Endpoint::commit(std::uint64_t token, std::size_t size) noexcept {
    if (token == 0 || token != tx_.lent_token) [[unlikely]] {
        return unknown_token();
    }
    tx_.lent_token = 0;
    if (size > tx_.lent_size) [[unlikely]] {
        return kit::record_hot(IPCMARK_TOO_BIG, 0, "more was committed than was lent");
    }
    if (!size_allowed(size)) [[unlikely]] {
        return refuse_size(size);
    }
    with_ring(tx_, [&](auto& ring) noexcept { ring.commit(tx_.lent, size); });
    announce();
    return IPCMARK_OK;
}

inline ipcmark_status Endpoint::discard(std::uint64_t token) noexcept {
    if (token == 0 || token != tx_.lent_token) [[unlikely]] {
        return unknown_token();
    }
    tx_.lent_token = 0;
    return IPCMARK_OK;
}

inline ipcmark_status Endpoint::take(ipcmark_taken& out) noexcept {
    if (!loaned_) [[unlikely]] {
        return kit::record_hot(IPCMARK_BAD_ARGUMENT, 0, "the endpoint was not made with IPCMARK_ENDPOINT_LOANED");
    }
    if (rx_.taken_token != 0) [[unlikely]] {
        return kit::record_hot(IPCMARK_LIMIT, 0, "a message is taken already; release it first");
    }
    if (must_look()) [[unlikely]] {
        if (const auto status = stop_.interrupted(); status != IPCMARK_OK) {
            return status;
        }
    }
    return with_ring(rx_, [&](auto& ring) noexcept {
        if (const auto status = next_record<Wait::may>(ring, rx_.taken); status != IPCMARK_OK) [[unlikely]] {
            return status;
        }
        if (ring.goes_on(rx_.taken)) [[unlikely]] {
            return corrupt(); // loaned endpoints send whole messages only
        }
        rx_.taken_token = ++rx_.last_token;
        out = {ring.payload(rx_.taken), ring.size(rx_.taken), rx_.taken_token};
        return ipcmark_status{IPCMARK_OK};
    });
}

inline ipcmark_status Endpoint::release(std::uint64_t token) noexcept {
    if (token == 0 || token != rx_.taken_token) [[unlikely]] {
        return unknown_token();
    }
    rx_.taken_token = 0;
    with_ring(rx_, [&](auto& ring) noexcept { done_with(ring, rx_.taken); });
    return IPCMARK_OK;
}

} // namespace ipcmark::shm

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module.h>
#include <ipcmark/module_kit/error.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace ipcmark::kit {

// A copy of a caller's struct that begins with its size; what an older caller does not have is zero.
template <class Struct> Struct copy_sized(const Struct* given) {
    if (given == nullptr || given->size < sizeof given->size) {
        throw Error(IPCMARK_BAD_ARGUMENT, "no parameters");
    }
    Struct copy{};
    std::memcpy(&copy, given, std::min<std::size_t>(given->size, sizeof copy));
    return copy;
}

// Fills in a caller's struct without writing past the size that the caller knows.
template <class Struct> void fill_sized(Struct* out, Struct filled) {
    filled.size = out->size;
    std::memcpy(out, &filled, std::min<std::size_t>(out->size, sizeof filled));
}

// Typed access to the option values by their index in the module's table. The host has checked types and bounds.
class Options {
public:
    Options() = default;
    Options(const ipcmark_value* values, std::uint32_t count) : values_(values), count_(count) {}

    [[nodiscard]] bool boolean(std::uint32_t index) const { return at(index, IPCMARK_TYPE_BOOL).as.boolean != 0; }
    [[nodiscard]] std::int64_t i64(std::uint32_t index) const { return at(index, IPCMARK_TYPE_I64).as.i64; }
    [[nodiscard]] std::uint64_t u64(std::uint32_t index) const { return at(index, IPCMARK_TYPE_U64).as.u64; }
    [[nodiscard]] std::uint64_t bytes(std::uint32_t index) const { return at(index, IPCMARK_TYPE_BYTES).as.u64; }
    [[nodiscard]] std::uint64_t duration_ns(std::uint32_t index) const {
        return at(index, IPCMARK_TYPE_DURATION).as.u64;
    }
    [[nodiscard]] std::string string(std::uint32_t index) const {
        const auto* text = at(index, IPCMARK_TYPE_STRING).as.string;
        return text != nullptr ? text : "";
    }
    // The index of the choice, as the module's own enum, whose order is that of `choices`.
    template <class Enum> [[nodiscard]] Enum choice(std::uint32_t index) const {
        return static_cast<Enum>(at(index, IPCMARK_TYPE_ENUM).as.u64);
    }
    // The user gave it.
    [[nodiscard]] bool is_set(std::uint32_t index) const { return any(index).is_set != 0; }

private:
    [[nodiscard]] const ipcmark_value& any(std::uint32_t index) const {
        if (index >= count_ || values_ == nullptr) {
            throw Error(IPCMARK_BAD_ARGUMENT, "the host passed " + std::to_string(count_) + " option values, number " +
                                                  std::to_string(index) + " is needed");
        }
        return values_[index];
    }
    [[nodiscard]] const ipcmark_value& at(std::uint32_t index, std::uint32_t type) const {
        const auto& value = any(index);
        if (value.type != type) {
            throw Error(IPCMARK_BAD_ARGUMENT, "option value " + std::to_string(index) + " has type " +
                                                  std::to_string(value.type) + ", the module's table says " +
                                                  std::to_string(type));
        }
        return value;
    }

    const ipcmark_value* values_ = nullptr;
    std::uint32_t count_ = 0;
};

// Values for effective_option.
inline ipcmark_value value_of_bool(bool on) {
    ipcmark_value value{IPCMARK_TYPE_BOOL, 1, {}};
    value.as.boolean = on ? 1 : 0;
    return value;
}
inline ipcmark_value value_of_u64(std::uint64_t number, ipcmark_option_type type = IPCMARK_TYPE_U64) {
    ipcmark_value value{static_cast<std::uint32_t>(type), 1, {}};
    value.as.u64 = number;
    return value;
}
inline ipcmark_value value_of_bytes(std::uint64_t bytes) {
    return value_of_u64(bytes, IPCMARK_TYPE_BYTES);
}
// `text` must live as long as the endpoint.
inline ipcmark_value value_of_string(const char* text) {
    ipcmark_value value{IPCMARK_TYPE_STRING, 1, {}};
    value.as.string = text;
    return value;
}

// The parameters of limits and listen.
struct ListenRequest : ipcmark_listen_params {
    explicit ListenRequest(const ipcmark_listen_params* given) : ipcmark_listen_params(copy_sized(given)) {}
    [[nodiscard]] Options options() const { return {values, value_count}; }
};

// The parameters of accept and connect.
struct EndpointRequest : ipcmark_endpoint_params {
    explicit EndpointRequest(const ipcmark_endpoint_params* given) : ipcmark_endpoint_params(copy_sized(given)) {
        if (wait_policy > IPCMARK_WAIT_ADAPTIVE) {
            throw Error(IPCMARK_UNSUPPORTED, "wait policy " + std::to_string(wait_policy) + " is not known");
        }
        if (max_message_size == 0) {
            throw Error(IPCMARK_BAD_ARGUMENT, "max_message_size is 0");
        }
        if (tx_fixed_size > max_message_size || rx_fixed_size > max_message_size) {
            throw Error(IPCMARK_BAD_ARGUMENT, "a fixed message size is above max_message_size");
        }
    }
    [[nodiscard]] Options options() const { return {values, value_count}; }
    [[nodiscard]] bool polled() const noexcept { return (flags & IPCMARK_ENDPOINT_POLLED) != 0; }
    [[nodiscard]] bool loaned() const noexcept { return (flags & IPCMARK_ENDPOINT_LOANED) != 0; }
};

inline void log(const ipcmark_host* host, std::int32_t level, const std::string& text) {
    if (host != nullptr && host->log != nullptr) {
        host->log(host->context, level, text.c_str());
    }
}

} // namespace ipcmark::kit

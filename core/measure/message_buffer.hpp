// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace ipcmark {

// Memory for messages, aligned to a cache line, every page touched, so that no fault falls into a window.
class MessageBuffer {
public:
    MessageBuffer(std::size_t bytes, std::uint8_t fill)
        : data_(static_cast<std::uint8_t*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64))) {
        if (!data_)
            throw std::bad_alloc();
        std::memset(data_.get(), fill, (bytes + 63) / 64 * 64);
    }
    [[nodiscard]] std::uint8_t* data() const noexcept { return data_.get(); }

private:
    struct Free {
        void operator()(std::uint8_t* memory) const noexcept { std::free(memory); }
    };
    std::unique_ptr<std::uint8_t, Free> data_;
};

} // namespace ipcmark

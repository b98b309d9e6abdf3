// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace ipcmark::kit {

// What the control functions of a module throw; turned into a status and a last_error where the ABI begins.
class Error : public std::runtime_error {
public:
    Error(ipcmark_status status, const std::string& text, int system_errno = 0)
        : std::runtime_error(text), status_(status), errno_(system_errno) {}
    [[nodiscard]] ipcmark_status status() const noexcept { return status_; }
    [[nodiscard]] int system_errno() const noexcept { return errno_; }

private:
    ipcmark_status status_;
    int errno_;
};

inline std::string errno_text(int error) {
    return std::generic_category().message(error);
}

// For the call that just failed with `error`: "cannot <action>: <why>[; <remedy>]".
[[noreturn]] inline void throw_errno(const std::string& action, int error = errno, const std::string& remedy = {}) {
    auto status = IPCMARK_SYSTEM;
    auto hint = remedy;
    if (error == ENOMEM) {
        status = IPCMARK_NO_MEMORY;
    } else if (error == EMFILE || error == ENFILE) {
        status = IPCMARK_LIMIT;
        if (hint.empty()) {
            hint = error == EMFILE ? "raise the limit with ulimit -n" : "raise the limit with sysctl fs.file-max";
        }
    } else if (error == EFBIG) { // of shared memory, too
        status = IPCMARK_LIMIT;
        if (hint.empty()) {
            hint = "raise the limit of the size of files with ulimit -f";
        }
    }
    throw Error(status, "cannot " + action + ": " + errno_text(error) + (hint.empty() ? "" : "; " + hint), error);
}

// The last failure of this thread. A hot function only notes numbers and a text that lives for ever; the sentence is
// made when last_error is called.
struct LastError {
    ipcmark_status status = IPCMARK_OK;
    int system_errno = 0;
    const char* hot_text = nullptr; // null: `text` is complete
    char text[IPCMARK_ERROR_TEXT_SIZE] = {};
};

inline constinit thread_local LastError last_error_of_thread{};

// Notes a failure with a complete text and returns its status.
inline ipcmark_status record(ipcmark_status status, int system_errno, std::string_view text) noexcept {
    auto& last = last_error_of_thread;
    last.status = status;
    last.system_errno = system_errno;
    last.hot_text = nullptr;
    const auto length = std::min(text.size(), sizeof last.text - 1);
    std::memcpy(last.text, text.data(), length);
    last.text[length] = '\0';
    std::replace(last.text, last.text + length, '\n', ' ');
    return status;
}

// The same from a hot function: `text` must be a literal. Never inlined, so that a hot function that may fail needs no
// stack frame.
[[gnu::cold, gnu::noinline]] inline ipcmark_status record_hot(ipcmark_status status, int system_errno,
                                                              const char* text) noexcept {
    auto& last = last_error_of_thread;
    last.status = status;
    last.system_errno = system_errno;
    last.hot_text = text;
    return status;
}

inline void copy_last_error(ipcmark_error* out) noexcept {
    const auto& last = last_error_of_thread;
    ipcmark_error error{};
    const auto size = std::min<std::size_t>(out->size, sizeof error);
    error.size = out->size;
    error.status = last.status;
    error.system_errno = last.system_errno;
    std::string_view text = last.hot_text != nullptr ? last.hot_text : last.text;
    auto* end = std::copy_n(text.data(), std::min(text.size(), sizeof error.text - 1), error.text);
    if (last.hot_text != nullptr && last.system_errno != 0) {
        try {
            const auto why = ": " + errno_text(last.system_errno);
            std::copy_n(why.data(), std::min<std::size_t>(why.size(), error.text + sizeof error.text - 1 - end), end);
        } catch (...) {
            // No memory for the reason; errno is there as a number.
        }
    }
    std::memcpy(out, &error, size);
}

// Runs `body` at the edge of the ABI: no exception leaves, a failure is recorded.
template <class Body> ipcmark_status guarded(Body&& body) noexcept {
    try {
        body();
        return IPCMARK_OK;
    } catch (const Error& e) {
        return record(e.status(), e.system_errno(), e.what());
    } catch (const std::bad_alloc&) {
        return record(IPCMARK_NO_MEMORY, ENOMEM, "out of memory");
    } catch (const std::system_error& e) {
        return record(IPCMARK_SYSTEM, e.code().value(), e.what());
    } catch (const std::exception& e) {
        return record(IPCMARK_INTERNAL, 0, e.what());
    } catch (...) {
        return record(IPCMARK_INTERNAL, 0, "an exception of unknown type");
    }
}

} // namespace ipcmark::kit

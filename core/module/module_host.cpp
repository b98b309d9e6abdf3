// SPDX-License-Identifier: Apache-2.0
#include "module/loaded_module.hpp"

#include <atomic>
#include <cstdio>

namespace ipcmark {
namespace {

void log_to_stderr(int /*level*/, const char* text) {
    std::fprintf(stderr, "ipcmark: %s\n", text);
}

std::atomic<void (*)(int, const char*)> log_handler = log_to_stderr;

void log_from_module(void* /*context*/, std::int32_t level, const char* text) {
    if (text != nullptr)
        log_handler.load(std::memory_order_acquire)(level, text);
}

constexpr ipcmark_host host = {sizeof(ipcmark_host), 0, nullptr, log_from_module};

} // namespace

const ipcmark_host* module_host() noexcept {
    return &host;
}

void set_module_log(void (*handler)(int level, const char* text)) noexcept {
    log_handler.store(handler == nullptr ? log_to_stderr : handler, std::memory_order_release);
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "host/check/sandbox.hpp"

#include "host/check/peer.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>

#include <sys/mman.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

int the_report_fd = -1;
int the_step_fd = -1;
StepPage* the_page = nullptr;
char* own_text = nullptr;
std::mutex step_mutex; // two threads' texts at once would be neither's

// Both with step_mutex held, and own_text there.
void write_text(const std::string& text) {
    const auto length = std::min(text.size(), Sandbox::step_bytes - 1);
    std::memcpy(own_text, text.data(), length);
    own_text[length] = '\0';
}
void read_text(std::array<char, Sandbox::step_bytes>& to) {
    std::memcpy(to.data(), own_text, to.size());
}

} // namespace

void Sandbox::enter(int report_fd, int step_fd, Steps steps) {
    the_report_fd = report_fd;
    the_step_fd = step_fd;
    if (step_fd >= 0) {
        void* page = mmap(nullptr, sizeof(StepPage), PROT_READ | PROT_WRITE, MAP_SHARED, step_fd, 0);
        the_page = page == MAP_FAILED ? nullptr : static_cast<StepPage*>(page);
    }
    if (the_page != nullptr) {
        own_text = steps == Steps::own ? the_page->text : the_page->peer_text;
    }
}

bool Sandbox::entered() noexcept {
    return the_report_fd >= 0;
}
int Sandbox::report_fd() noexcept {
    return the_report_fd;
}
int Sandbox::step_fd() noexcept {
    return the_step_fd;
}

void Sandbox::tell(Told what, const std::string& text) noexcept {
    if (the_report_fd < 0) {
        return;
    }
    // One write below PIPE_BUF, so that the reports of two processes do not mix: kind, length, text.
    char message[1 + sizeof(std::uint16_t) + 2048];
    const auto length = static_cast<std::uint16_t>(std::min<std::size_t>(text.size(), 2048));
    message[0] = static_cast<char>(what);
    std::memcpy(message + 1, &length, sizeof length);
    std::memcpy(message + 1 + sizeof length, text.data(), length);
    [[maybe_unused]] const auto written = write(the_report_fd, message, 1 + sizeof length + length);
}

void Sandbox::step(const std::string& text) noexcept {
    if (own_text != nullptr) {
        const std::lock_guard lock(step_mutex);
        write_text(text);
    }
}

Step::Step(const std::string& text) noexcept {
    if (own_text != nullptr) {
        const std::lock_guard lock(step_mutex);
        read_text(before_);
        write_text(text);
        read_text(own_);
    }
}

Step::~Step() {
    if (own_text != nullptr) {
        const std::lock_guard lock(step_mutex);
        if (std::strcmp(own_text, own_.data()) == 0) {
            std::memcpy(own_text, before_.data(), before_.size());
        }
    }
}

std::string Sandbox::peer_step() {
    if (the_page == nullptr) {
        return "its part of the test";
    }
    return {the_page->peer_text, strnlen(the_page->peer_text, step_bytes)};
}

void Sandbox::progress() noexcept {
    if (the_page != nullptr) {
        std::atomic_ref(the_page->progress).fetch_add(1, std::memory_order_relaxed);
    }
}

void fail(const std::string& text) {
    if (!Sandbox::entered()) {
        throw Failure(text);
    }
    // The death of a peer is the cause of what this side saw.
    if (const auto death = Peer::unexpected_death(); !death.empty()) {
        fail_as_crash(death);
    }
    Sandbox::tell(Told::fail, text);
    _exit(1);
}

void fail_as_crash(const std::string& text) {
    if (!Sandbox::entered()) {
        throw Failure(text);
    }
    Sandbox::tell(Told::crash, text);
    _exit(1);
}

void skip(const std::string& reason) {
    if (!Sandbox::entered()) {
        throw Skipped(reason);
    }
    Sandbox::tell(Told::skip, reason);
    _exit(0);
}

} // namespace ipcmark::check

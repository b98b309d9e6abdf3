// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "measure/port.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

using namespace ipcmark;

namespace {

constexpr std::size_t message_bytes = 100'000;

// Memory that tells which of its pages were touched: the first access to each is a fault, which opens that page.
class WatchedMemory {
public:
    WatchedMemory() {
        at = static_cast<std::uint8_t*>(
            mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (at == MAP_FAILED)
            throw std::bad_alloc();
        struct sigaction action {};
        action.sa_sigaction = open_page;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGSEGV, &action, &before_);
    }
    WatchedMemory(const WatchedMemory&) = delete;
    WatchedMemory& operator=(const WatchedMemory&) = delete;
    ~WatchedMemory() {
        sigaction(SIGSEGV, &before_, nullptr);
        munmap(at, bytes());
    }

    void close_all() {
        touched = 0;
        mprotect(at, bytes(), PROT_NONE);
    }
    static std::size_t page() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }
    static std::size_t pages() { return (message_bytes + page() - 1) / page(); }

    static inline std::uint8_t* at = nullptr;
    static inline std::size_t touched = 0;

private:
    static std::size_t bytes() { return pages() * page(); }
    static void open_page(int /*signal*/, siginfo_t* info, void* /*context*/) {
        auto* const address = static_cast<std::uint8_t*>(info->si_addr);
        if (address < at || address >= at + bytes())
            _exit(99);
        ++touched;
        mprotect(at + static_cast<std::size_t>(address - at) / page() * page(), page(), PROT_READ | PROT_WRITE);
    }

    struct sigaction before_ {};
};

// A transport that lends the watched memory and has a message there.
constexpr ipcmark_ext_loan lender{
    sizeof(ipcmark_ext_loan),
    0,
    [](ipcmark_endpoint*, std::size_t size, ipcmark_loan* out) -> ipcmark_status {
        *out = {WatchedMemory::at, size, 1};
        return IPCMARK_OK;
    },
    [](ipcmark_endpoint*, std::uint64_t, std::size_t) -> ipcmark_status { return IPCMARK_OK; },
    [](ipcmark_endpoint*, std::uint64_t) -> ipcmark_status { return IPCMARK_OK; },
    [](ipcmark_endpoint*, ipcmark_taken* out) -> ipcmark_status {
        *out = {WatchedMemory::at, message_bytes, 1};
        return IPCMARK_OK;
    },
    [](ipcmark_endpoint*, std::uint64_t) -> ipcmark_status { return IPCMARK_OK; },
};

LoopContext context() {
    LoopContext made;
    made.settings.size = message_bytes;
    made.calls.loan = &lender;
    return made;
}

bool is_filled(std::uint8_t with) {
    return std::all_of(WatchedMemory::at, WatchedMemory::at + message_bytes,
                       [with](std::uint8_t byte) { return byte == with; });
}

} // namespace

// Or "in place" would cost the same at any size.
TEST_CASE("a message in place is written as a whole by who sends it") {
    WatchedMemory memory;
    DirectPort port(context());
    std::uint8_t* payload = nullptr;
    REQUIRE(port.begin_send(payload) == IPCMARK_OK);
    CHECK(payload == WatchedMemory::at);
    CHECK(is_filled(message_fill));
}

TEST_CASE("a message in place is looked at everywhere by who receives it") {
    WatchedMemory memory;
    DirectPort port(context());
    const std::uint8_t* payload = nullptr;
    std::size_t size = 0;
    memory.close_all();
    REQUIRE(port.begin_recv(payload, size) == IPCMARK_OK);
    CHECK(size == message_bytes);
    CHECK(WatchedMemory::touched == WatchedMemory::pages());
}

TEST_CASE("the echo of a message in place is all of it") {
    WatchedMemory memory;
    DirectPort port(context());
    const std::vector<std::uint8_t> received(message_bytes, 0x77);
    REQUIRE(port.echo(received.data(), received.size()) == IPCMARK_OK);
    CHECK(is_filled(0x77));
}

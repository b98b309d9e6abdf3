// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/sandbox.hpp"
#include "host/check/test.hpp"
#include "module/loaded_module.hpp"

#include <ipcmark/plan.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ipcmark::check {

// A call that has not returned after this hangs. No promise of the ABI, but far above what a call takes on a machine
// that has no CPU for it for seconds.
inline constexpr std::chrono::seconds longest_hang{15};
// With a time-out of the user's a hang is told sooner, but never before this: what the kernel does not say it has
// denied (Starvation) is not the module's.
inline constexpr std::chrono::seconds shortest_hang{2};

// What hangs in a test that may take `limit`: a third of it, so that the test says which call it is before all of its
// time is over and nobody can say more than that.
[[nodiscard]] constexpr std::chrono::nanoseconds hang_limit_of(std::chrono::nanoseconds limit) {
    return std::clamp<std::chrono::nanoseconds>(limit / 3, shortest_hang, longest_hang);
}

// What a test is run with, the same in all its processes.
struct Subject {
    std::filesystem::path path; // of the module, absolute
    std::map<std::string, std::string> options;
    WaitPolicy wait = WaitPolicy::block;
    std::filesystem::path scratch; // mode 0700, removed by the runner
    std::chrono::nanoseconds hang_limit{longest_hang};
};

// What an endpoint is made with. Plain data, so that it can be handed to a peer.
struct EndpointSpec {
    std::uint32_t index = 0;
    std::uint32_t flags = 0; // IPCMARK_ENDPOINT_*
    std::uint64_t max_message_size = 4096;
    std::uint64_t tx_fixed_size = 0;
    std::uint64_t rx_fixed_size = 0;
    std::uint32_t in_flight = 0;
    std::uint64_t timeout_ns = 30'000'000'000;

    // As the other side of the endpoint has it.
    [[nodiscard]] EndpointSpec mirrored() const {
        auto other = *this;
        std::swap(other.tx_fixed_size, other.rx_fixed_size);
        return other;
    }
};

// As the host has them, and a close that hangs is told as one.
struct EndpointCloser : ipcmark::EndpointCloser {
    void operator()(ipcmark_endpoint* endpoint) const noexcept {
        const Step step("close");
        ipcmark::EndpointCloser::operator()(endpoint);
    }
};
using EndpointHandle = std::unique_ptr<ipcmark_endpoint, EndpointCloser>;
struct ListenerCloser : ipcmark::ListenerCloser {
    void operator()(ipcmark_listener* listener) const noexcept {
        const Step step("close_listener");
        ipcmark::ListenerCloser::operator()(listener);
    }
};
using ListenerHandle = std::unique_ptr<ipcmark_listener, ListenerCloser>;

using Address = std::vector<std::byte>;

// The loaded module with the values of its options, and the ways of calling it that most tests share. All of them end
// the test when the module fails or breaks the contract.
class Context {
public:
    Context(Subject subject, const Test& test);

    [[nodiscard]] const Subject& subject() const noexcept { return subject_; }
    [[nodiscard]] const Test& test() const noexcept { return test_; }
    [[nodiscard]] std::chrono::nanoseconds hang_limit() const noexcept { return subject_.hang_limit; }
    // Loads the module on the first call.
    [[nodiscard]] const Module& module();
    [[nodiscard]] const ipcmark_descriptor& table() { return module().table(); }
    [[nodiscard]] std::shared_ptr<const Module> module_pointer();
    [[nodiscard]] std::span<const ipcmark_value> values();
    [[nodiscard]] bool has(std::uint32_t capability) { return module().has(capability); }
    [[nodiscard]] bool is_loopback() { return has(IPCMARK_CAP_LOOPBACK); }
    // The extension that the test needs; T is its table.
    template <class T> [[nodiscard]] const T& extension(const char* id) {
        const auto* table = static_cast<const T*>(module().extension(id));
        require(table != nullptr, std::string("get_extension gives no table for ") + id);
        require(table->size >= sizeof(T), std::string("the table of ") + id + " is smaller than its first version");
        return *table;
    }

    [[nodiscard]] ipcmark_limits limits();
    // `wanted`, or the module's limit where that is less.
    [[nodiscard]] std::uint64_t at_most(std::uint64_t wanted) {
        return std::min<std::uint64_t>(wanted, limits().max_message_size);
    }

    [[nodiscard]] ipcmark_listen_params listen_params(std::uint32_t endpoints, std::uint64_t max_message_size);
    [[nodiscard]] ipcmark_endpoint_params endpoint_params(const EndpointSpec& spec);

    [[nodiscard]] ListenerHandle listen(std::uint32_t endpoints = 1, std::uint64_t max_message_size = 4096);
    [[nodiscard]] Address address(const ListenerHandle& listener);
    // `where`, such as " on the second listener", goes into the words of a failure.
    [[nodiscard]] EndpointHandle accept(const ListenerHandle& listener, const EndpointSpec& spec,
                                        const std::string& where = "");
    [[nodiscard]] EndpointHandle connect(const Address& address, const EndpointSpec& spec,
                                         const std::string& where = "");
    [[nodiscard]] EndpointHandle own(ipcmark_endpoint* endpoint) {
        return EndpointHandle(endpoint, EndpointCloser{module_pointer()});
    }
    [[nodiscard]] ListenerHandle own(ipcmark_listener* listener) {
        return ListenerHandle(listener, ListenerCloser{module_pointer()});
    }

    // The raw calls, with the status checked to be of the closed set and *out to be null on failure.
    [[nodiscard]] ipcmark_status try_listen(const ipcmark_listen_params& params, ListenerHandle& out);
    [[nodiscard]] ipcmark_status try_accept(const ListenerHandle& listener, const EndpointSpec& spec,
                                            EndpointHandle& out);
    [[nodiscard]] ipcmark_status try_connect(const Address& address, const EndpointSpec& spec, EndpointHandle& out);

    // `count`, or less where both sides spin: on a machine with fewer free CPUs than spinning threads every message
    // takes the scheduler's time slice.
    [[nodiscard]] std::uint64_t rounds(std::uint64_t count) const {
        return subject_.wait == WaitPolicy::spin ? std::min(count, std::max<std::uint64_t>(count / 20, 30)) : count;
    }

    // How many messages go over one endpoint where order is looked at: sixteen bits do not count them, and what goes
    // wrong once in ten thousand does so more than once. With one policy: how a call waits is no part of that.
    [[nodiscard]] std::uint64_t long_run(std::uint64_t otherwise) const {
        return subject_.wait == WaitPolicy::block ? 70'000 : rounds(otherwise);
    }

    // Ends the test unless `status` is `wanted`; `action` says what was called.
    void expect(ipcmark_status status, ipcmark_status wanted, const void* object, const std::string& action);
    // Ends the test if the status is not one of the closed set, or one that this function never returns.
    static void in_set(ipcmark_status status, const std::string& action);
    // "peer_gone (the peer closed its end)"
    [[nodiscard]] std::string describe(ipcmark_status status, const void* object);

private:
    Subject subject_;
    const Test& test_;
    std::shared_ptr<const Module> module_;
    OptionValues values_;
};

// How the reason begins of a test that was skipped because nothing can be tested.
inline constexpr const char* not_loaded = "the module cannot be loaded";

// Ends the test as skipped if the module does not claim or have what the test is about.
void skip_unless_applicable(Context& context);

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "module/loaded_module.hpp"

#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/pollfd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

// Two real processes joined by an endpoint of one of our modules.
namespace transports {

struct Transport {
    std::string module;
    std::map<std::string, std::string> options;
    std::uint64_t largest = 1 << 20; // no larger messages in these tests
    [[nodiscard]] std::string label() const;
};

// Every transport that was built, with each value of the options that make it another one. No loopback.
std::vector<Transport> all();

// The parameters of an endpoint as the listening side gets them.
struct Shape {
    std::uint64_t max_size = 1 << 20;
    std::uint64_t tx_fixed = 0;
    std::uint64_t rx_fixed = 0;
    std::uint32_t wait = IPCMARK_WAIT_BLOCK;
    std::uint32_t flags = 0;
    std::uint32_t in_flight = 0;
};

using Bytes = std::vector<unsigned char>;
// The contents of message number `number`: different for each number and size.
Bytes pattern(std::size_t size, unsigned number);

struct Received {
    ipcmark_status status = IPCMARK_OK;
    Bytes data;
};

// Throws std::runtime_error where something fails that must not.
class Endpoint {
public:
    Endpoint(std::shared_ptr<const ipcmark::Module> module, ipcmark_endpoint* handle, std::uint64_t max_size)
        : handle_(handle, {module}), module_(std::move(module)), max_size_(max_size) {}
    [[nodiscard]] const ipcmark_descriptor& table() const { return module_->table(); }
    [[nodiscard]] ipcmark_endpoint* handle() const { return handle_.get(); }
    [[nodiscard]] const ipcmark_ext_pollfd* pollfd() const;
    [[nodiscard]] const ipcmark_ext_batch* batch() const;

    ipcmark_status send(const Bytes& message) { return table().send(handle(), message.data(), message.size()); }
    Received recv();
    // The same with poll around the functions of the pollfd extension.
    ipcmark_status polled_send(const Bytes& message);
    Received polled_recv();
    void must_send(const Bytes& message);
    Bytes must_recv();
    [[nodiscard]] std::string error() const;

private:
    void wait_for(std::uint32_t direction);
    ipcmark::EndpointHandle handle_;
    std::shared_ptr<const ipcmark::Module> module_;
    std::uint64_t max_size_;
};

// A listener in this process.
class Listening {
public:
    explicit Listening(const Transport& transport, std::uint64_t max_size = 1 << 20, std::uint32_t endpoints = 1);
    [[nodiscard]] std::uint64_t limit() const { return limit_; }
    [[nodiscard]] const ipcmark::Module& module() const { return *module_; }
    [[nodiscard]] ipcmark_listener* handle() const { return handle_.get(); }
    [[nodiscard]] const Bytes& address() const { return address_; }
    ipcmark_status try_accept(const Shape& shape, std::unique_ptr<Endpoint>& out, std::chrono::milliseconds timeout);
    std::unique_ptr<Endpoint> accept(const Shape& shape);
    void close() { handle_.reset(); }
    // With the two directions of `shape` exchanged.
    std::unique_ptr<Endpoint> connect(const Shape& shape);

private:
    std::shared_ptr<const ipcmark::Module> module_;
    ipcmark::OptionValues values_;
    ipcmark::ListenerHandle handle_;
    std::uint64_t limit_ = 0;
    Bytes address_;
};

// A call that waits for longer has lost its wake-up. Against hangs only: the machine may have no CPU for seconds.
inline constexpr std::chrono::seconds hang_limit{120};

// Another process that runs `body` and ends with its result; 99 if it throws. One that waits to be killed can pause().
class Child {
public:
    explicit Child(const std::function<int()>& body);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    void kill();
    void await_stop(); // until it has stopped itself
    void go_on();      // SIGCONT
    // The exit code; -signal for one that was killed.
    int join();

private:
    pid_t pid_;
};

} // namespace transports

// SPDX-License-Identifier: Apache-2.0
#include "pair.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <stdexcept>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace transports {

namespace {

using ipcmark::Module;

// The bytes in queues are counted over all processes of a user, so tests that run beside this one can use up its limit.
// Where it cannot be raised, the limit stays what it is.
[[maybe_unused]] const int raised = [] {
    const rlimit much{1 << 26, 1 << 26};
    return ::setrlimit(RLIMIT_MSGQUEUE, &much);
}();

std::filesystem::path module_path(const std::string& name) {
    return std::filesystem::path(IPCMARK_TEST_MODULE_DIR) / name / (name + ".so");
}

ipcmark_endpoint_params params_of(const Shape& shape, const ipcmark::OptionValues& values) {
    ipcmark_endpoint_params params{};
    params.size = sizeof params;
    params.max_message_size = shape.max_size;
    params.tx_fixed_size = shape.tx_fixed;
    params.rx_fixed_size = shape.rx_fixed;
    params.wait_policy = shape.wait;
    params.flags = shape.flags;
    params.in_flight = shape.in_flight;
    params.spin_ns = 50'000;
    params.timeout_ns = std::chrono::nanoseconds(hang_limit).count();
    params.host = ipcmark::module_host();
    params.values = values.values().data();
    params.value_count = static_cast<std::uint32_t>(values.values().size());
    return params;
}

} // namespace

std::string Transport::label() const {
    auto text = module;
    for (const auto& [name, value] : options) {
        text += " " + name + "=" + value;
    }
    return text;
}

std::vector<Transport> all() {
    const std::vector<Transport> known{{"uds", {}},
                                       {"uds", {{"type", "seqpacket"}}},
                                       {"uds", {{"type", "datagram"}}},
                                       {"uds", {{"buffer-size", "8192"}}},
                                       {"tcp", {}},
                                       {"tcp", {{"host", "::1"}}},
                                       {"shm", {}},
                                       {"shm", {{"buffer-size", "8192"}}},
                                       // fs.mqueue.msgsize_max as the kernel sets it
                                       {"pmq", {}, 8192},
                                       {"pmq", {{"depth", "4"}, {"priority", "5"}}, 8192}};
    std::vector<Transport> built;
    for (const auto& transport : known) {
        if (std::filesystem::exists(module_path(transport.module))) {
            built.push_back(transport);
        }
    }
    return built;
}

// Not under ThreadSanitizer, where looking at each byte would take most of the tests' time: nobody else has these yet.
__attribute__((no_sanitize("thread"))) Bytes pattern(std::size_t size, unsigned number) {
    Bytes bytes(size);
    auto* const first = bytes.data();
    for (std::size_t i = 0; i < size; ++i) {
        first[i] = static_cast<unsigned char>((i * 31 + i / 255 + number * 7 + size) & 0xff);
    }
    return bytes;
}

const ipcmark_ext_pollfd* Endpoint::pollfd() const {
    return static_cast<const ipcmark_ext_pollfd*>(module_->extension(IPCMARK_EXT_POLLFD));
}
const ipcmark_ext_batch* Endpoint::batch() const {
    return static_cast<const ipcmark_ext_batch*>(module_->extension(IPCMARK_EXT_BATCH));
}

Received Endpoint::recv() {
    Received received{IPCMARK_OK, Bytes(max_size_)};
    std::size_t size = 0;
    received.status = table().recv(handle(), received.data.data(), received.data.size(), &size);
    received.data.resize(size);
    return received;
}

void Endpoint::wait_for(std::uint32_t direction) {
    std::uint32_t ready = 0;
    module_->check(pollfd()->arm(handle(), direction, &ready), handle(), "arm");
    if (ready != 0) {
        return;
    }
    struct pollfd waited {};
    module_->check(pollfd()->get_fd(handle(), direction, &waited.fd, &waited.events), handle(), "get_fd");
    if (::poll(&waited, 1, static_cast<int>(std::chrono::milliseconds(hang_limit).count())) == 0) {
        throw std::runtime_error("a wake-up was lost");
    }
}

ipcmark_status Endpoint::polled_send(const Bytes& message) {
    for (;;) {
        const auto status = pollfd()->try_send(handle(), message.data(), message.size());
        if (status != IPCMARK_WOULD_BLOCK) {
            return status;
        }
        wait_for(IPCMARK_POLL_TX);
    }
}

Received Endpoint::polled_recv() {
    Received received{IPCMARK_OK, Bytes(max_size_)};
    std::size_t size = 0;
    for (;;) {
        received.status = pollfd()->try_recv(handle(), received.data.data(), received.data.size(), &size);
        if (received.status != IPCMARK_WOULD_BLOCK) {
            received.data.resize(size);
            return received;
        }
        wait_for(IPCMARK_POLL_RX);
    }
}

void Endpoint::must_send(const Bytes& message) {
    module_->check(send(message), handle(), "send");
}

Bytes Endpoint::must_recv() {
    auto received = recv();
    module_->check(received.status, handle(), "recv");
    return std::move(received.data);
}

std::string Endpoint::error() const {
    ipcmark_error error{};
    error.size = sizeof error;
    table().last_error(handle(), &error);
    return error.text;
}

Listening::Listening(const Transport& transport, std::uint64_t max_size, std::uint32_t endpoints) {
    ipcmark::ModuleFile file;
    file.path = module_path(transport.module);
    module_ = Module::load(file);
    values_ = module_->parse_options(transport.options);
    ipcmark_listen_params params{};
    params.size = sizeof params;
    params.endpoint_count = endpoints;
    params.max_message_size = std::min(max_size, transport.largest);
    params.host = ipcmark::module_host();
    params.values = values_.values().data();
    params.value_count = static_cast<std::uint32_t>(values_.values().size());
    ipcmark_limits limits{};
    limits.size = sizeof limits;
    module_->check(module_->table().limits(&params, &limits), nullptr, "limits");
    limit_ = limits.max_message_size;
    ipcmark_listener* listener = nullptr;
    module_->check(module_->table().listen(&params, &listener), nullptr, "listen");
    handle_ = ipcmark::ListenerHandle(listener, {module_});
    address_.resize(IPCMARK_ADDRESS_SIZE);
    std::size_t length = 0;
    module_->check(module_->table().listener_address(listener, address_.data(), address_.size(), &length), listener,
                   "listener_address");
    address_.resize(length);
}

ipcmark_status Listening::try_accept(const Shape& shape, std::unique_ptr<Endpoint>& out,
                                     std::chrono::milliseconds timeout) {
    auto params = params_of(shape, values_);
    params.timeout_ns = static_cast<std::uint64_t>(timeout.count()) * 1'000'000;
    ipcmark_endpoint* endpoint = nullptr;
    const auto status = module_->table().accept(handle(), &params, &endpoint);
    if (status == IPCMARK_OK) {
        out = std::make_unique<Endpoint>(module_, endpoint, shape.max_size);
    }
    return status;
}

std::unique_ptr<Endpoint> Listening::accept(const Shape& shape) {
    std::unique_ptr<Endpoint> endpoint;
    module_->check(try_accept(shape, endpoint, hang_limit), handle(), "accept");
    return endpoint;
}

std::unique_ptr<Endpoint> Listening::connect(const Shape& shape) {
    auto turned = shape;
    std::swap(turned.tx_fixed, turned.rx_fixed);
    const auto params = params_of(turned, values_);
    ipcmark_endpoint* endpoint = nullptr;
    module_->check(module_->table().connect(address_.data(), address_.size(), &params, &endpoint), nullptr, "connect");
    return std::make_unique<Endpoint>(module_, endpoint, shape.max_size);
}

Child::Child(const std::function<int()>& body) {
    std::fflush(nullptr);
    const auto parent = ::getpid();
    pid_ = ::fork();
    if (pid_ != 0) {
        return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(98);
    }
    int code = 99;
    try {
        code = body();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "in the peer process: %s\n", error.what());
    }
    ::_exit(code);
}

Child::~Child() {
    if (pid_ > 0) {
        kill();
        join();
    }
}

void Child::kill() {
    ::kill(pid_, SIGKILL);
}

void Child::await_stop() {
    int status = 0;
    while (::waitpid(pid_, &status, WUNTRACED) < 0 && errno == EINTR) {
    }
}

void Child::go_on() {
    ::kill(pid_, SIGCONT);
}

int Child::join() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

} // namespace transports

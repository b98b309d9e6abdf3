// SPDX-License-Identifier: Apache-2.0
#include "run/worker_endpoints.hpp"

#include "module/guarded_call.hpp"
#include "module/limit_remedy.hpp"
#include "run/own_descriptors.hpp"
#include "run/placement.hpp"
#include "run/plan_limits.hpp"

#include <ipcmark/units.hpp>

#include <algorithm>
#include <system_error>

#include <fmt/format.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

namespace ipcmark {
namespace {

template <class Table> const Table* extension(const Module& module, const char* id, CallNotes& notes) {
    const auto noted = notes.set_up("get_extension");
    return static_cast<const Table*>(module.extension(id));
}

LoopSettings make_settings(const WorkerJob& job, const Module& module, const TickScale& scale) {
    LoopSettings settings;
    settings.role = job.role;
    settings.direction = job.direction;
    settings.access = job.access;
    settings.wait = job.wait;
    settings.size = job.message_size;
    settings.warmup = job.warmup;
    // A counter of some MHz has no tick for a few nanoseconds, and no ticks would mean a run by count.
    settings.duration_ticks = job.duration_ns == 0 ? 0 : std::max<std::uint64_t>(1, scale.to_ticks(job.duration_ns));
    settings.window = job.window;
    settings.batch = job.batch;
    settings.delay_ticks = job.send_delay_ns == 0 ? 0 : scale.to_ticks(job.send_delay_ns);
    if (job.rate_per_second > 0) {
        settings.interval_q16 = interval_q16_of(job.rate_per_second, job.endpoints, scale);
        settings.overtime_ticks =
            scale.to_ticks(static_cast<std::uint64_t>(std::chrono::nanoseconds(longest_overtime).count()));
        constexpr std::uint64_t to_wake_a_thread_ns = 100'000;
        constexpr std::uint64_t longest_ns = 20'000'000;
        settings.lead_ticks =
            job.threads() == 1 ? 0 : scale.to_ticks(std::min(to_wake_a_thread_ns * job.threads(), longest_ns));
    }
    settings.spin_ticks = scale.to_ticks(job.spin_ns);
    settings.loopback = module.has(IPCMARK_CAP_LOOPBACK);
    settings.endpoints = job.endpoints;
    return settings;
}

// What is taken where nobody can answer for it, as a thread's own data, of which the C library ends the process where
// there is none left: each thread's, and once.
constexpr std::size_t memory_of_a_thread = 64UL << 10;
constexpr std::size_t memory_of_a_module = 4UL << 20;

bool can_map(std::size_t size_bytes) {
    void* const memory = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    munmap(memory, size_bytes);
    return true;
}

} // namespace

WorkerEndpoints::WorkerEndpoints(const WorkerJob& job, std::shared_ptr<const Module> module, ResultsMemory& memory,
                                 CallNotes& notes)
    : job_(job), module_(std::move(module)), memory_(memory), notes_(notes), values_(job_options(*module_, job)),
      settings_(make_settings(job, *module_, memory.scale())),
      calls_{&module_->table(), extension<ipcmark_ext_loan>(*module_, IPCMARK_EXT_LOAN, notes),
             extension<ipcmark_ext_batch>(*module_, IPCMARK_EXT_BATCH, notes),
             extension<ipcmark_ext_pollfd>(*module_, IPCMARK_EXT_POLLFD, notes)},
      ends_(job.endpoints), turns_(job.threads()) {
    for (unsigned index = 0; index < job.endpoints; ++index)
        endpoints_.emplace_back(nullptr, EndpointCloser{module_});
    start_line_.emplace(job.threads());
}

WorkerEndpoints::~WorkerEndpoints() {
    end_what_waits();
    interrupt(IPCMARK_CANCELLED);
    threads_.clear();
    {
        const auto noted = notes_.closing("close");
        endpoints_.clear();
    }
    const auto noted = notes_.closing("close_listener");
    listener_.reset();
}

void WorkerEndpoints::end_what_waits() noexcept {
    const std::lock_guard lock(mutex_);
    step_ = Step::end;
    wake_all();
}

void WorkerEndpoints::wake_all() noexcept {
    changed_.notify_all();
    for (auto& turn : turns_)
        turn.notify_one();
}

template <class Function> auto WorkerEndpoints::call(const char* name, const Function& function) {
    const auto noted = notes_.set_up(name);
    return guarded_call(job_.module_id, name, function);
}

std::string WorkerEndpoints::listen(const char* scratch_dir) {
    ipcmark_listen_params params{};
    params.size = sizeof params;
    params.endpoint_count = job_.endpoints;
    params.max_message_size = job_.message_size;
    params.host = module_host();
    params.values = values_.values().data();
    params.value_count = static_cast<std::uint32_t>(values_.values().size());
    params.scratch_dir = scratch_dir;
    ipcmark_listener* raw = nullptr;
    module_->check(call("listen", [&] { return module_->table().listen(&params, &raw); }), nullptr, "listen");
    if (raw == nullptr)
        throw RunError(fmt::format("module '{}' is at fault: listen succeeded without a listener", job_.module_id));
    {
        const std::lock_guard lock(mutex_);
        listener_ = ListenerHandle(raw, ListenerCloser{module_});
    }
    std::string address(IPCMARK_ADDRESS_SIZE, '\0');
    std::size_t length = 0;
    const auto status = call("listener_address", [&] {
        return module_->table().listener_address(raw, address.data(), address.size(), &length);
    });
    module_->check(status, raw, "listener_address");
    if (length > address.size())
        throw RunError(fmt::format("module '{}' is at fault: an address of {} bytes in a buffer of {}", job_.module_id,
                                   length, address.size()));
    address.resize(length);
    return address;
}

void WorkerEndpoints::make_endpoint(unsigned index, const std::string& address) {
    ipcmark_endpoint_params params{};
    params.size = sizeof params;
    params.index = index;
    params.max_message_size = job_.message_size;
    params.tx_fixed_size = job_.message_size;
    params.rx_fixed_size = job_.message_size;
    params.wait_policy = job_.wait == WaitPolicy::spin       ? IPCMARK_WAIT_SPIN
                         : job_.wait == WaitPolicy::adaptive ? IPCMARK_WAIT_ADAPTIVE
                                                             : IPCMARK_WAIT_BLOCK;
    if (job_.mode == Mode::asynchronous)
        params.flags |= IPCMARK_ENDPOINT_POLLED;
    if (job_.access == Access::direct)
        params.flags |= IPCMARK_ENDPOINT_LOANED;
    params.spin_ns = job_.spin_ns;
    params.timeout_ns = job_.set_up_timeout_ns;
    params.host = module_host();
    params.values = values_.values().data();
    params.value_count = static_cast<std::uint32_t>(values_.values().size());
    params.in_flight = job_.direction == Direction::round_trip ? job_.window : 0;
    ipcmark_endpoint* raw = nullptr;
    const std::string number = job_.endpoints == 1 ? "" : fmt::format(" of endpoint {}", index);
    if (job_.role == Role::server)
        module_->check(call("accept", [&] { return module_->table().accept(listener_.get(), &params, &raw); }),
                       listener_.get(), "accept" + number);
    else
        module_->check(
            call("connect", [&] { return module_->table().connect(address.data(), address.size(), &params, &raw); }),
            nullptr, "connect" + number);
    if (raw == nullptr)
        throw RunError(fmt::format("module '{}' is at fault: {}{} succeeded without an endpoint", job_.module_id,
                                   job_.role == Role::server ? "accept" : "connect", number));
    const std::lock_guard lock(mutex_);
    endpoints_[index] = EndpointHandle(raw, EndpointCloser{module_});
    if (interrupted_) {
        const auto noted = notes_.interrupting("interrupt");
        module_->table().interrupt(raw, *interrupted_);
    }
}

LoopContext WorkerEndpoints::context_of(unsigned index) {
    LoopContext context;
    context.settings = settings_;
    context.calls = calls_;
    context.endpoint = endpoints_[index].get();
    context.index = index;
    context.count = job_.count_of(index);
    context.memory = &memory_;
    context.start_line = &*start_line_;
    return context;
}

void WorkerEndpoints::note_end(unsigned index, const LoopEnd& end) {
    memory_.slot(job_.role, index).note_end(end.status);
    EndpointEnd& noted = ends_[index];
    noted.status = end.status;
    if (end.status == IPCMARK_OK)
        return;
    try {
        const std::string where =
            job_.endpoints == 1 ? end.action : fmt::format("{} on endpoint {}", end.action, index);
        if (end.fault != nullptr)
            noted.text = fmt::format("module {}: {} {}: a fault of the module", job_.module_id, where,
                                     fmt::format(fmt::runtime(end.fault), end.given, end.asked));
        else
            module_->check(end.status, endpoints_[index].get(), where);
    } catch (const std::exception& error) {
        noted.text = error.what();
    }
}

// Of a loop that did not even begin.
void WorkerEndpoints::note_failure(unsigned index, const std::exception& error) noexcept {
    if (job_.role == Role::client && job_.mode == Mode::blocking)
        start_line_->leave();
    EndpointEnd& noted = ends_[index];
    noted.status = IPCMARK_NO_MEMORY;
    memory_.slot(job_.role, index).note_end(noted.status);
    try {
        noted.text = fmt::format("cannot run endpoint {}: {}", index,
                                 dynamic_cast<const std::bad_alloc*>(&error) == nullptr
                                     ? error.what()
                                     : "not enough memory for messages of " + format_size_bytes(job_.message_size));
    } catch (const std::bad_alloc&) {
        noted.text = "out of memory"; // short enough to take none
    }
}

void WorkerEndpoints::wait_for_run() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return step_ != Step::set_up; });
}

void WorkerEndpoints::thread_main(unsigned first, unsigned count, const std::string& address) {
    pthread_setname_np(pthread_self(), job_.role == Role::server ? "ipcmark-server" : "ipcmark-client");
    // What sleeps until a planned moment must not be late by the default slack of 50 us.
    prctl(PR_SET_TIMERSLACK, 1UL);
    try {
        for (unsigned index = first; index < first + count; ++index) {
            {
                std::unique_lock lock(mutex_);
                turns_[first].wait(lock,
                                   [this, index] { return next_endpoint_ == index || failure_ || step_ == Step::end; });
                if (failure_ || step_ == Step::end)
                    return;
            }
            if (index == first && !job_.cpus.empty())
                bind_thread({job_.cpus[first % job_.cpus.size()]});
            make_endpoint(index, address);
            if (index == 0)
                options_ = read_options(); // here, since nothing else may use the endpoint meanwhile
            {
                const std::lock_guard lock(mutex_);
                ++next_endpoint_;
                if (++made_ == job_.endpoints)
                    changed_.notify_all();
                else if (next_endpoint_ < turns_.size())
                    turns_[next_endpoint_].notify_one();
            }
        }
    } catch (...) {
        {
            const std::lock_guard lock(mutex_);
            if (!failure_)
                failure_ = std::current_exception();
            wake_all();
        }
        return;
    }
    // The server's threads wait in receive before the client sends its first message.
    if (job_.role == Role::client)
        wait_for_run();
    {
        const std::lock_guard lock(mutex_);
        if (step_ == Step::end)
            return;
    }
    try {
        own_descriptors(); // after all were made
        if (job_.mode == Mode::blocking) {
            note_end(first, run_blocking(context_of(first)));
            return;
        }
        std::vector<LoopContext> contexts;
        for (unsigned index = first; index < first + count; ++index)
            contexts.push_back(context_of(index));
        std::vector<LoopEnd> ends(count);
        run_reactor(contexts, ends);
        for (unsigned index = 0; index < count; ++index)
            note_end(first + index, ends[index]);
    } catch (const std::exception& error) {
        note_failure(first, error);
    }
}

void WorkerEndpoints::start_threads(const std::string& address) {
    const unsigned count = job_.threads();
    const std::string role = role_name(job_.role);
    const std::string remedy = std::string(thread_remedy) + (count > 1 ? ", or lower --concurrency" : "");
    // Their stacks are the memory that the text of the error needs.
    const auto end_threads = [this] {
        end_what_waits();
        threads_.clear();
    };
    threads_.reserve(count);
    try {
        while (threads_.size() < count) {
            threads_.emplace_back([this, thread = static_cast<unsigned>(threads_.size()), count, address] {
                thread_main(thread, job_.endpoints / count, address);
            });
        }
    } catch (const std::exception& error) {
        const auto* refused = dynamic_cast<const std::system_error*>(&error);
        const std::error_code cause =
            refused != nullptr ? refused->code() : std::make_error_code(std::errc::not_enough_memory);
        const std::size_t started = threads_.size();
        end_threads();
        throw RunError(fmt::format("cannot start thread {} of {} in the {} worker: {}{}", started + 1, count, role,
                                   cause.message(), remedy));
    }
    if (!can_map(memory_of_a_module + count * memory_of_a_thread)) {
        end_threads();
        throw RunError(
            fmt::format("the {} threads of the {} worker leave no memory to work in{}", count, role, remedy));
    }
}

void WorkerEndpoints::set_up(const std::string& address) {
    start_threads(address);
    std::unique_lock lock(mutex_);
    next_endpoint_ = 0;
    turns_[0].notify_one();
    changed_.wait(lock, [this] { return made_ == job_.endpoints || failure_; });
    if (failure_)
        std::rethrow_exception(failure_);
}

std::vector<OptionValue> WorkerEndpoints::read_options() {
    std::vector<OptionValue> options;
    const auto values = values_.values();
    for (std::uint32_t index = 0; index < values.size(); ++index) {
        const std::string name = module_->options()[index].name;
        const bool given = values[index].is_set != 0 && !job_.chosen_options.contains(name);
        OptionValue option{name, module_->option_text(index, values[index]), given};
        ipcmark_value effective{};
        const auto read = module_->table().effective_option;
        if (read != nullptr &&
            call("effective_option", [&] { return read(endpoints_[0].get(), index, &effective); }) == IPCMARK_OK)
            option.value = module_->option_text(index, effective);
        options.push_back(std::move(option));
    }
    return options;
}

std::vector<EndpointEnd> WorkerEndpoints::run() {
    {
        const std::lock_guard lock(mutex_);
        step_ = Step::run;
    }
    changed_.notify_all();
    for (auto& thread : threads_)
        thread.join();
    threads_.clear();
    return ends_;
}

void WorkerEndpoints::interrupt(ipcmark_status status) noexcept {
    const std::lock_guard lock(mutex_);
    if (!interrupted_)
        interrupted_ = status;
    if (listener_) {
        const auto noted = notes_.interrupting("interrupt_listener");
        module_->table().interrupt_listener(listener_.get(), status);
    }
    const auto noted = notes_.interrupting("interrupt");
    for (const auto& endpoint : endpoints_) {
        if (endpoint)
            module_->table().interrupt(endpoint.get(), status);
    }
}

} // namespace ipcmark

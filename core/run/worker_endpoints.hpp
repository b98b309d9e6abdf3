// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/loop_context.hpp"
#include "module/loaded_module.hpp"
#include "run/call_notes.hpp"
#include "run/worker_job.hpp"

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace ipcmark {

// How one endpoint's run ended, for the coordinator.
struct EndpointEnd {
    ipcmark_status status = IPCMARK_OK;
    std::string text; // empty for IPCMARK_OK
};

// All endpoints of one role: makes them, drives them in their threads, interrupts and closes them.
class WorkerEndpoints {
public:
    WorkerEndpoints(const WorkerJob& job, std::shared_ptr<const Module> module, ResultsMemory& memory,
                    CallNotes& notes);
    ~WorkerEndpoints();
    WorkerEndpoints(const WorkerEndpoints&) = delete;
    WorkerEndpoints& operator=(const WorkerEndpoints&) = delete;

    // Server: makes the listener and returns its address.
    [[nodiscard]] std::string listen(const char* scratch_dir);
    // Accepts or connects all endpoints, each in the thread that will drive it and on that thread's CPU, one after the
    // other. Returns when all are there; throws the first failure.
    void set_up(const std::string& address);
    // After set_up. The effective options, of endpoint 0 where the module can tell, else as given.
    [[nodiscard]] const std::vector<OptionValue>& effective_options() const noexcept { return options_; }
    // Lets the threads run and returns when all have ended, one entry an endpoint.
    [[nodiscard]] std::vector<EndpointEnd> run();
    // [any thread] Interrupts everything that blocks now or later.
    void interrupt(ipcmark_status status) noexcept;

private:
    enum class Step { set_up, run, end };

    // All of them, before one of them goes on: what those that are there take must not be what the next one lacks.
    void start_threads(const std::string& address);
    void end_what_waits() noexcept;
    void thread_main(unsigned first, unsigned count, const std::string& address);
    // Of a function of the set-up, by its name in the module's table.
    template <class Function> auto call(const char* name, const Function& function);
    [[nodiscard]] std::vector<OptionValue> read_options();
    void make_endpoint(unsigned index, const std::string& address);
    void wake_all() noexcept; // with mutex_ held
    [[nodiscard]] LoopContext context_of(unsigned index);
    void note_end(unsigned index, const LoopEnd& end);
    void note_failure(unsigned index, const std::exception& error) noexcept;
    void wait_for_run();

    const WorkerJob& job_;
    std::shared_ptr<const Module> module_;
    ResultsMemory& memory_;
    CallNotes& notes_;
    OptionValues values_;
    LoopSettings settings_;
    ModuleCalls calls_;
    ListenerHandle listener_;
    std::vector<EndpointHandle> endpoints_;
    std::vector<EndpointEnd> ends_;
    std::vector<OptionValue> options_;
    std::optional<StartLine> start_line_;
    std::vector<std::jthread> threads_;

    std::mutex mutex_;
    std::condition_variable changed_;
    static constexpr unsigned none = ~0U;
    unsigned next_endpoint_ = none; // whose turn it is to be accepted or connected
    // A thread waits for its turn alone: thousands that wake for every turn take minutes to get through.
    std::vector<std::condition_variable> turns_;
    unsigned made_ = 0;
    std::exception_ptr failure_;
    Step step_ = Step::set_up;
    std::optional<ipcmark_status> interrupted_;
};

} // namespace ipcmark

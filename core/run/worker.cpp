// SPDX-License-Identifier: Apache-2.0
#include "run/worker.hpp"

#include "measure/patient_clock.hpp"
#include "module/guarded_call.hpp"
#include "module/limit_remedy.hpp"
#include "run/call_notes.hpp"
#include "run/control_channel.hpp"
#include "run/hex.hpp"
#include "run/meeting_host.hpp"
#include "run/message_memory.hpp"
#include "run/module_words.hpp"
#include "run/placement.hpp"
#include "run/probe.hpp"
#include "run/scratch_dir.hpp"
#include "run/worker_endpoints.hpp"
#include "run/worker_job.hpp"
#include "run/worker_process.hpp"

#include <ipcmark/run.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <future>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;

// The module runs on the job thread and its children, and is interrupted from a thread of its own; the main thread only
// listens to the coordinator, so that a module that hangs anywhere cannot keep the worker alive. It takes no lock that
// is held while the module is called.
class Worker {
public:
    Worker() : control_(UniqueFd(worker_control_fd)) {}
    ~Worker() {
        post(&Worker::leaving_, true);
        if (interrupter_.joinable())
            interrupter_.join();
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    int run() {
        instance = this;
        set_module_log([](int level, const char* text) { instance->log(level, text); });
        std::future<void> job;
        for (;;) {
            const auto message = control_.receive(-1ms);
            if (!message) {
                // The coordinator is gone: nobody waits for results any more.
                remove_scratch_dir(scratch_dir_);
                _exit(job.valid() ? 1 : 0);
            }
            const std::string type = text_field(*message, "type");
            if (type == "probe") {
                const auto answer = [this](const boost::json::object& text) { control_.send(text); };
                try {
                    job = std::async(std::launch::async, [jobs = *message, answer] { probe(jobs, answer); });
                } catch (const std::system_error& error) {
                    fail_probe(*message, no_thread("the worker that asks modules for their limits", error), answer);
                }
            } else if (type == "job") {
                job_ = WorkerJob::from_json(object_field(*message, "job"));
                scratch_dir_ = job_.scratch_dir;
                try {
                    interrupter_ = std::thread([this] { interrupt_when_asked(); });
                    job = std::async(std::launch::async, [this] { do_job(); });
                } catch (const std::system_error& error) {
                    fail("run", IPCMARK_INTERNAL, no_thread(name(), error).c_str());
                }
            } else if (type == "connect") {
                post(&Worker::address_, from_hex(text_field(*message, "address")));
            } else if (type == "start") {
                post(&Worker::started_, true);
            } else if (type == "interrupt") {
                ask_for_interrupt();
            } else if (type == "exit") {
                ask_for_interrupt();
                post(&Worker::leaving_, true);
                if (job.valid() && !ends_soon(job)) {
                    if (const char* const function = notes_.under_way(); function != nullptr)
                        control_.send({{"type", "hangs"}, {"function", function}});
                    _exit(1); // the module does not come back
                }
                return 0;
            }
        }
    }

private:
    [[nodiscard]] std::string name() const {
        return fmt::format("the {} worker of module '{}'", role_name(job_.role), job_.module_id);
    }

    [[nodiscard]] static std::string no_thread(const std::string& where, const std::system_error& error) {
        return fmt::format("cannot start a thread in {}: {}{}", where, error.code().message(), thread_remedy);
    }

    static bool ends_soon(const std::future<void>& job) {
        constexpr auto limit = 2s;
        constexpr auto tick = 50ms;
        static_assert(tick < PatientClock::longest_step);
        for (PatientClock clock; clock.elapsed() < limit; clock.look()) {
            if (job.wait_for(tick) == std::future_status::ready)
                return true;
        }
        return false;
    }

    void do_job() {
        std::unique_ptr<WorkerEndpoints> endpoints;
        try {
            perform(endpoints);
        } catch (const UsageError& error) {
            fail("usage", IPCMARK_BAD_ARGUMENT, error.what());
        } catch (const ModuleFailure& error) {
            fail("run", error.status(), words_of(error, job_).c_str());
        } catch (const std::bad_alloc&) {
            fail("run", IPCMARK_NO_MEMORY, ("out of memory in " + name()).c_str());
        } catch (const std::exception& error) {
            fail("run", IPCMARK_INTERNAL, error.what());
        } catch (...) {
            fail("run", IPCMARK_INTERNAL, escaped_exception(job_.module_id, "one of its functions", "").what());
        }
        // The endpoints stay until the coordinator has heard of both sides: a peer that closes first would look like a
        // dead one.
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return leaving_.has_value(); });
        lock.unlock();
        set_endpoints(nullptr);
        endpoints.reset();
        // A module that ends the process before this would look as if all had gone well.
        control_.send({{"type", "bye"}});
    }

    void perform(std::unique_ptr<WorkerEndpoints>& endpoints) {
        ResultsMemory memory = ResultsMemory::open(worker_results_fd);
        memory_.emplace(std::move(memory));
        if (!job_.cpus.empty())
            bind_thread(job_.cpus);
        const auto module = Module::load(job_.module_file(), job_.debug_wrapper ? Checking::contract : Checking::none);
        // The client of a stand-alone run cannot know how much there is here.
        check_message_memory(job_, module->has(IPCMARK_CAP_LOOPBACK), Sides::own);
        endpoints = std::make_unique<WorkerEndpoints>(job_, module, *memory_, notes_);
        set_endpoints(endpoints.get());
        std::string address;
        if (job_.role == Role::server) {
            const bool scratch = module->has(IPCMARK_CAP_SCRATCH_DIR);
            if (scratch)
                make_scratch_dir(job_.scratch_dir);
            try {
                address = endpoints->listen(scratch ? job_.scratch_dir.c_str() : nullptr);
            } catch (const ModuleFailure&) {
                check_chosen_host(job_);
                throw;
            }
            control_.send({{"type", "listening"}, {"address", to_hex(address)}});
        } else {
            address = wait_for(address_);
        }
        endpoints->set_up(address);
        boost::json::array options;
        for (const auto& option : endpoints->effective_options())
            options.push_back({{"name", option.name}, {"value", option.value}, {"given", option.given}});
        control_.send({{"type", "ready"}, {"options", options}, {"module", identity_json(*module)}});
        if (job_.role == Role::client)
            wait_for(started_);
        boost::json::array ends;
        for (const auto& end : endpoints->run())
            ends.push_back({{"status", end.status}, {"text", end.text}});
        control_.send({{"type", "finished"}, {"ends", ends}});
    }

    void fail(const char* kind, ipcmark_status status, const char* text) {
        control_.send({{"type", "error"}, {"kind", kind}, {"status", status}, {"text", text}});
    }

    void log(int level, const char* text) { control_.send({{"type", "log"}, {"level", level}, {"text", text}}); }

    void ask_for_interrupt() {
        {
            const std::lock_guard lock(mutex_);
            ++interrupts_asked_;
        }
        changed_.notify_all();
    }

    // Each time that it is asked for: what was made since the last time is then interrupted, too.
    void interrupt_when_asked() {
        for (unsigned done = 0;;) {
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [&] { return interrupts_asked_ != done || leaving_.has_value(); });
                if (interrupts_asked_ == done)
                    return;
                done = interrupts_asked_;
            }
            const std::lock_guard lock(endpoints_mutex_);
            interrupted_ = true;
            if (endpoints_ != nullptr)
                endpoints_->interrupt(IPCMARK_CANCELLED);
        }
    }

    void set_endpoints(WorkerEndpoints* endpoints) {
        const std::lock_guard lock(endpoints_mutex_);
        endpoints_ = endpoints;
        if (endpoints_ != nullptr && interrupted_)
            endpoints_->interrupt(IPCMARK_CANCELLED);
    }

    template <class T> void post(std::optional<T> Worker::*field, T value) {
        {
            const std::lock_guard lock(mutex_);
            this->*field = std::move(value);
        }
        changed_.notify_all();
    }

    // Until an interrupt at the latest: what it waits for may then never come.
    template <class T> T wait_for(const std::optional<T>& field) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return field.has_value() || interrupts_asked_ != 0 || leaving_.has_value(); });
        if (!field)
            throw RunError("the coordinator ended the run");
        return *field;
    }

    static inline Worker* instance = nullptr;

    ControlChannel control_;
    WorkerJob job_;
    std::string scratch_dir_;
    std::optional<ResultsMemory> memory_;
    CallNotes notes_{[this](const char* function) { control_.send({{"type", "calls"}, {"function", function}}); }};

    std::mutex mutex_;
    std::condition_variable changed_;
    unsigned interrupts_asked_ = 0;
    std::optional<std::string> address_;
    std::optional<bool> started_;
    std::optional<bool> leaving_;

    std::mutex endpoints_mutex_; // held while the module is interrupted
    WorkerEndpoints* endpoints_ = nullptr;
    bool interrupted_ = false;

    std::thread interrupter_; // uses all the others
};

// The kernel kills whoever has the most memory of a group that is at its limit. The coordinator has the results of all
// tests, and can tell of a worker that was killed.
void be_first_out_of_memory() {
    std::ofstream("/proc/self/oom_score_adj") << "1000"; // the highest; to raise it needs no privilege
}

} // namespace

int worker_main() {
    struct stat status {};
    if (fstat(worker_control_fd, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        std::fputs("ipcmark-worker is started by ipcmark; run ipcmark instead\n", stderr);
        return 2;
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    be_first_out_of_memory();
    // The allocator would reserve 64 MiB for each thread, and what cannot answer for it would then find nothing left.
    if (rlimit limit{}; getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        mallopt(M_ARENA_MAX, 1);
    // A worker that is stopped would not see that the coordinator has gone. No SIGKILL: it has a folder to remove; and
    // this comes already with the end of the thread that started the worker, where it must do no harm.
    prctl(PR_SET_PDEATHSIG, SIGCONT);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN); // beyond the limit of file sizes calls fail, which can be told
    try {
        return Worker().run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "ipcmark-worker: %s\n", error.what());
        _exit(1); // the job's thread may be anywhere
    }
}

} // namespace ipcmark

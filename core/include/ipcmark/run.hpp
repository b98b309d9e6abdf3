// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>
#include <ipcmark/export.hpp>
#include <ipcmark/plan.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

namespace ipcmark {

// Bad input: nothing was started. what() is one line for the user: what was wrong, the value, what is allowed.
class IPCMARK_API UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Bad input in one test of a plan.
class IPCMARK_API TestUsageError : public UsageError {
public:
    enum class Cause {
        plan,    // no module could do it
        module,  // this test's module cannot do it
        options, // this test's module has no such option, or not with such a value
    };
    TestUsageError(std::size_t test, const std::string& text, Cause cause = Cause::plan)
        : UsageError(text), test_(test), cause_(cause) {}
    // Its index in Plan::tests.
    [[nodiscard]] std::size_t test() const noexcept { return test_; }
    [[nodiscard]] Cause cause() const noexcept { return cause_; }

private:
    std::size_t test_;
    Cause cause_;
};

// A run that failed. what() is one line.
class IPCMARK_API RunError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Progress {
    std::size_t test_index = 0;
    std::size_t test_count = 0;
    Direction direction = Direction::one_way;
    std::uint64_t messages = 0;          // measured so far, all endpoints
    std::optional<std::uint64_t> total;  // messages to come in all; not set in a run by duration
    double fraction = 0;                 // 0..1 of this direction
    double messages_per_second = 0;      // since the last report
    std::chrono::nanoseconds elapsed{0}; // of this direction
    std::optional<std::chrono::nanoseconds> remaining;
};

// Told what happens during a run, on the thread that called run(). All have empty defaults.
class IPCMARK_API Observer {
public:
    virtual ~Observer() = default;
    virtual void test_started(const TestPlan& /*plan*/, std::size_t /*index*/, std::size_t /*count*/) {}
    virtual void direction_started(Direction /*direction*/) {}
    virtual void progress(const Progress& /*progress*/) {} // about ten times a second
    virtual void test_finished(const TestResult& /*result*/) {}
    virtual void log(int /*level: IPCMARK_LOG_*/, const std::string& /*text*/) {}
    // False: progress() is not called and the coordinator does not wake up for it.
    [[nodiscard]] virtual bool wants_progress() const { return false; }
};

// Checks a plan against the machine and the modules, starting nothing. Throws UsageError for the first thing that is
// wrong: unknown mechanism or option, size or CPU out of range, output that cannot be written; where that is in one
// test, a TestUsageError. RunError for a module that crashes or hangs when it is asked for its limits (with
// OnError::go_on that is a failed test of the run).
IPCMARK_API void validate(const Plan& plan);

// Runs a plan and returns what was measured. Every test runs in worker processes of its own; a test that fails has its
// reason in its result and, with OnError::stop, ends the run. `stop` ends the run early: what was measured is kept and
// marked as partial. Throws UsageError as validate does; RunError where nothing could be measured at all (no worker
// program, no memory). Safe in programs with threads; one call at a time in a process.
[[nodiscard]] IPCMARK_API ResultDocument run(const Plan& plan, Observer& observer, std::stop_token stop = {});
[[nodiscard]] IPCMARK_API ResultDocument run(const Plan& plan);

// Where the two ends of a stand-alone run meet: "tcp:HOST:PORT" (IPv6 in brackets), "unix:PATH" or "unix:@NAME" for the
// abstract namespace. Only control messages go there, never the messages that are measured.
struct ControlAddress {
    enum class Kind { tcp, unix_path, unix_abstract };
    Kind kind = Kind::tcp;
    std::string host;       // tcp
    std::uint16_t port = 0; // tcp
    std::string path;       // unix; without the '@'
};

// Throws UsageError naming what is wrong.
[[nodiscard]] IPCMARK_API ControlAddress parse_control_address(const std::string& text);

struct ServeOptions {
    ControlAddress address;
    ModuleSearch modules;
    std::vector<int> server_cpus; // where the client asks for none
    bool once = false;            // end after the first client has gone
};

// Serves the server side of tests to clients, one client at a time, until `stop` or, with `once`, until the first
// client has gone. Whoever connects and says nothing, or falls silent where a client has something to say, is sent away
// (docs/security.md has the limits). Calls observer.log with a line when it is ready, and for each client and each that
// is sent away. Throws UsageError, RunError; with `once` the latter also where the client was lost in the middle of a
// measurement.
IPCMARK_API void serve(const ServeOptions& options, Observer& observer, std::stop_token stop);

// As run, with the server side of every test in the serve() at `address`, perhaps on another machine. Tries to reach it
// for `retry`. A server that hears nothing for a minute between two tests gives up: an observer must not take so long.
// Where the two ends share no clock (their boot ids or its readings differ) one-way is refused with the reason, and
// between two machines (boot ids differ) so are modules without the capability cross-host. Of a module with an option
// `host` the two sides meet at the address by which the control connection, where it is one of TCP, reaches the server,
// unless the plan gives another; with 0.0.0.0 or :: the server listens at all of its own.
[[nodiscard]] IPCMARK_API ResultDocument connect(const Plan& plan, const ControlAddress& address,
                                                 std::chrono::nanoseconds retry, Observer& observer,
                                                 std::stop_token stop = {});

} // namespace ipcmark

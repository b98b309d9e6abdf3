// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace ipcmark::check {

// What a test's process tells the runner. The first failure told by any process of a test is the test's outcome.
enum class Told : char { pass = 'p', fail = 'f', crash = 'c', skip = 's', usage = 'u' };

// The ends of a test's process that the runner made: a pipe for what is told, and a page for the present step, which
// the runner shows if the process crashes or hangs.
class Sandbox {
public:
    static constexpr std::size_t step_bytes = 256;

    // Whose present step it is that this process tells.
    enum class Steps { own, peer };

    // Both descriptors -1: --in-process, where failures are thrown and nothing is told.
    static void enter(int report_fd, int step_fd, Steps steps = Steps::own);
    [[nodiscard]] static bool entered() noexcept;
    [[nodiscard]] static int report_fd() noexcept;
    [[nodiscard]] static int step_fd() noexcept;

    static void tell(Told what, const std::string& text) noexcept;
    // [any-thread] What is done now, for the report of a crash or a time-out. Cheap enough for every message.
    static void step(const std::string& text) noexcept;
    // What a peer process did last.
    [[nodiscard]] static std::string peer_step();
    // [any-thread] A call came to its end: as long as that goes on, the test is slow and does not hang.
    static void progress() noexcept;
};

// [any-thread] A step that ends with this object: then the one before it is told again, unless another thread has told
// one meanwhile. For calls after which something else may hang: that shall not be told as theirs.
class Step {
public:
    explicit Step(const std::string& text) noexcept;
    ~Step();
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

private:
    std::array<char, Sandbox::step_bytes> before_{};
    std::array<char, Sandbox::step_bytes> own_{};
};

// The page behind step_fd, shared by all processes of a test.
struct StepPage {
    std::uint64_t progress;
    char text[Sandbox::step_bytes];
    char peer_text[Sandbox::step_bytes];
};

// Thrown only in-process; in a sandbox the process ends at once, without unwinding, since threads may be stuck.
class Failure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
class Skipped : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// [any-thread] Ends the test as failed. `text` is one sentence: what was expected and what came.
[[noreturn]] void fail(const std::string& text);
// The same, for a process that a signal ended.
[[noreturn]] void fail_as_crash(const std::string& text);
// Ends the test as skipped, for a reason that lies in the module or the machine.
[[noreturn]] void skip(const std::string& reason);

inline void require(bool holds, const std::string& text) {
    if (!holds) {
        fail(text);
    }
}

} // namespace ipcmark::check

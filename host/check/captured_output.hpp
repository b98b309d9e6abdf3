// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/fd.hpp>

#include <string>

namespace ipcmark::check {

// While it lives, what this process, and those that it starts, write to standard output and error comes here. One at a
// time.
class CapturedOutput {
public:
    CapturedOutput();
    CapturedOutput(const CapturedOutput&) = delete;
    CapturedOutput& operator=(const CapturedOutput&) = delete;
    ~CapturedOutput() { end(); }

    // Ends it. The first line that was written, or the beginning of a long one; empty if nothing was.
    [[nodiscard]] std::string first_line();

private:
    void end() noexcept;
    kit::Fd written_;
    kit::Fd output_;
    kit::Fd error_;
};

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
#include "host/check/captured_output.hpp"

#include "host/check/sandbox.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace ipcmark::check {

CapturedOutput::CapturedOutput()
    : written_(memfd_create("written", MFD_CLOEXEC)), output_(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)),
      error_(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    require(written_ && output_ && error_, "the output of the test's process could not be captured");
    fflush(nullptr);
    dup2(written_.get(), STDOUT_FILENO);
    dup2(written_.get(), STDERR_FILENO);
}

void CapturedOutput::end() noexcept {
    if (!output_) {
        return;
    }
    fflush(nullptr);
    dup2(output_.get(), STDOUT_FILENO);
    dup2(error_.get(), STDERR_FILENO);
    output_.reset();
    error_.reset();
}

std::string CapturedOutput::first_line() {
    end();
    std::array<char, 80> begin{};
    const auto length = pread(written_.get(), begin.data(), begin.size(), 0);
    std::string text(begin.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
    if (text.starts_with('\n')) {
        return "an empty line";
    }
    text.resize(std::min(text.size(), text.find('\n')));
    return text;
}

} // namespace ipcmark::check

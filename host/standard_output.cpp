// SPDX-License-Identifier: Apache-2.0
#include "host/standard_output.hpp"

#include <cerrno>
#include <cstdio>

namespace ipcmark::host {

namespace {

int first_error = 0;

void note_error() {
    if (first_error == 0)
        first_error = errno != 0 ? errno : EIO;
}

} // namespace

void print(std::string_view text) {
    errno = 0;
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
        note_error();
}

int flush_standard_output() {
    errno = 0;
    if (std::fflush(stdout) != 0)
        note_error();
    return first_error;
}

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/captured_output.hpp"

namespace ipcmark::check {

// While it lives, what the module says in this process, to the host's log or to standard output and error, is kept: in
// [hot] functions nothing is said. One at a time; the log is this object's from then on.
class Silence {
public:
    Silence();

    // Ends it, and the test if anything was said. `functions`: those of the module that were called.
    void require(const char* functions);

private:
    CapturedOutput captured_;
};

} // namespace ipcmark::check

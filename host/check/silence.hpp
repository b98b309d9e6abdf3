// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/captured_output.hpp"
#include "host/check/wire.hpp"

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

// Moves messages through an extension, by `move` and what drives it, and ends the test if its `functions` say anything.
// They should be thousands: what is said of every thousandth is said in a measurement, too. The driver is made before;
// what it calls for that is not [hot].
template <class Driver>
void move_in_silence(Wire& wire, bool sends, void (*move)(Driver&, bool), const char* functions) {
    Driver driver(wire);
    Silence silence;
    move(driver, sends);
    silence.require(functions);
}

} // namespace ipcmark::check

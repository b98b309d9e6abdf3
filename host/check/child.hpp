// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/context.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace ipcmark::check {

// What a process of a test is: the one that calls Test::run, or a peer of it that calls Test::peer. Descriptors are
// inherited by number; -1: none.
struct ChildRole {
    std::string test_id;
    bool is_peer = false;
    int report_fd = -1;
    int step_fd = -1;
    int channel_fd = -1;
    pid_t parent = 0;
    Subject subject;
};

// The arguments after the program's name that make it play this role: "check" "--child" TEXT. One argument, because
// no person ever writes it.
[[nodiscard]] std::vector<std::string> to_arguments(const ChildRole& role);
[[nodiscard]] ChildRole parse_role(const std::string& text);

// Plays the role to its end and returns the exit code. Ends with its parent.
int run_child(const ChildRole& role);

// Runs one test in this process, peers in processes of their own. Returns what came of it.
struct InProcessResult {
    char outcome; // as in Told
    std::string text;
};
[[nodiscard]] InProcessResult run_in_process(const Test& test, const Subject& subject);

enum class Group { own, inherited };
// Starts this very program in a role. `output_fd` takes its standard output and error; -1: those of this process.
// Throws RunError.
[[nodiscard]] pid_t spawn(const ChildRole& role, int output_fd, Group group);

// The name of a signal: "SIGSEGV".
[[nodiscard]] std::string signal_name(int signal);

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

namespace ipcmark::check {

// What a module must leave as it is: signals, CPU mask, umask, working directory, environment, resource limits, timers,
// scheduling, floating-point control.
class ProcessState {
public:
    [[nodiscard]] static ProcessState now();
    // What differs from `before`, for people; empty if nothing does.
    [[nodiscard]] std::string changes_since(const ProcessState& before) const;

private:
    std::map<std::string, std::string> facts_; // name → value
};

// Open descriptors and what each is.
[[nodiscard]] std::map<int, std::string> open_descriptors();
// Of these, those that a program would inherit.
[[nodiscard]] std::map<int, std::string> inheritable_descriptors();
[[nodiscard]] std::size_t thread_count();
[[nodiscard]] std::set<pid_t> children();
// Bytes handed out by malloc, and bytes mapped in all; of this process.
[[nodiscard]] std::size_t allocated_bytes();
[[nodiscard]] std::size_t mapped_bytes();
// Everything with a name that another process could find, but for files (temporary_folders.hpp): shared memory, message
// queues, unix sockets, System V objects.
[[nodiscard]] std::set<std::string> system_names();

// Puts this process into namespaces of its own for network (with a loopback device), shared memory, queues and mounts,
// so that no name of another process on the machine is seen. False where the machine does not allow it.
[[nodiscard]] bool isolate();
// The same but for the network.
[[nodiscard]] bool unshare_all_but_network();

} // namespace ipcmark::check

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/worker_job.hpp"

#include <string>

namespace ipcmark {

// Where the two ends of a transport meet that takes an address in its option `host`, in a stand-alone run whose control
// connection is one of TCP: at the address by which the client has reached the server, unless the user says otherwise.
// Addresses are numbers, as getnameinfo writes them, with the scope where they have one ("fe80::1%eth0").

// Of the other end of a connected socket, or of our own one; empty unless it is one of IPv4 or IPv6.
[[nodiscard]] std::string peer_host(int socket);
[[nodiscard]] std::string own_host(int socket);

// In the client, whose control connection goes to `peer`: the server listens at `peer`, or, where the user asks for
// every address (0.0.0.0, ::), at all of them, and the client connects to `peer`. Any other `host` of the user's, and a
// module without that option, stay as they are. Throws UsageError for 0.0.0.0 where `peer` is one of IPv6.
void choose_host(WorkerJob& server, WorkerJob& client, const std::string& peer);

// In the server, whose end of that connection is `own`: a scope is the name of an interface, which each machine has its
// own ones of.
void adopt_scope(WorkerJob& job, const std::string& own);

// In the server's worker, when its module could not listen. Throws UsageError where that is because the chosen address
// is not one of this machine: it was translated on the way.
void check_chosen_host(const WorkerJob& job);

} // namespace ipcmark

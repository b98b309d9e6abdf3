// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/unique_fd.hpp"

#include <ipcmark/run.hpp>

#include <chrono>
#include <stop_token>

namespace ipcmark {

[[nodiscard]] std::string to_text(const ControlAddress& address);

// A listening socket there; a socket file that nobody listens on any more is replaced. Throws UsageError naming the
// address and why it cannot be had.
[[nodiscard]] UniqueFd listen_at(const ControlAddress& address);

// Connects, trying again until `end`, also where an address does not answer at all. Throws RunError naming the address
// and the last reason.
[[nodiscard]] UniqueFd connect_to(const ControlAddress& address, std::chrono::steady_clock::time_point end,
                                  std::stop_token stop);

// For the connected socket of a control channel: what makes a peer that is there no more, or does not read any more,
// end the connection. A network that lost it tells nobody, so after half a minute of silence the kernel asks.
void watch_connection(int socket) noexcept;

} // namespace ipcmark

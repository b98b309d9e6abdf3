// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace tcp {

// Who listens on a TCP port of this machine: "nginx (pid 812)"; empty if that cannot be known, for example because the
// process belongs to another user.
std::string port_owner(std::uint16_t port);

} // namespace tcp

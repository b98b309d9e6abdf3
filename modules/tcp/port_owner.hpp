// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

#include <string>

namespace tcp {

// Whose socket keeps others from listening at an address of this machine: "nginx (pid 812)"; empty if that cannot be
// known, for example because the process belongs to another user, or the socket is bound and nothing more, which the
// kernel does not list.
std::string port_owner(const Address& address);

} // namespace tcp

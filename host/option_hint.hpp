// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/command_line.hpp"

#include <string>

namespace ipcmark::host {

// For an option that the grammar does not have ("--msg_size"): what it may have been meant to be, as the end of the
// message: "; did you mean '--message-size'?", else where to look.
[[nodiscard]] std::string option_hint(const Grammar& grammar, const std::string& asked);

} // namespace ipcmark::host

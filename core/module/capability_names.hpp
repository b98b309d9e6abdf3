// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ipcmark {

// The names of the capability bits that are set, as documents and people read them: "ordered", "peer-death". Bits that
// a later version of the ABI added have no name here and are left out.
[[nodiscard]] std::vector<std::string> capability_names(std::uint32_t capabilities);

} // namespace ipcmark

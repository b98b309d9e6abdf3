// SPDX-License-Identifier: Apache-2.0
#include "module/capability_names.hpp"

#include <ipcmark/module.h>

#include <utility>

namespace ipcmark {

std::vector<std::string> capability_names(std::uint32_t capabilities) {
    std::vector<std::string> names;
    for (const auto& [bit, name] :
         {std::pair(IPCMARK_CAP_BOUNDARIES, "boundaries"), std::pair(IPCMARK_CAP_ORDERED, "ordered"),
          std::pair(IPCMARK_CAP_RELIABLE, "reliable"), std::pair(IPCMARK_CAP_CROSS_HOST, "cross-host"),
          std::pair(IPCMARK_CAP_PEER_DEATH, "peer-death"), std::pair(IPCMARK_CAP_TX_RX_THREADS, "tx-rx-threads"),
          std::pair(IPCMARK_CAP_LOOPBACK, "loopback"), std::pair(IPCMARK_CAP_SCRATCH_DIR, "scratch-dir")})
        if ((capabilities & bit) != 0)
            names.emplace_back(name);
    return names;
}

} // namespace ipcmark

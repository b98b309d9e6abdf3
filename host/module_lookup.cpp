// SPDX-License-Identifier: Apache-2.0
#include "host/test_matrix.hpp"

#include <ipcmark/modules.hpp>

namespace ipcmark::host {

ModuleLookup module_lookup(const ModuleSearch& search) {
    return {
        [search](const std::string& mechanism) {
            return mechanism.find('/') == std::string::npos ? mechanism : find_module(search, mechanism).id;
        },
        [search](const std::string& mechanism) {
            std::vector<std::string> names;
            for (const auto& option : describe(find_module(search, mechanism)).options)
                names.push_back(option.name);
            return names;
        },
    };
}

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
#include "host/verbs.hpp"

#include <array>

namespace ipcmark::host {

std::span<const Verb> verbs() {
    static constexpr std::array table{
        Verb{"run", "Measure transports between two processes of this machine (the default).", verb_run},
        Verb{"list", "List the modules found, and why others were refused.", verb_list},
        Verb{"inspect", "Show what a module says about itself: options, limits, capabilities.", verb_inspect},
        Verb{"check", "Check whether a module keeps the contract, test by test.", verb_check},
        Verb{"new-module", "Write the sources of a new transport module.", verb_new_module},
        Verb{"serve", "Be the receiving end of a measurement, for 'connect' from elsewhere.", verb_serve},
        Verb{"connect", "Measure against a 'serve' elsewhere.", verb_connect},
        Verb{"compare", "Compare two result documents.", verb_compare},
        Verb{"schema", "Print the JSON Schema of the result document.", verb_schema},
    };
    return table;
}

} // namespace ipcmark::host

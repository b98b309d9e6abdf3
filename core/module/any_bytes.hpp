// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/parse_options.hpp>

namespace ipcmark {

// For JSON between our own processes: names of files, and what a module says, may be any bytes.
inline boost::json::parse_options any_bytes() {
    boost::json::parse_options options;
    options.allow_invalid_utf8 = true;
    return options;
}

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <boost/json.hpp>

namespace ipcmark::result {

// JSON text for people and machines: two spaces of indentation, lists of plain values filled up to 120 columns, doubles
// in their shortest exact form with a point or an exponent, a line feed at the end.
[[nodiscard]] std::string to_text(const boost::json::value& value);

} // namespace ipcmark::result

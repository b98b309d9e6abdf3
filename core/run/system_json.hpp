// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>

#include <boost/json/object.hpp>

namespace ipcmark {

// What machine the other end of a stand-alone run is on, as it goes over the control channel: all but the clock.
[[nodiscard]] boost::json::object system_to_json(const SystemInfo& system);
// Throws RunError naming the field that is wrong.
[[nodiscard]] SystemInfo system_from_json(const boost::json::object& object);

} // namespace ipcmark

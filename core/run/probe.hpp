// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "module/loaded_module.hpp"

#include <boost/json/object.hpp>

namespace ipcmark {

// In a worker: answers a "probe", the question whether a module can do some jobs at all, without making anything:
// options, message size, memory, endpoints, extensions. {"type":"probe","jobs":[JOB...],"both_sides":BOOL} ->
// {"type":"probed","errors":[TEXT...]}, the texts empty where the job can be done.
[[nodiscard]] boost::json::object probe(const boost::json::object& message);

[[nodiscard]] boost::json::object identity_json(const Module& module);
[[nodiscard]] ModuleIdentity identity_from_json(const boost::json::object& object);

} // namespace ipcmark

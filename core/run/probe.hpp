// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "module/loaded_module.hpp"

#include <functional>

#include <boost/json/object.hpp>

namespace ipcmark {

// In a worker: answers a "probe", the question whether a module can do some jobs at all, without making anything:
// options, message size, memory, endpoints, extensions. {"type":"probe","jobs":[JOB...],"both_sides":BOOL} ->
// {"type":"probed","error":TEXT} for each job in turn, the text empty where it can be done. Each is passed on before
// the next job is looked at, so that a module that crashes is known to have done so over the first one without an
// answer.
void probe(const boost::json::object& message, const std::function<void(const boost::json::object&)>& answer);

[[nodiscard]] boost::json::object identity_json(const Module& module);
[[nodiscard]] ModuleIdentity identity_from_json(const boost::json::object& object);

} // namespace ipcmark

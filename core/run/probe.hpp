// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "module/loaded_module.hpp"

#include <functional>
#include <string>

#include <boost/json/object.hpp>

namespace ipcmark {

// Why a job is not to be run.
enum class Refusal : unsigned {
    job,     // the module cannot do it
    options, // it has no such option, or not with such a value
    failure, // there was no answer, because of a crash, say: it is no matter of what was asked for
};

// In a worker: answers a "probe", the question whether a module can do some jobs at all, without making anything:
// options, message size, memory, endpoints, extensions. {"type":"probe","jobs":[JOB...],"both_sides":BOOL} ->
// {"type":"probed","error":TEXT,"refusal":REFUSAL} for each job in turn, the text empty where it can be done. Each is
// passed on before the next job is looked at, so that a module that crashes is known to have done so over the first one
// without an answer.
using ProbeAnswer = std::function<void(const boost::json::object&)>;
void probe(const boost::json::object& message, const ProbeAnswer& answer);
// Answers for all jobs that the question has failed, for this reason.
void fail_probe(const boost::json::object& message, const std::string& reason, const ProbeAnswer& answer);

[[nodiscard]] boost::json::object identity_json(const Module& module);
[[nodiscard]] ModuleIdentity identity_from_json(const boost::json::object& object);

} // namespace ipcmark

// SPDX-License-Identifier: Apache-2.0
#include "run/probe.hpp"

#include "module/guarded_call.hpp"
#include "run/control_channel.hpp"
#include "run/message_memory.hpp"
#include "run/module_words.hpp"
#include "run/worker_job.hpp"

#include <map>
#include <new>

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace ipcmark {
namespace {

void check_extension(const Module& module, const WorkerJob& job, const char* id, const char* what, const char* remedy) {
    if (module.extension(id) == nullptr)
        throw UsageError(fmt::format("module '{}' has no {} (extension {}); {}", job.module_id, what, id, remedy));
}

void check_job(const Module& module, const WorkerJob& job, const OptionValues& values, Sides sides) {
    if (job.mode == Mode::asynchronous)
        check_extension(module, job, IPCMARK_EXT_POLLFD, "asynchronous mode", "run it with --blocking");
    if (job.access == Access::direct)
        check_extension(module, job, IPCMARK_EXT_LOAN, "direct access", "run it without --direct");
    if (job.batch > 1)
        check_extension(module, job, IPCMARK_EXT_BATCH, "batches", "run it without --batch");
    ipcmark_listen_params params{};
    params.size = sizeof params;
    params.endpoint_count = job.endpoints;
    params.max_message_size = job.message_size;
    params.host = module_host();
    params.values = values.values().data();
    params.value_count = static_cast<std::uint32_t>(values.values().size());
    ipcmark_limits limits{};
    limits.size = sizeof limits;
    const auto status = guarded_call(job.module_id, "limits", [&] { return module.table().limits(&params, &limits); });
    module.check(status, nullptr, "limits");
    limits.reason[sizeof limits.reason - 1] = '\0';
    const std::string reason = limits.reason[0] == '\0' ? "" : fmt::format(" ({})", limits.reason);
    if (job.message_size > limits.max_message_size)
        throw UsageError(fmt::format("message size {} is above the maximum of '{}', {} bytes{}", job.message_size,
                                     job.module_id, limits.max_message_size, reason));
    if (limits.max_endpoints != 0 && job.endpoints > limits.max_endpoints)
        throw UsageError(fmt::format("concurrency {} is above the maximum of '{}', {} endpoints", job.endpoints,
                                     job.module_id, limits.max_endpoints));
    if (limits.max_in_flight != 0 && job.window > limits.max_in_flight)
        throw UsageError(
            fmt::format("window {} is above the maximum of '{}', {} messages in flight: give a smaller one, or "
                        "raise what 'ipcmark inspect {}' has for it",
                        job.window, job.module_id, limits.max_in_flight, job.module_id));
    if (sides == Sides::own && module.has(IPCMARK_CAP_LOOPBACK))
        throw UsageError(fmt::format("module '{}' moves messages within one process, so no other program can be its "
                                     "other side: measure it with 'ipcmark run'",
                                     job.module_id));
    check_message_memory(job, module.has(IPCMARK_CAP_LOOPBACK), sides);
}

const boost::json::array& jobs_of(const boost::json::object& message) {
    const auto* jobs = message.if_contains("jobs");
    if (jobs == nullptr || !jobs->is_array())
        throw RunError("a control message lacks the list 'jobs'");
    return jobs->get_array();
}

boost::json::object answer_of(const std::string& error, Refusal refusal) {
    return {{"type", "probed"}, {"error", error}, {"refusal", static_cast<unsigned>(refusal)}};
}

} // namespace

void probe(const boost::json::object& message, const ProbeAnswer& answer) {
    const boost::json::array& jobs = jobs_of(message);
    const Sides sides = message.at("both_sides").as_bool() ? Sides::both : Sides::own;
    std::map<std::string, std::shared_ptr<const Module>> loaded;
    for (const auto& item : jobs) {
        std::string error;
        auto refusal = Refusal::job;
        WorkerJob job;
        try {
            job = WorkerJob::from_json(item.as_object());
            auto& module = loaded[job.module_path];
            if (!module)
                module = Module::load(job.module_file(), job.debug_wrapper ? Checking::contract : Checking::none);
            refusal = Refusal::options;
            const OptionValues values = job_options(*module, job);
            refusal = Refusal::job;
            check_job(*module, job, values, sides);
        } catch (const ModuleFailure& failure) {
            error = words_of(failure, job);
            refusal = is_objection(failure.status()) ? Refusal::job : Refusal::failure;
        } catch (const std::bad_alloc&) {
            error = "out of memory in the worker that asks modules for their limits";
            refusal = Refusal::failure;
        } catch (const std::exception& caught) {
            error = caught.what();
        } catch (...) {
            error = escaped_exception(job.module_id, "one of its functions", "").what();
            refusal = Refusal::failure;
        }
        answer(answer_of(error, refusal));
    }
}

void fail_probe(const boost::json::object& message, const std::string& reason, const ProbeAnswer& answer) {
    for (std::size_t left = jobs_of(message).size(); left > 0; --left)
        answer(answer_of(reason, Refusal::failure));
}

boost::json::object identity_json(const Module& module) {
    const ModuleIdentity identity = module.identity();
    boost::json::array capabilities(identity.capabilities.begin(), identity.capabilities.end());
    return {
        {"id", identity.id},
        {"version", identity.version},
        {"display_name", identity.display_name},
        {"result_name", identity.result_name},
        {"path", identity.path},
        {"abi_major", identity.abi_major},
        {"abi_minor", identity.abi_minor},
        {"capabilities", capabilities},
        {"checked", identity.checked},
    };
}

ModuleIdentity identity_from_json(const boost::json::object& object) {
    ModuleIdentity identity;
    identity.id = text_field(object, "id");
    identity.version = text_field(object, "version");
    identity.display_name = text_field(object, "display_name");
    identity.result_name = text_field(object, "result_name");
    identity.path = text_field(object, "path");
    identity.abi_major = static_cast<std::uint32_t>(number_field(object, "abi_major"));
    identity.abi_minor = static_cast<std::uint32_t>(number_field(object, "abi_minor"));
    if (const auto* names = object.if_contains("capabilities"); names != nullptr && names->is_array()) {
        for (const auto& name : names->get_array())
            identity.capabilities.emplace_back(name.as_string());
    }
    const auto* checked = object.if_contains("checked");
    identity.checked = checked != nullptr && checked->is_bool() && checked->get_bool();
    return identity;
}

} // namespace ipcmark

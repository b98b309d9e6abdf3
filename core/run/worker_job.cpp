// SPDX-License-Identifier: Apache-2.0
#include "run/worker_job.hpp"

#include "run/control_channel.hpp"
#include "run/plan_limits.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <chrono>

#include <boost/json/array.hpp>

namespace ipcmark {
namespace {

using namespace std::chrono_literals;
constexpr std::chrono::nanoseconds set_up_limit = 10s;

double real_field(const boost::json::object& object, const char* name) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_number())
        throw RunError(std::string("a control message lacks the number '") + name + "'");
    return value->to_number<double>();
}

template <class Enum> Enum enum_field(const boost::json::object& object, const char* name, Enum last) {
    const std::uint64_t value = number_field(object, name);
    if (value > static_cast<std::uint64_t>(last))
        throw RunError(std::string("a control message has an unknown value of '") + name + "'");
    return static_cast<Enum>(value);
}

// What is beyond the limits of a plan comes from no plan, and may not cost the memory that it asks for.
unsigned count_field(const boost::json::object& object, const char* name, unsigned most) {
    const std::uint64_t value = number_field(object, name);
    if (value == 0 || value > most)
        throw RunError(std::string("a control message has '") + name + "' out of range");
    return static_cast<unsigned>(value);
}

boost::json::object texts_to_json(const std::map<std::string, std::string>& texts) {
    boost::json::object object;
    for (const auto& [name, text] : texts)
        object[name] = text;
    return object;
}

std::map<std::string, std::string> texts_from_json(const boost::json::object& object) {
    std::map<std::string, std::string> texts;
    for (const auto& [name, text] : object) {
        if (!text.is_string())
            throw RunError("a control message has a module option that is not text");
        texts[std::string(name)] = std::string(text.get_string());
    }
    return texts;
}

} // namespace

boost::json::object WorkerJob::to_json() const {
    boost::json::array cpu_list(cpus.begin(), cpus.end());
    return {
        {"role", static_cast<unsigned>(role)},
        {"direction", static_cast<unsigned>(direction)},
        {"module_path", module_path},
        {"module_id", module_id},
        {"module_version", module_version},
        {"options", texts_to_json(options)},
        {"soft_options", texts_to_json(soft_options)},
        {"chosen_options", texts_to_json(chosen_options)},
        {"message_size", message_size},
        {"warmup", warmup},
        {"count", count},
        {"duration_ns", duration_ns},
        {"send_delay_ns", send_delay_ns},
        {"rate_per_second", rate_per_second},
        {"spin_ns", spin_ns},
        {"set_up_timeout_ns", set_up_timeout_ns},
        {"endpoints", endpoints},
        {"window", window},
        {"batch", batch},
        {"mode", static_cast<unsigned>(mode)},
        {"access", static_cast<unsigned>(access)},
        {"wait", static_cast<unsigned>(wait)},
        {"debug_wrapper", debug_wrapper ? 1 : 0},
        {"cpus", cpu_list},
        {"scratch_dir", scratch_dir},
    };
}

WorkerJob WorkerJob::from_json(const boost::json::object& object) {
    WorkerJob job;
    job.role = enum_field(object, "role", Role::client);
    job.direction = enum_field(object, "direction", Direction::round_trip);
    job.module_path = text_field(object, "module_path");
    job.module_id = text_field(object, "module_id");
    job.module_version = text_field(object, "module_version");
    job.options = texts_from_json(object_field(object, "options"));
    job.soft_options = texts_from_json(object_field(object, "soft_options"));
    job.chosen_options = texts_from_json(object_field(object, "chosen_options"));
    job.message_size = number_field(object, "message_size");
    job.warmup = number_field(object, "warmup");
    job.count = number_field(object, "count");
    job.duration_ns = number_field(object, "duration_ns");
    job.send_delay_ns = number_field(object, "send_delay_ns");
    job.rate_per_second = real_field(object, "rate_per_second");
    job.spin_ns = number_field(object, "spin_ns");
    job.set_up_timeout_ns = number_field(object, "set_up_timeout_ns");
    job.endpoints = count_field(object, "endpoints", most_endpoints);
    job.window = count_field(object, "window", most_outstanding);
    job.batch = count_field(object, "batch", most_outstanding);
    job.mode = enum_field(object, "mode", Mode::asynchronous);
    job.access = enum_field(object, "access", Access::direct);
    job.wait = enum_field(object, "wait", WaitPolicy::adaptive);
    job.debug_wrapper = number_field(object, "debug_wrapper") != 0;
    const auto* cpus = object.if_contains("cpus");
    if (cpus == nullptr || !cpus->is_array())
        throw RunError("a control message lacks the list 'cpus'");
    for (const auto& cpu : cpus->get_array())
        job.cpus.push_back(cpu.to_number<int>());
    job.scratch_dir = text_field(object, "scratch_dir");
    return job;
}

ModuleFile WorkerJob::module_file() const {
    ModuleFile file;
    file.path = module_path;
    file.id = module_id;
    file.version = module_version;
    return file;
}

std::uint64_t WorkerJob::count_of(unsigned endpoint) const noexcept {
    if (count == 0)
        return UINT64_MAX;
    return count / endpoints + (endpoint < count % endpoints ? 1 : 0);
}

OptionValues job_options(const Module& module, const WorkerJob& job) {
    auto texts = job.options;
    for (const auto* more : {&job.soft_options, &job.chosen_options}) {
        for (const auto& [name, text] : *more) {
            const auto has_name = [&name = name](const ipcmark_option& option) { return option.name == name; };
            if (std::any_of(module.options().begin(), module.options().end(), has_name))
                texts.emplace(name, text);
        }
    }
    return module.parse_options(texts);
}

WorkerJob make_job(const TestPlan& plan, Role role, Direction direction) {
    WorkerJob job;
    job.role = role;
    job.direction = direction;
    job.module_id = plan.mechanism;
    job.options = plan.options;
    if (plan.buffer_size_bytes)
        job.soft_options["buffer-size"] = std::to_string(*plan.buffer_size_bytes);
    job.message_size = plan.message_size_bytes;
    job.warmup = plan.warmup_messages + (plan.first_message == FirstMessage::drop ? 1 : 0);
    if (plan.duration)
        job.duration_ns = static_cast<std::uint64_t>(plan.duration->count());
    else
        job.count = plan.message_count.value_or(0);
    job.send_delay_ns = static_cast<std::uint64_t>(plan.send_delay.count());
    job.rate_per_second = plan.rate_per_second.value_or(0);
    job.spin_ns = static_cast<std::uint64_t>(plan.spin.count());
    job.set_up_timeout_ns = static_cast<std::uint64_t>(set_up_limit.count());
    job.endpoints = plan.concurrency;
    job.window = plan.window_of(direction);
    job.batch = plan.batch_of(direction);
    job.mode = plan.mode;
    job.access = plan.access;
    job.wait = plan.wait;
    job.cpus = role == Role::server ? plan.server_cpus : plan.client_cpus;
    return job;
}

} // namespace ipcmark

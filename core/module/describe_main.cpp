// SPDX-License-Identifier: Apache-2.0
#include "module/describe_main.hpp"

#include "module/capability_names.hpp"
#include "module/describe_text.hpp"
#include "module/guarded_call.hpp"
#include "module/identity.hpp"
#include "module/loaded_module.hpp"
#include "module/option_text.hpp"

#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/loan.h>
#include <ipcmark/ext/pollfd.h>
#include <ipcmark/module_kit/fd.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace ipcmark {
namespace {

class Reply {
public:
    // Takes standard output for itself; from now on it is standard error for everyone else.
    Reply() : out_(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)) { ::dup2(STDERR_FILENO, STDOUT_FILENO); }

    void line(std::string text) const {
        std::replace(text.begin(), text.end(), '\n', ' ');
        text += '\n';
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t written = ::write(out_.get(), text.data() + done, text.size() - done);
            if (written <= 0)
                return; // the parent has gone
            done += static_cast<std::size_t>(written);
        }
    }

private:
    kit::Fd out_;
};

const char* text_or_empty(const char* text) {
    return text == nullptr ? "" : text;
}

OptionInfo info_of(const ipcmark_option& option) {
    OptionInfo info;
    info.name = option.name;
    info.type = option_type_name(option.type);
    info.default_text = option.default_text;
    info.minimum = format_minimum(option);
    info.maximum = format_maximum(option);
    if (option.type == IPCMARK_TYPE_ENUM)
        for (const ipcmark_choice& choice : std::span(option.choices, option.choice_count))
            info.choices.emplace_back(choice.name, text_or_empty(choice.help));
    info.unit = text_or_empty(option.unit);
    info.help = text_or_empty(option.help);
    return info;
}

void add_limits(const Module& module, ModuleDescription& description) {
    const OptionValues values = module.parse_options({});
    ipcmark_listen_params params{};
    params.size = sizeof params;
    params.endpoint_count = 1;
    params.max_message_size = 1;
    params.host = module_host();
    params.values = values.values().data();
    params.value_count = static_cast<std::uint32_t>(values.values().size());
    ipcmark_limits limits{};
    limits.size = sizeof limits;
    try {
        const auto status =
            guarded_call(module.file().id, "limits", [&] { return module.table().limits(&params, &limits); });
        module.check(status, nullptr, "limits");
    } catch (const ModuleFailure& failure) {
        // A transport that this system cannot carry now can be described all the same.
        description.limit_reason = failure.what();
        return;
    }
    limits.reason[IPCMARK_REASON_SIZE - 1] = '\0';
    description.max_message_size_bytes = limits.max_message_size;
    description.max_in_flight = limits.max_in_flight;
    description.max_endpoints = limits.max_endpoints;
    description.limit_reason = limits.reason;
}

ModuleDescription describe_here(const char* path, const Reply& reply) {
    ModuleFile file;
    file.path = path;
    reply.line("stage when it was loaded");
    const auto module = Module::load(file);
    const ipcmark_descriptor& table = module->table();
    ModuleDescription description;
    description.display_name = table.display_name;
    description.result_name = table.result_name;
    description.description = table.description;
    description.licence = table.licence;
    description.capabilities = capability_names(table.capabilities);
    description.build_flags = build_flag_names(read_identity(module->file().path).entry.build_flags);
    for (const ipcmark_option& option : module->options())
        description.options.push_back(info_of(option));
    reply.line("stage in get_extension");
    for (const char* id : {IPCMARK_EXT_POLLFD, IPCMARK_EXT_LOAN, IPCMARK_EXT_BATCH})
        if (module->extension(id) != nullptr)
            description.extensions.emplace_back(id);
    reply.line("stage in limits");
    add_limits(*module, description);
    return description;
}

} // namespace

int describe_main(const char* path) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGXFSZ, SIG_IGN);
    const Reply reply;
    try {
        reply.line(description_to_text(describe_here(path, reply)));
        return 0;
    } catch (const std::exception& error) {
        reply.line(std::string("failed ") + error.what());
        return 1;
    }
}

} // namespace ipcmark

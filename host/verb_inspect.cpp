// SPDX-License-Identifier: Apache-2.0
#include "host/printable.hpp"
#include "host/run_options.hpp"
#include "host/standard_output.hpp"
#include "host/text_table.hpp"
#include "host/verbs.hpp"
#include "result/json_text.hpp"

#include <ipcmark/modules.hpp>

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::host {

namespace {

namespace json = boost::json;

Grammar grammar() {
    Grammar grammar;
    grammar.command = "ipcmark inspect";
    grammar.usage = "MODULE [options]";
    grammar.description = "Show what a module says about itself. It is loaded in a child process.";
    grammar.positionals = {
        {"MODULE", "Its id (see 'ipcmark list') or a path with a '/'. Write it before the options."}};
    grammar.options = module_search_options();
    grammar.options.push_back({"--json", "", Arity::flag, "Output", "Print JSON.", ""});
    grammar.options.push_back(help_option());
    return grammar;
}

std::string joined(const std::vector<std::string>& names) {
    return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

std::string limits_of(const ModuleDescription& module) {
    if (module.max_message_size_bytes == 0)
        return "not known on this system: " +
               (module.limit_reason.empty() ? "the module names no size that it can carry" : module.limit_reason);
    std::string text = module.max_message_size_bytes >= std::numeric_limits<std::int64_t>::max()
                           ? "messages of any size"
                           : fmt::format("messages up to {} bytes ({})", module.max_message_size_bytes,
                                         rough_size(module.max_message_size_bytes));
    if (!module.limit_reason.empty())
        text += ": " + module.limit_reason;
    if (module.max_in_flight != 0)
        text += fmt::format("; {} messages under way in a direction", module.max_in_flight);
    if (module.max_endpoints != 0)
        text += fmt::format("; {} endpoints", module.max_endpoints);
    return text;
}

std::string bounds_of(const OptionInfo& option) {
    if (option.minimum.empty() && option.maximum.empty())
        return "";
    return fmt::format(", {} to {}", option.minimum.empty() ? "any" : option.minimum,
                       option.maximum.empty() ? "any" : option.maximum);
}

std::string indented(const std::string& head, const std::string& words, Colour colour) {
    return paragraph(head, words, Style::faint, colour, Hanging::below_words);
}

std::string as_text(const ModuleDescription& module, Colour colour) {
    std::string text = fmt::format("{} {}: {}\n", styled(module.file.id, Style::bold, colour),
                                   printable(module.file.version), printable(module.display_name));
    text += indented("  about        ", module.description, colour);
    text += indented("  file         ", module.file.path.string(), colour);
    text += indented("  abi          ", fmt::format("{}.{}", module.file.abi_major, module.file.abi_minor), colour);
    text += indented("  licence      ", module.licence, colour);
    text += indented("  in results   ", module.result_name, colour);
    text += indented("  capabilities ", joined(module.capabilities), colour);
    text += indented("  extensions   ", joined(module.extensions), colour);
    text += indented("  build flags  ", joined(module.build_flags), colour);
    text += indented("  limits       ", limits_of(module), colour);
    if (module.options.empty())
        return text + "No options.\n";
    text += "Options, for -O NAME=VALUE:\n";
    for (const auto& option : module.options) {
        const auto value = option.default_text.empty() ? "" : ", default " + printable(option.default_text);
        text += fmt::format("  {} ({}{}{})\n", styled(option.name, Style::bold, colour), option.type, bounds_of(option),
                            value);
        text += indented("     ", option.help, colour);
        for (const auto& [name, help] : option.choices)
            text += indented(fmt::format("      {:<12}", name), help, colour);
    }
    return text;
}

json::array list_of(const std::vector<std::string>& names) {
    json::array list;
    for (const auto& name : names)
        list.emplace_back(name);
    return list;
}

std::string as_json(const ModuleDescription& module) {
    json::array options;
    for (const auto& option : module.options) {
        json::array choices;
        for (const auto& [name, help] : option.choices)
            choices.push_back({{"name", name}, {"help", help}});
        options.push_back({
            {"name", option.name},
            {"type", option.type},
            {"default", option.default_text},
            {"minimum", option.minimum},
            {"maximum", option.maximum},
            {"choices", std::move(choices)},
            {"unit", option.unit},
            {"help", option.help},
        });
    }
    return result::to_text({
        {"id", module.file.id},
        {"version", module.file.version},
        {"path", module.file.path.string()},
        {"abi_major", module.file.abi_major},
        {"abi_minor", module.file.abi_minor},
        {"display_name", module.display_name},
        {"result_name", module.result_name},
        {"description", module.description},
        {"licence", module.licence},
        {"capabilities", list_of(module.capabilities)},
        {"extensions", list_of(module.extensions)},
        {"build_flags", list_of(module.build_flags)},
        {"max_message_size_bytes", module.max_message_size_bytes},
        {"max_in_flight", module.max_in_flight},
        {"max_endpoints", module.max_endpoints},
        {"limit_reason", module.limit_reason},
        {"options", std::move(options)},
    });
}

} // namespace

int verb_inspect(const Invocation& invocation) {
    const auto arguments = parse_command_line(grammar(), invocation.arguments);
    if (arguments.help) {
        print(help_text(grammar()));
        return exit_ok;
    }
    const auto module = describe(find_module(module_search_of(arguments), arguments.positionals.front()));
    print(arguments.flag("json") ? as_json(module) : as_text(module, colour_of(STDOUT_FILENO)));
    return exit_ok;
}

} // namespace ipcmark::host

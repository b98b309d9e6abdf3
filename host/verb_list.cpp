// SPDX-License-Identifier: Apache-2.0
#include "host/run_options.hpp"
#include "host/standard_output.hpp"
#include "host/text_table.hpp"
#include "host/verbs.hpp"
#include "result/json_text.hpp"

#include <ipcmark/modules.hpp>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::host {

namespace {

namespace json = boost::json;

Grammar grammar() {
    Grammar grammar;
    grammar.command = "ipcmark list";
    grammar.usage = "[options]";
    grammar.description = "List every file that the search for modules looks at, in its order, and why those that "
                          "cannot be used were refused. Runs no code of any module.";
    grammar.options = module_search_options();
    grammar.options.push_back({"--json", "", Arity::flag, "Output", "Print JSON.", ""});
    grammar.options.push_back(help_option());
    return grammar;
}

std::string abi_of(const ModuleFile& file) {
    return file.abi_major == 0 ? "" : fmt::format("{}.{}", file.abi_major, file.abi_minor);
}

Cell status_of(const ModuleFile& file) {
    if (file.rejected)
        return {"refused: " + *file.rejected, Style::red};
    if (file.shadowed_by)
        return {"not used: hidden by " + file.shadowed_by->string(), Style::yellow};
    return {"usable", Style::green};
}

std::string as_text(const std::vector<ModuleFolder>& folders, Colour colour) {
    TextTable table;
    for (const auto* heading : {"id", "version", "abi", "found by", "file", "status"})
        table.add_column(heading, Align::left);
    for (const auto& folder : folders) {
        if (folder.rejected)
            table.add_row({{"-"},
                           {},
                           {},
                           {folder.origin},
                           {folder.path.string() + "/"},
                           {"folder refused: " + *folder.rejected, Style::red}});
        else if (folder.files.empty())
            table.add_row({{"-"}, {}, {}, {folder.origin}, {folder.path.string() + "/"}, {"no modules", Style::faint}});
        for (const auto& file : folder.files)
            table.add_row({{file.id.empty() ? "-" : file.id, file.rejected ? Style::plain : Style::bold},
                           {file.version},
                           {abi_of(file)},
                           {folder.origin},
                           {file.path.string()},
                           status_of(file)});
    }
    return table.text(colour);
}

template <class T, class Convert> json::value or_null(const std::optional<T>& value, Convert convert) {
    return value ? json::value(convert(*value)) : json::value(nullptr);
}

std::string as_json(const std::vector<ModuleFolder>& folders) {
    const auto text = [](const auto& path_or_text) { return std::string(path_or_text); };
    json::array list;
    for (const auto& folder : folders) {
        json::array files;
        for (const auto& file : folder.files)
            files.push_back({
                {"path", file.path.string()},
                {"id", file.id},
                {"version", file.version},
                {"abi_major", file.abi_major},
                {"abi_minor", file.abi_minor},
                {"usable", !file.rejected && !file.shadowed_by},
                {"rejected", or_null(file.rejected, text)},
                {"shadowed_by", or_null(file.shadowed_by, text)},
            });
        list.push_back({
            {"path", folder.path.string()},
            {"origin", folder.origin},
            {"rejected", or_null(folder.rejected, text)},
            {"files", std::move(files)},
        });
    }
    return result::to_text({{"folders", std::move(list)}});
}

} // namespace

int verb_list(const Invocation& invocation) {
    const auto arguments = parse_command_line(grammar(), invocation.arguments);
    if (arguments.help) {
        print(help_text(grammar()));
        return exit_ok;
    }
    const auto folders = discover(module_search_of(arguments));
    print(arguments.flag("json") ? as_json(folders) : as_text(folders, colour_of(STDOUT_FILENO)));
    return exit_ok;
}

} // namespace ipcmark::host

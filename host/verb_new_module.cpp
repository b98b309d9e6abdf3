// SPDX-License-Identifier: Apache-2.0
#include "host/new_module/templates.hpp"
#include "host/standard_output.hpp"
#include "host/verbs.hpp"
#include "module/locate.hpp"

#include <ipcmark/module.h>
#include <ipcmark/modules.hpp>
#include <ipcmark/run.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

namespace ipcmark::host {
namespace {

namespace fs = std::filesystem;

Grammar grammar() {
    Grammar grammar;
    grammar.command = "ipcmark new-module";
    grammar.usage = "NAME [options]";
    grammar.description =
        "Write the sources of a new transport module: a small one that builds, passes 'ipcmark check' "
        "and can be measured at once, for you to change step by step.";
    grammar.positionals = {
        {"NAME", "The module's id: lower case, digits and hyphens; of no module that is found already."}};
    grammar.options = {
        {"--lang", "LANGUAGE", Arity::one, "Module", "c (default), cpp or rust.", ""},
        {"--dir", "FOLDER", Arity::one, "Module", "Where to write it (default: ./NAME); must be new or empty.", ""},
    };
    grammar.options.push_back(help_option());
    return grammar;
}

// What stands in an example for the module's own name, and what takes its place.
struct Replacement {
    std::string_view language;
    std::string_view from;
    std::string_view to; // ID: the id; IDENTIFIER: with '_' for '-'; WORD: in camel case
};
constexpr std::array replacements{
    Replacement{"c", "project('ipcmark-pipe'", "project('ipcmark-ID'"},
    Replacement{"c", "shared_module('pipe', 'pipe.c'", "shared_module('ID', 'ID.c'"},
    Replacement{"c", "IPCMARK_DEFINE_MODULE(\"pipe\"", "IPCMARK_DEFINE_MODULE(\"ID\""},
    Replacement{"c", "\"Named pipe\"", "\"ID\""},
    Replacement{"c", "\"NamedPipe\"", "\"WORD\""},
    Replacement{"cpp", "project('ipcmark-eventfd'", "project('ipcmark-ID'"},
    Replacement{"cpp", "shared_module('eventfd', 'eventfd.cpp'", "shared_module('ID', 'ID.cpp'"},
    Replacement{"cpp", "IPCMARK_DEFINE_MODULE(\"eventfd\"", "IPCMARK_DEFINE_MODULE(\"ID\""},
    Replacement{"cpp", "\"Shared memory with eventfds\"", "\"ID\""},
    Replacement{"cpp", "\"EventFd\"", "\"WORD\""},
    Replacement{"rust", "name = \"ipcmark-packet\"", "name = \"ipcmark-ID\""},
    Replacement{"rust", "name = \"packet\"", "name = \"IDENTIFIER\""},
    Replacement{"rust", "fixed(\"packet\")", "fixed(\"ID\")"},
    Replacement{"rust", "c\"Unix packet socket\"", "c\"ID\""},
    Replacement{"rust", "c\"UnixPacketSocket\"", "c\"WORD\""},
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

std::string identifier_of(std::string id) {
    std::replace(id.begin(), id.end(), '-', '_');
    return id;
}

// "fast-pipe" to "FastPipe".
std::string word_of(const std::string& id) {
    std::string word;
    bool capital = true;
    for (const char c : id) {
        if (c == '-') {
            capital = true;
            continue;
        }
        word += capital && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        capital = false;
    }
    return word;
}

std::string named(std::string text, const std::string& id) {
    replace_all(text, "IDENTIFIER", identifier_of(id));
    replace_all(text, "WORD", word_of(id));
    replace_all(text, "ID", id);
    return text;
}

std::string content_of(const TemplateFile& file, const std::string& id) {
    std::string text(file.text);
    for (const auto& replacement : replacements) {
        if (replacement.language == file.language) {
            replace_all(text, replacement.from, named(std::string(replacement.to), id));
        }
    }
    return text;
}

void check_name(const std::string& id) {
    bool good = !id.empty() && id.size() < IPCMARK_ID_SIZE && id.front() >= 'a' && id.front() <= 'z';
    for (const char c : id) {
        good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
    }
    if (!good) {
        throw UsageError(
            fmt::format("'{}' cannot be a module's id: lower case, digits and hyphens, {} at most, beginning "
                        "with a letter",
                        id, IPCMARK_ID_SIZE - 1));
    }
}

// Meson's own targets, of every build: it takes no other ones of these names, whatever the module's language.
constexpr std::array meson_targets{"benchmark", "clean",         "clean-ctlist",  "clean-gcda",   "clean-gcno",
                                   "coverage",  "coverage-html", "coverage-text", "coverage-xml", "dist",
                                   "distcheck", "install",       "phony",         "reconfigure",  "scan-build",
                                   "test",      "uninstall"};

// Ids that a module could be given, and not be used by.
void check_usable(const std::string& id) {
    if (id == "all")
        throw UsageError("'all' cannot be a module's id: -m all is all the transports; choose another name");
    if (id.starts_with("meson-") || std::find(meson_targets.begin(), meson_targets.end(), id) != meson_targets.end())
        throw UsageError(
            fmt::format("'{}' cannot be a module's id: Meson, which builds modules, reserves that name for "
                        "a target of its own; choose another name",
                        id));
    for (const auto& folder : discover({}))
        for (const auto& file : folder.files)
            if (file.id == id && !file.rejected)
                throw UsageError(fmt::format("there is a module '{}' already, {}: -m {} would be only one of the two; "
                                             "choose another name",
                                             id, file.path.string(), id));
}

void write_file(const fs::path& path, const std::string& text) {
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) {
        throw UsageError(fmt::format("cannot make the folder {}: {}; choose another with --dir",
                                     path.parent_path().string(), error.message()));
    }
    errno = 0;
    std::ofstream file(path);
    file << text;
    file.close();
    if (!file) {
        throw RunError(fmt::format("cannot write {}: {}", path.string(), std::strerror(errno)));
    }
}

// The folder of ipcmark-module.pc, where pkg-config would not look for it by itself.
std::string pkg_config_path() {
    fs::path folder;
    if (const auto built = build_tree_module_dir())
        folder = built->parent_path() / "meson-uninstalled";
    else if (const auto installed = installed_module_dir())
        folder = installed->parent_path().parent_path() / "pkgconfig";
    const bool is_looked_at = folder.string().starts_with("/usr/");
    std::error_code ignored;
    return is_looked_at || !fs::is_directory(folder, ignored) ? ""
                                                              : fmt::format("PKG_CONFIG_PATH={} ", folder.string());
}

std::string next_steps(const std::string& language, const std::string& id, const fs::path& folder) {
    const bool rust = language == "rust";
    const auto built =
        rust ? fmt::format("target/release/lib{}.so", identifier_of(id)) : fmt::format("build/{}.so", id);
    return fmt::format("Wrote {0}. Next:\n"
                       "  cd {0}\n"
                       "  {1}\n"
                       "  ipcmark check {2}\n"
                       "  ipcmark run -m {3} --module-path {4}\n",
                       folder.string(),
                       rust ? "cargo build --release" : pkg_config_path() + "meson setup build && ninja -C build",
                       built, id, rust ? "target/release" : "build");
}

std::string readme(const std::string& language, const std::string& id) {
    const bool rust = language == "rust";
    const auto built =
        rust ? fmt::format("target/release/lib{}.so", identifier_of(id)) : fmt::format("build/{}.so", id);
    return fmt::format(
        "# {0}: a transport module for ipcmark\n\n"
        "    {1}\n"
        "    ipcmark check {2}\n"
        "    ipcmark run -m {0} --module-path {3}\n\n"
        "It began as the example that `ipcmark new-module` writes, which works. Change the transport step by "
        "step,\nand let `ipcmark check` tell after each step whether it is still right.\n",
        id, rust ? "cargo build --release" : "meson setup build && ninja -C build", built,
        rust ? "target/release" : "build");
}

} // namespace

int verb_new_module(const Invocation& invocation) {
    const auto arguments = parse_command_line(grammar(), invocation.arguments);
    if (arguments.help) {
        print(help_text(grammar()));
        return exit_ok;
    }
    const auto& id = arguments.positionals.front();
    check_name(id);
    check_usable(id);
    const auto language = arguments.has("lang") ? arguments.values.at("lang").front() : std::string("c");
    if (language != "c" && language != "cpp" && language != "rust") {
        throw UsageError(fmt::format("--lang: '{}' is not known; there are c, cpp and rust", language));
    }
    const fs::path folder = arguments.has("dir") ? arguments.values.at("dir").front() : id;
    std::error_code error;
    if (fs::exists(folder, error) && (!fs::is_directory(folder, error) || !fs::is_empty(folder, error))) {
        throw UsageError(
            fmt::format("'{}' is there already and not an empty folder; choose another with --dir", folder.string()));
    }
    for (const auto& file : module_templates()) {
        if (file.language == language) {
            std::string name(file.name);
            replace_all(name, "NAME", id);
            write_file(folder / name, content_of(file, id));
        }
    }
    write_file(folder / "README.md", readme(language, id));
    print(next_steps(language, id, folder));
    return exit_ok;
}

} // namespace ipcmark::host

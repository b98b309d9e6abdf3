// SPDX-License-Identifier: Apache-2.0
#include "host/log.hpp"
#include "host/mechanism_hint.hpp"
#include "host/standard_output.hpp"
#include "host/verbs.hpp"
#include "module/nearest_name.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

namespace {

using namespace ipcmark;
using namespace ipcmark::host;

std::string main_help() {
    std::string text = "Usage: ipcmark [run] [options]\n"
                       "       ipcmark VERB [options]\n\n"
                       "Measure how fast two processes can talk, through transport modules loaded at run\n"
                       "time. Without a verb: run; without anything: the default test.\n\nVerbs:\n";
    for (const auto& verb : verbs())
        text += fmt::format("  {:<12}{}\n", verb.name, verb.summary);
    text += "\nExamples:\n"
            "  ipcmark                             the default test: uds, 1 KiB, both directions\n"
            "  ipcmark -m all -s 64,1K,8K          a matrix\n"
            "  ipcmark -m tcp --rate 10k -d 10s    latency under a steady load\n"
            "  ipcmark run --help                  all the options of a run\n"
            "  ipcmark VERB --help                 those of a verb\n\n"
            "  -h, --help                          Print this help.\n"
            "  -V, --version                       Print the version.\n";
    return text;
}

const Verb* find_verb(const std::string& name) {
    const auto table = verbs();
    const auto found = std::find_if(table.begin(), table.end(), [&](const Verb& verb) { return verb.name == name; });
    return found == table.end() ? nullptr : &*found;
}

[[noreturn]] void refuse_verb(const std::string& name) {
    std::vector<std::string> names;
    for (const auto& verb : verbs())
        names.emplace_back(verb.name);
    auto hint = mechanism_hint(name);
    if (hint.empty())
        hint = did_you_mean(name, names);
    throw UsageError(fmt::format("unknown verb '{}'{}", name, hint.empty() ? "; see 'ipcmark --help'" : hint));
}

int dispatch(Invocation invocation) {
    auto& arguments = invocation.arguments;
    if (invocation.program == Program::ipc_benchmark || arguments.empty())
        return verb_run(invocation);

    const auto first = arguments.front();
    if (first == "-h" || first == "--help" || (first == "help" && arguments.size() == 1)) {
        print(main_help());
        return exit_ok;
    }
    if (first.starts_with('-'))
        return verb_run(invocation);
    arguments.erase(arguments.begin());
    if (first == "help") { // 'ipcmark help VERB' is 'ipcmark VERB --help'
        const auto* verb = find_verb(arguments.front());
        if (verb == nullptr)
            refuse_verb(arguments.front());
        invocation.arguments = {"--help"};
        return verb->call(invocation);
    }
    const auto* verb = find_verb(first);
    if (verb == nullptr)
        refuse_verb(first);
    return verb->call(invocation);
}

// A reader that has seen enough and went away, such as head, is no error.
int checked_output(int code) {
    const int error = flush_standard_output();
    if (error == 0 || error == EPIPE)
        return code;
    throw RunError(fmt::format("cannot write to standard output: {}", std::strerror(error)));
}

// A descriptor that the caller has closed would go to the first thing that is opened, into which our text is then
// written. Read-only, so that output is an error as it should be.
void occupy_standard_descriptors() {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(descriptor, F_GETFD) < 0)
            ::open("/dev/null", O_RDONLY); // the lowest one that is free
}

} // namespace

int main(int argc, char** argv) {
    occupy_standard_descriptors();
    ::signal(SIGPIPE, SIG_IGN); // results must reach their files though nobody reads the table
    ::signal(SIGXFSZ, SIG_IGN); // beyond the limit of file sizes a write fails, which can be told
    ::signal(SIGCHLD, SIG_DFL); // where a parent has it ignored, nobody could tell how a worker ended
    Invocation invocation;
    invocation.command_line.assign(argv, argv + argc);
    if (argc > 1)
        invocation.arguments.assign(argv + 1, argv + argc);
    const auto called = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : std::string();
    const auto program = called == program_name(Program::ipc_benchmark) ? Program::ipc_benchmark : Program::ipcmark;
    invocation.program = program;

    const auto fail = [&](const std::string& what, int code) {
        std::fputs(fmt::format("{}: {}\n", program_name(program), one_line(what)).c_str(), stderr);
        return code;
    };
    try {
        return checked_output(dispatch(std::move(invocation)));
    } catch (const UsageError& error) {
        return fail(error.what(), exit_usage);
    } catch (const RunError& error) {
        return fail(error.what(), exit_failed);
    } catch (const std::bad_alloc&) {
        return fail("out of memory", exit_failed);
    } catch (const std::exception& error) {
        // Whatever needed it, of all the paths that may be relative.
        std::error_code folder;
        static_cast<void>(std::filesystem::current_path(folder));
        if (folder)
            return fail(
                fmt::format("the working folder cannot be used: {}; change to one that is there", folder.message()),
                exit_usage);
        return fail(fmt::format("internal error: {}", error.what()), exit_failed);
    }
}

// SPDX-License-Identifier: Apache-2.0
#include "host/run_request.hpp"

#include "host/run_options.hpp"
#include "host/stand_alone.hpp"
#include "host/suite_file.hpp"
#include "result/same_output.hpp"

#include <ipcmark/module_kit/socket_buffer.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ipcmark::host {

namespace {

constexpr const char* retry_option = "retry";
// As long as the predecessor's client tries.
constexpr std::chrono::seconds default_retry{30};

void apply(const Arguments& arguments, RunSettings& settings) {
    for (const auto& option : run_options())
        set_option(option, arguments, settings);
}

// The lines of a suite in front of what is wrong with one of its tests.
template <class Make> auto at(const std::string& where, Make make) {
    try {
        return make();
    } catch (const UsageError& error) {
        throw UsageError(where.empty() ? error.what() : fmt::format("{}: {}", where, error.what()));
    }
}

std::string joined(const std::set<std::string>& names) {
    std::string text;
    for (const auto& name : names)
        text += (text.empty() ? "" : ", ") + name;
    return text;
}

// Options that no mechanism or direction of the plan takes: an error in ipcmark; the predecessor ignored them, so its
// drop-in says that it does.
void check_use(Program program, const OptionUse& use, std::vector<std::string>& notes) {
    for (const auto& [asked, directions] : use.asked) {
        if (use.used.contains(asked))
            continue;
        if (asked.starts_with("--module-option"))
            throw UsageError(
                fmt::format("{}: no such module among the mechanisms of this run ({})", asked, joined(use.mechanisms)));
        const auto text =
            directions.empty()
                ? fmt::format("{} is for none of the mechanisms of this run ({})", asked, joined(use.mechanisms))
                : fmt::format("{} is for {}, and this run has none; leave it out, or measure them, too", asked,
                              directions);
        if (program == Program::ipcmark)
            throw UsageError(text);
        notes.push_back(text + "; ignored");
    }
}

// The predecessor left it to the kernel to cut the buffers of its sockets to the system's limits in silence; its
// drop-in does it itself and says so. (ipcmark takes it for a mistake.)
void cut_socket_buffers(RunRequest& request) {
    std::vector<TestPlan*> asking;
    for (TestPlan& test : request.plan.tests)
        if (test.buffer_size_bytes && (test.mechanism == "uds" || test.mechanism == "tcp"))
            asking.push_back(&test);
    if (asking.empty())
        return;
    const auto limit_of = [](kit::BufferSide side) {
        return kit::socket_buffer_limit(side).value_or(kit::usual_socket_buffer_limit);
    };
    const auto limit = std::min(limit_of(kit::BufferSide::send), limit_of(kit::BufferSide::receive));
    bool is_cut = false;
    for (TestPlan* test : asking) {
        if (*test->buffer_size_bytes > limit) {
            test->buffer_size_bytes = limit;
            is_cut = true;
        }
    }
    if (is_cut)
        request.notes.push_back(fmt::format("--buffer-size is cut to {} bytes for uds and tcp: the limits "
                                            "net.core.wmem_max and net.core.rmem_max allow no more; raise them with "
                                            "sysctl -w",
                                            limit));
}

void check_outputs(const RunRequest& request) {
    std::vector<std::pair<std::string, std::filesystem::path>> outputs;
    const auto add = [&](const char* name, const std::optional<std::filesystem::path>& path) {
        if (!path)
            return;
        const auto leads_to = std::filesystem::absolute(path == standard_output_path ? "/dev/stdout" : *path);
        for (const auto& [other, other_path] : outputs)
            if (same_output(other_path, leads_to))
                throw UsageError(fmt::format("{} and {} both write '{}'", other, name, path->string()));
        outputs.emplace_back(name, leads_to);
    };
    add("--output-file", request.output_file);
    add("--csv", request.csv);
    add("--hdr-log", request.hdr_log);
    add("--streaming-output-json", request.plan.streaming.json);
    add("--streaming-output-csv", request.plan.streaming.csv);
    add("--streaming-output-ndjson", request.plan.streaming.ndjson);
    if (request.log_file && request.log_file != "stderr")
        add("--log-file", std::filesystem::path(*request.log_file));
}

void set_outputs(Program program, const RunWideSettings& wide, RunRequest& request) {
    request.schema = wide.schema.value_or(program == Program::ipc_benchmark ? Schema::rusty_comms : Schema::ipcmark);
    request.output_file = wide.output_file;
    request.csv = wide.csv;
    request.hdr_log = wide.hdr_log;
    request.log_file = wide.log_file;
    request.quiet = wide.quiet;
    request.verbosity = wide.verbosity;
    request.plan.streaming = wide.streaming;
    if (request.schema == Schema::rusty_comms)
        request.plan.streaming.columns = SampleColumns::rusty_comms;
}

} // namespace

Grammar run_grammar(Program program, RunVerb verb) {
    Grammar grammar;
    const bool drop_in = program == Program::ipc_benchmark;
    if (drop_in) {
        grammar.command = "ipc-benchmark";
        grammar.usage = "[options]";
        grammar.description = "Measure how fast two processes can talk: ipcmark under the name, options and defaults "
                              "of rusty-comms' program. Asynchronous unless --blocking; results in the schema of "
                              "rusty-comms unless --schema ipcmark.";
    } else if (verb == RunVerb::connect) {
        grammar.command = "ipcmark connect";
        grammar.usage = "ADDRESS [options]";
        grammar.description = "Run tests whose server side is in an 'ipcmark serve' at ADDRESS: tcp:HOST:PORT, "
                              "unix:PATH or unix:@NAME.";
    } else {
        grammar.command = "ipcmark run";
        grammar.usage = "[options]";
        grammar.description = "Measure how fast two processes on this machine can talk. 'run' may be left out. Without "
                              "options: uds, 1024 bytes, 10000 messages one way and 10000 round trips.";
    }
    for (const auto& option : run_options())
        grammar.options.push_back(option.option);
    if (verb == RunVerb::connect)
        grammar.options.push_back(
            {"--retry", "TIME", Arity::one, "Run",
             "Try so long to reach the server, or wait so long for one that is busy with another client. Default: 30s.",
             ""});
    if (drop_in)
        for (auto& option : stand_alone_options())
            grammar.options.push_back(option);
    grammar.options.push_back(help_option());
    if (verb == RunVerb::run)
        grammar.options.push_back(version_option());
    grammar.footer = "Sizes: 64, 1K = 1KiB = 1024, 1M. Times: 50us, 10ms, 1.5s, 5m, 1h.\n"
                     "Exit: 0 done, also with failures under --continue-on-error; 1 a test failed; 2 bad arguments, "
                     "nothing was started; 130 or 143 interrupted, results so far were written.";
    return grammar;
}

RunRequest parse_run_arguments(Program program, RunVerb verb, const std::vector<std::string>& arguments,
                               const std::function<ModuleLookup(const ModuleSearch&)>& lookup) {
    const auto parsed = parse_command_line(run_grammar(program, verb), arguments);
    RunRequest request;
    if (parsed.help || parsed.version) {
        request.help = parsed.help;
        request.version = parsed.version;
        return request;
    }
    RunSettings given;
    apply(parsed, given); // before the suite is read: what was typed is found wrong first
    Suite suite;
    suite.tests.push_back({});
    if (parsed.has("suite"))
        suite = read_suite(parsed.values.at("suite").front());

    RunSettings settings{{}, suite.top.wide};
    apply(parsed, settings);
    set_outputs(program, settings.wide, request);
    request.plan.modules = settings.wide.modules;
    request.plan.on_error = settings.wide.on_error.value_or(OnError::stop);
    request.plan.clock = settings.wide.clock.value_or(ClockChoice::automatic);
    check_outputs(request);

    if (program == Program::ipc_benchmark)
        apply_stand_alone(parsed, overlay(overlay(suite.top.test, suite.tests.front().settings), given.test), request);
    if (verb == RunVerb::connect) {
        request.role = Role::connect;
        request.retry = default_retry;
        if (parsed.has(retry_option))
            request.retry = at("--retry", [&] { return parse_duration(parsed.values.at(retry_option).front()); });
    }

    const MatrixDefaults defaults{program == Program::ipc_benchmark ? Mode::asynchronous : Mode::blocking};
    const auto modules = lookup(request.plan.modules);
    OptionUse use;
    for (const auto& [test, where] : suite.tests) {
        auto merged = overlay(overlay(suite.top.test, test), given.test);
        if (program == Program::ipc_benchmark && request.role != Role::local)
            merged.port.reset(); // the control connection has it
        auto tests = at(where, [&] { return make_tests(merged, defaults, modules, use); });
        if (program == Program::ipc_benchmark && merged.shm_direct.value_or(false) && !merged.mode)
            request.notes = {"--shm-direct implies --blocking"};
        if (!where.empty())
            request.places.insert(request.places.end(), tests.size(), where);
        std::move(tests.begin(), tests.end(), std::back_inserter(request.plan.tests));
    }
    check_use(program, use, request.notes);
    if (program == Program::ipc_benchmark)
        cut_socket_buffers(request);
    return request;
}

} // namespace ipcmark::host

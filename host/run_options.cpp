// SPDX-License-Identifier: Apache-2.0
#include "host/run_options.hpp"

#include "host/option_values.hpp"
#include "host/test_matrix.hpp"
#include "run/plan_limits.hpp"

#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace ipcmark::host {

namespace {

constexpr const char* what_group = "What to measure";
constexpr const char* length_group = "Length";
constexpr const char* load_group = "Load";
constexpr const char* wait_group = "Threads and CPUs";
constexpr const char* module_group = "Modules and their options";
constexpr const char* output_group = "Output";
constexpr const char* run_group = "Run";

constexpr const char* output_name = "benchmark_results.json";
constexpr const char* csv_name = "benchmark_results.csv";
constexpr const char* hdr_name = "benchmark_results.hlog";
constexpr const char* stream_json_name = "benchmark_streaming_output.json";
constexpr const char* stream_csv_name = "benchmark_streaming_output.csv";
constexpr const char* stream_ndjson_name = "benchmark_streaming_output.ndjson";

using enum Arity;
using enum OptionScope;

// `other` is the option of the same source that may have chosen the mode already.
void set_mode(RunSettings& settings, Mode mode, const char* other) {
    if (settings.test.mode && *settings.test.mode != mode)
        throw UsageError(fmt::format("contradicts {}: give one of them", other));
    settings.test.mode = mode;
}

const std::vector<RunOption>& table() {
    static const std::vector<RunOption> options{
        // ------------------------------------------------------------------------------------ what to measure
        {{"-m,--mechanism,--mechanisms", "NAME", many, what_group,
          "Transports, one after the other: the id of a module (see 'ipcmark list'), a path to one (with a '/'), or "
          "all, which is uds, shm, tcp, pmq in that order. Default: uds.",
          ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.mechanisms = split_list(v); }},
        {{"-s,--size,--message-size", "SIZE", many, what_group,
          "Message sizes in bytes: 64, 1K = 1KiB = 1024, 1M. Default: 1024.", ""},
         test,
         [](RunSettings& s, const Values& v) {
             s.test.sizes_bytes = each<std::uint64_t>(v, [](const std::string& text) {
                 return at_least_one(text, parse_size_bytes(text), "a message size in bytes");
             });
         }},
        {{"--one-way", "", flag, what_group,
          "Measure the time from a send to its receive, messages streaming one way. Without --one-way and "
          "--round-trip: both, each on fresh processes.",
          ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.one_way = parse_bool(v.back()); }},
        {{"--round-trip", "", flag, what_group, "Measure the time from a send to the receive of its echo.", ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.round_trip = parse_bool(v.back()); }},
        {{"-c,--concurrency", "N", many, what_group,
          "Endpoints at the same time. Default: 1. Several values of -m, -s, -c or --rate run every combination, "
          "mechanism by mechanism, then by size, concurrency and rate in the order given.",
          ""},
         test,
         [](RunSettings& s, const Values& v) {
             s.test.concurrency = each<unsigned>(v, [](const std::string& text) {
                 return small_count(text, "the number of endpoints", most_endpoints);
             });
         }},
        {{"--percentiles", "P", many, what_group,
          "Percentiles to report, above 0 and at most 100, in the document and in the table (of more than 6 a few). "
          "Default: 50 95 99 99.9, of which the table leaves out the 95.",
          ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.percentiles = each<double>(v, parse_percentile); }},
        {{"--repeat", "N", one, what_group,
          "Run every test N times in a row; the table has median, least and most below. Default: 1.", ""},
         test,
         [](RunSettings& s, const Values& v) {
             s.test.repeat = small_count(v.front(), "the number of repeats", most_tests);
         }},
        // --------------------------------------------------------------------------------------------- length
        {{"-i,--count,--msg-count", "N", one, length_group,
          "Measured messages of a test and direction, all endpoints together; 10k = 10000. Default: 10000.", ""},
         test,
         [](RunSettings& s, const Values& v) {
             s.test.message_count = at_least_one(v.front(), parse_count(v.front()), "the number of messages");
         }},
        {{"-d,--duration", "TIME", one, length_group,
          "Measure for this time instead of a count: 500ms, 10s or 10, 5m, 1h.", ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.duration = more_than_zero(v.front()); }},
        {{"-w,--warmup,--warmup-iterations", "N", one, length_group,
          "Messages on each endpoint before the measured ones, on the same connection. Default: 1000.", ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.warmup_messages = parse_count(v.front()); }},
        {{"--include-first-message", "", flag, length_group,
          "Count the first message after the warm-up too, which is dropped otherwise.", ""},
         test,
         [](RunSettings& s, const Values& v) {
             s.test.first_message = parse_bool(v.back()) ? FirstMessage::keep : FirstMessage::drop;
         }},
        {{"--timeout", "TIME", one, length_group,
          "A direction of a test that takes longer has failed. Default: none; a direction in which nothing moves for "
          "half a minute has failed.",
          ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.timeout = more_than_zero(v.front()); }},
        // ----------------------------------------------------------------------------------------------- load
        {{"--rate", "RATE", many, load_group,
          "Open loop: so many messages a second, all endpoints together, on a fixed schedule; latency counts from the "
          "planned send time. 2500, 10k, 1.5M.",
          ""},
         test,
         [](RunSettings& s, const Values& v) {
             s.test.rates_per_second = each<double>(v, [](const std::string& text) { return parse_rate(text); });
         }},
        {{"--send-delay", "TIME", one, load_group,
          "Closed loop, one message at a time: pause between messages, in no latency; the rate is what it allows: "
          "50us, 10ms.",
          ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.send_delay = parse_duration(v.front()); }},
        {{"--window", "N", one, load_group, "Round trip: messages outstanding on an endpoint. Default: 1.", ""},
         test,
         [](RunSettings& s, const Values& v) {
             s.test.window = small_count(v.front(), "the window", most_outstanding);
         }},
        {{"--batch", "N", one, load_group,
          "One way, as fast as it goes: messages handed over in one call, where the module has the batch extension. "
          "Default: 1.",
          ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.batch = small_count(v.front(), "the batch", most_outstanding); }},
        {{"--direct", "", flag, load_group,
          "Write and read messages in place in the transport's own memory, without a copy; an error where a module "
          "has no loan extension.",
          ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.direct = parse_bool(v.back()); }},
        {{"--shm-direct", "", flag, load_group,
          "As --direct, for the mechanism shm only; the others copy. Implies --blocking.", ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.shm_direct = parse_bool(v.back()); }},
        // ----------------------------------------------------------------------------------- threads and CPUs
        {{"--blocking", "", flag, wait_group,
          "A thread for each endpoint, in blocking calls; --blocking=false is --async. Default: blocking in ipcmark, "
          "asynchronous in ipc-benchmark.",
          ""},
         test,
         [](RunSettings& s, const Values& v) {
             set_mode(s, parse_bool(v.back()) ? Mode::blocking : Mode::asynchronous, "--async");
         }},
        {{"--async", "", flag, wait_group, "One event loop in each process drives all endpoints.", ""},
         test,
         [](RunSettings& s, const Values& v) {
             set_mode(s, parse_bool(v.back()) ? Mode::asynchronous : Mode::blocking, "--blocking");
         }},
        {{"--wait", "POLICY", one, wait_group,
          "How a blocked call waits: block (sleep at once), spin (never sleep), adaptive or adaptive:TIME (spin so "
          "long, 20us unless given, then sleep). Default: block.",
          ""},
         test,
         [](RunSettings& s, const Values& v) {
             const auto [policy, spin] = parse_wait(v.front());
             s.test.wait = policy;
             if (spin)
                 s.test.spin = spin;
         }},
        {{"--server-affinity", "CPUS", many, wait_group,
          "CPUs of the receiving process, such as 0 or 0-2,5; thread i runs on the i-th. Default: where the scheduler "
          "puts it.",
          ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.server_cpus = parse_cpus(v); }},
        {{"--client-affinity", "CPUS", many, wait_group, "CPUs of the sending process.", ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.client_cpus = parse_cpus(v); }},
        // -------------------------------------------------------------------------- modules and their options
        {{"-O,--module-option", "NAME=VALUE", many, module_group,
          "An option of the module, see 'ipcmark inspect MODULE'; MODULE.NAME=VALUE gives it to one of several.", ""},
         test,
         [](RunSettings& s, const Values& v) {
             for (const auto& text : v) {
                 const auto [name, value] = parse_assignment(text, "NAME=VALUE or MODULE.NAME=VALUE");
                 // Twice is not two tests, and which of them is meant cannot be known.
                 if (const auto [known, fresh] = s.test.module_options.emplace(name, value);
                     !fresh && known->second != value)
                     throw UsageError(fmt::format("{}={} and {}={} contradict each other: give one of them", name,
                                                  known->second, name, value));
             }
         }},
        {{"--buffer-size", "SIZE", one, module_group,
          "Size of the transport's buffers (for shm of each ring), for the modules that have them; the others get a "
          "warning. Default: the module's.",
          ""},
         test,
         [](RunSettings& s, const Values& v) {
             s.test.buffer_size_bytes = at_least_one(v.front(), parse_size_bytes(v.front()), "a buffer size in bytes");
         }},
        {{"--host", "ADDRESS", one, module_group,
          "Address to listen on, for tcp. Default: 127.0.0.1; of 'ipcmark connect tcp:...' the address by which it "
          "reaches the server, to which 0.0.0.0 and :: connect, too.",
          ""},
         test,
         [](RunSettings& s, const Values& v) {
             if (v.front().empty())
                 throw UsageError("'' is not an address");
             s.test.host = v.front();
         }},
        {{"--port", "PORT", one, module_group, "Port to listen on, for tcp. Default: a free one.", ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.port = parse_port(v.front()); }},
        {{"--pmq-priority", "N", one, module_group, "Priority of the messages, for pmq. Default: 0.", ""},
         test,
         [](RunSettings& s, const Values& v) { s.test.pmq_priority = std::to_string(parse_count(v.front())); }},
        {{"--module-path", "FOLDER", many, module_group,
          "Look for modules in this folder first, then in IPCMARK_MODULE_PATH, then in the installed folder.", ""},
         run,
         [](RunSettings& s, const Values& v) {
             s.wide.modules.paths.clear();
             for (const auto& folder : v)
                 s.wide.modules.paths.push_back(existing_folder(folder));
         }},
        {{"--allow-module", "ID", many, module_group, "Load no module but these.", ""},
         run,
         [](RunSettings& s, const Values& v) { s.wide.modules.allowed_ids = split_list(v); }},
        {{"--debug-module", "", flag, module_group,
          "Put a layer that checks the rules of module.h between the host and the module. Slow: for finding faults.",
          ""},
         run,
         [](RunSettings& s, const Values& v) { s.wide.modules.debug_wrapper = parse_bool(v.back()); }},
        // --------------------------------------------------------------------------------------------- output
        {{"-o,--output-file", "FILE", optional_value, output_group,
          fmt::format(
              "Write the result document as JSON. Without a FILE: {}; for a folder, a file of that name in it, as for "
              "the other outputs; '-' or /dev/stdout: standard output instead of the table.",
              output_name),
          output_name},
         run,
         [](RunSettings& s, const Values& v) { s.wide.output_file = file_in(v.front(), output_name); }},
        {{"--schema", "NAME", one, output_group,
          "Schema of that document and of the streaming outputs: ipcmark (everything) or rusty-comms (what rusty-comms "
          "wrote). Default: by the name of the program.",
          ""},
         run,
         [](RunSettings& s, const Values& v) {
             s.wide.schema =
                 choose<Schema>(v.front(), {{Schema::ipcmark, "ipcmark"}, {Schema::rusty_comms, "rusty-comms"}});
         }},
        {{"--csv", "FILE", optional_value, output_group,
          fmt::format("Write one line for each test and direction as CSV, always with the percentiles 50, 95, 99 and "
                      "99.9. Without a FILE: {}; '-' as for -o.",
                      csv_name),
          csv_name},
         run,
         [](RunSettings& s, const Values& v) { s.wide.csv = file_in(v.front(), csv_name); }},
        {{"--hdr-log", "FILE", optional_value, output_group,
          fmt::format("Write the histograms as an HdrHistogram log. Without a FILE: {}; '-' as for -o.", hdr_name),
          hdr_name},
         run,
         [](RunSettings& s, const Values& v) { s.wide.hdr_log = file_in(v.front(), hdr_name); }},
        {{"--streaming-output-json", "FILE", optional_value, output_group,
          fmt::format("Write every single sample as JSON. Without a FILE: {}.", stream_json_name), stream_json_name},
         run,
         [](RunSettings& s, const Values& v) { s.wide.streaming.json = stream_file_in(v.front(), stream_json_name); }},
        {{"--streaming-output-csv", "FILE", optional_value, output_group,
          fmt::format("Write every single sample as CSV. Without a FILE: {}.", stream_csv_name), stream_csv_name},
         run,
         [](RunSettings& s, const Values& v) { s.wide.streaming.csv = stream_file_in(v.front(), stream_csv_name); }},
        {{"--streaming-output-ndjson", "FILE", optional_value, output_group,
          fmt::format("Write every single sample as one JSON object a line. Without a FILE: {}.", stream_ndjson_name),
          stream_ndjson_name},
         run,
         [](RunSettings& s, const Values& v) {
             s.wide.streaming.ndjson = stream_file_in(v.front(), stream_ndjson_name);
         }},
        {{"--log-file", "FILE|stderr", one, output_group,
          "Append the log to FILE, with everything that -vv shows. Default: standard error, as much as -v asks for.",
          ""},
         run,
         [](RunSettings& s, const Values& v) { s.wide.log_file = file_in(v.front(), "ipc_benchmark.log").string(); }},
        {{"-q,--quiet", "", flag, output_group, "Print no table and no progress; errors still go to standard error.",
          ""},
         run,
         [](RunSettings& s, const Values& v) { s.wide.quiet = parse_bool(v.back()); }},
        {{"-v,--verbose", "", counter, output_group,
          "Log what is done; twice (-vv): in detail: clock, module, effective options, CPUs, and when each step of a "
          "direction began and ended.",
          ""},
         run,
         [](RunSettings& s, const Values& v) {
             s.wide.verbosity = 0;
             for (const auto& text : v) // "true" each time on the command line, perhaps a number in a suite
                 s.wide.verbosity += text == "true" ? 1u : static_cast<unsigned>(parse_count(text));
         }},
        // ------------------------------------------------------------------------------------------------ run
        {{"--continue-on-error", "", flag, run_group,
          "Go on with the next test after one that failed, or that its module cannot do, and exit with 0.", ""},
         run,
         [](RunSettings& s, const Values& v) {
             s.wide.on_error = parse_bool(v.back()) ? OnError::go_on : OnError::stop;
         }},
        {{"--clock", "CLOCK", one, run_group,
          "auto (the time-stamp counter where the kernel trusts it), tsc or monotonic. Default: auto.", ""},
         run,
         [](RunSettings& s, const Values& v) {
             s.wide.clock = choose<ClockChoice>(
                 v.front(),
                 {{ClockChoice::automatic, "auto"}, {ClockChoice::tsc, "tsc"}, {ClockChoice::monotonic, "monotonic"}});
         }},
        {{"--suite,--config", "FILE", one, run_group,
          "Read the tests from a suite file in YAML (or JSON, or flat TOML). What the command line says wins.", ""},
         invocation,
         nullptr},
    };
    return options;
}

} // namespace

std::span<const RunOption> run_options() {
    return table();
}

const RunOption* find_run_option(std::string name) {
    std::replace(name.begin(), name.end(), '_', '-');
    for (const auto& option : table()) {
        const auto names = long_names(option.option);
        if (std::find(names.begin(), names.end(), name) != names.end())
            return &option;
    }
    return nullptr;
}

std::vector<Option> module_search_options() {
    std::vector<Option> options;
    for (const auto* name : {"module-path", "allow-module"})
        options.push_back(find_run_option(name)->option);
    return options;
}

ModuleSearch module_search_of(const Arguments& arguments) {
    RunSettings settings;
    for (const auto* name : {"module-path", "allow-module"})
        set_option(*find_run_option(name), arguments, settings);
    return settings.wide.modules;
}

void set_option(const RunOption& option, const Arguments& arguments, RunSettings& settings) {
    const auto key = option_key(option.option);
    if (option.set == nullptr || !arguments.has(key))
        return;
    try {
        option.set(settings, arguments.values.at(key));
    } catch (const UsageError& error) {
        throw UsageError(fmt::format("--{} {}", key, error.what()));
    }
}

} // namespace ipcmark::host

// SPDX-License-Identifier: Apache-2.0
// The fields that describe the run as a whole: metadata, the machine, the overall summary.
#include "result/tables.hpp"

namespace ipcmark::result {

std::span<const Field<DocumentView>> Table<DocumentView>::fields() {
    using T = DocumentView;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::both, "metadata", "", "What ran, when and on what machine.",
                      [](const T& t) { return MetadataView{t.document}; }),
        make_field<T>(In::both, "results", "", "One entry for each test, in the order in which they ran.",
                      [](const T& t) {
                          std::vector<TestView> views;
                          for (const TestResult& result : t.document->results)
                              views.push_back({&result, &t.document->system, summarize(result)});
                          return views;
                      }),
        make_field<T>(In::both, "summary", "", "All tests together.",
                      [](const T& t) -> const DocumentSummary& { return t.summary; }),
    };
    return fields;
}

std::span<const Field<MetadataView>> Table<MetadataView>::fields() {
    using T = MetadataView;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::both, "version", "", "The version of ipcmark that ran.",
                      [](const T& t) { return t.document->version; }),
        make_field<T>(In::both, "timestamp", "", "When the run began, RFC 3339.",
                      [](const T& t) { return t.document->timestamp; }),
        make_field<T>(In::both, "total_tests", "", "How many tests are in `results`, failed ones included.",
                      [](const T& t) { return t.document->results.size(); }),
        make_field<T>(In::both, "system_info", "", "The machine.",
                      [](const T& t) -> const SystemInfo& { return t.document->system; }),
        make_field<T>(In::ipcmark, "server_system_info", "",
                      "The machine of the server, where it has another clock than that of the client; else null.",
                      [](const T& t) -> const std::optional<SystemInfo>& { return t.document->server_system; }),
        make_field<T>(In::ipcmark, "control_address", "",
                      "Where the client has met a server that was started apart; null where there was none.",
                      [](const T& t) { return t.document->control_address; }),
        make_field<T>(In::ipcmark, "format", "", "The format of this document; the number grows when a field changes.",
                      [](const T&) { return std::string("ipcmark/1"); }),
        make_field<T>(In::ipcmark, "command_line", "", "The command, one argument an entry.",
                      [](const T& t) { return t.document->command_line; }),
        make_field<T>(In::ipcmark, "interrupted", "", "The run was ended early by its user.",
                      [](const T& t) { return t.document->interrupted; }),
        make_field<T>(In::ipcmark, "warnings", "", "What a reader must know of the whole run.",
                      [](const T& t) { return t.document->warnings; }),
    };
    return fields;
}

std::span<const Field<Warning>> Table<Warning>::fields() {
    using T = Warning;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::ipcmark, "code", "", "A stable name of this kind of warning.",
                      [](const T& t) { return t.code; }),
        make_field<T>(In::ipcmark, "cause", "", "What was found.", [](const T& t) { return t.cause; }),
        make_field<T>(In::ipcmark, "remedy", "", "What to do about it.", [](const T& t) { return t.remedy; }),
        make_field<T>(In::ipcmark, "direction", "", "The direction that it is about; null: the test or run as a whole.",
                      [](const T& t) { return t.direction; }),
    };
    return fields;
}

std::span<const Field<SystemInfo>> Table<SystemInfo>::fields() {
    using T = SystemInfo;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::both, "os", "", "The operating system, \"linux\".", [](const T& t) { return t.os; }),
        make_field<T>(In::both, "architecture", "", "The processor architecture, for example \"x86_64\".",
                      [](const T& t) { return t.architecture; }),
        make_field<T>(In::both, "cpu_cores", "", "Processors that are online.", [](const T& t) { return t.cpu_cores; }),
        make_field<T>(In::both, "memory_gb", "GB", "Memory of the machine in units of 10^9 bytes.",
                      [](const T& t) { return static_cast<double>(t.memory_bytes) / 1e9; }),
        make_field<T>(
            In::both, "rust_version", "",
            "Kept for readers of rusty-comms documents: says that no Rust was used, and the compiler that was.",
            [](const T& t) { return "not built with Rust (" + t.compiler + ")"; }),
        make_field<T>(In::both, "benchmark_version", "", "The version of ipcmark.",
                      [](const T& t) { return t.benchmark_version; }),
        make_field<T>(In::ipcmark, "compiler", "", "The compiler that built ipcmark.",
                      [](const T& t) { return t.compiler; }),
        make_field<T>(In::ipcmark, "distribution", "", "The name of the distribution.",
                      [](const T& t) { return t.distribution; }),
        make_field<T>(In::ipcmark, "kernel", "", "The release of the kernel.", [](const T& t) { return t.kernel; }),
        make_field<T>(In::ipcmark, "hostname", "", "The name of the machine.", [](const T& t) { return t.hostname; }),
        make_field<T>(
            In::ipcmark, "boot_id", "",
            "Identifies the boot: processes that share a clock have the same, but not all that have it share one.",
            [](const T& t) { return t.boot_id; }),
        make_field<T>(In::ipcmark, "cpu_model", "", "The model of the processor.",
                      [](const T& t) { return t.cpu_model; }),
        make_field<T>(In::ipcmark, "cpus_allowed", "", "Ids of the CPUs that the run was allowed to use.",
                      [](const T& t) { return t.cpus_allowed; }),
        make_field<T>(In::ipcmark, "numa_nodes", "", "Memory nodes of the machine.",
                      [](const T& t) { return t.numa_nodes; }),
        make_field<T>(In::ipcmark, "governor", "", "The frequency governor of the CPUs; empty: not readable.",
                      [](const T& t) { return t.governor; }),
        make_field<T>(In::ipcmark, "memory_bytes", "bytes", "Memory of the machine.",
                      [](const T& t) { return t.memory_bytes; }),
        make_field<T>(In::ipcmark, "memory_limit_bytes", "bytes",
                      "Memory that the control group may use, where that is less than the machine has; else null.",
                      [](const T& t) { return t.memory_limit_bytes; }),
        make_field<T>(In::ipcmark, "cpu_limit", "",
                      "CPUs that the control group may use by its quota, the least of its own and all above it; null "
                      "where there is none.",
                      [](const T& t) { return t.cpu_limit; }),
        make_field<T>(In::ipcmark, "container", "",
                      "The kind of container: \"none\", \"docker\", \"podman\", \"kubernetes\", \"other\".",
                      [](const T& t) { return t.container; }),
        make_field<T>(In::ipcmark, "virtualization", "", "The kind of virtual machine, \"none\" on hardware.",
                      [](const T& t) { return t.virtualization; }),
        make_field<T>(In::ipcmark, "clock", "", "The clock that stamped the messages.",
                      [](const T& t) -> const ClockInfo& { return t.clock; }),
    };
    return fields;
}

std::span<const Field<ClockInfo>> Table<ClockInfo>::fields() {
    using T = ClockInfo;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::ipcmark, "source", "", "\"tsc\", \"cntvct\" or \"monotonic\".",
                      [](const T& t) { return t.source; }),
        make_field<T>(In::ipcmark, "frequency_hz", "1/s", "Ticks in a second.",
                      [](const T& t) { return t.frequency_hz; }),
        make_field<T>(In::ipcmark, "overhead_ns", "ns", "What one reading costs, the median.",
                      [](const T& t) { return t.overhead_ns; }),
        make_field<T>(In::ipcmark, "resolution_ns", "ns", "The step that its readings usually move by.",
                      [](const T& t) { return t.resolution_ns; }),
        make_field<T>(In::ipcmark, "reason", "", "Why this clock was taken.", [](const T& t) { return t.reason; }),
    };
    return fields;
}

namespace {
constexpr double bytes_per_mb = 1e6;
}

std::span<const Field<DocumentSummary>> Table<DocumentSummary>::fields() {
    using T = DocumentSummary;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::both, "total_messages", "", "Measured messages of all tests and directions.",
                      [](const T& t) { return t.total_messages; }),
        make_field<T>(In::both, "total_bytes", "bytes", "Bytes in those messages.",
                      [](const T& t) { return t.total_bytes; }),
        make_field<T>(In::both, "total_errors", "", "Errors of all tests.", [](const T& t) { return t.total_errors; }),
        make_field<T>(In::both, "mechanisms", "", "By display name, all tests of a mechanism together.",
                      [](const T& t) {
                          std::vector<std::pair<std::string, MechanismSummary>> named;
                          for (const MechanismSummary& mechanism : t.mechanisms)
                              named.emplace_back(mechanism.display_name, mechanism);
                          return named;
                      }),
        make_field<T>(In::both, "fastest_mechanism", "",
                      "The mechanism with the highest average throughput in `direction`; null where none succeeded.",
                      [](const T& t) { return t.fastest_mechanism; }),
        make_field<T>(In::both, "lowest_latency_mechanism", "",
                      "The mechanism with the lowest mean latency in `direction`; null where none succeeded.",
                      [](const T& t) { return t.lowest_latency_mechanism; }),
        make_field<T>(In::ipcmark, "direction", "",
                      "The direction in which the two were judged: OneWay where any test has it, else RoundTrip.",
                      [](const T& t) { return t.direction; }),
    };
    return fields;
}

std::span<const Field<MechanismSummary>> Table<MechanismSummary>::fields() {
    using T = MechanismSummary;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::both, "mechanism", "", "The mechanism's result name.",
                      [](const T& t) { return t.result_name; }),
        make_field<T>(In::both, "average_throughput_mbps", "10^6 bytes/s",
                      "Average throughput of its fastest test in `direction`; 0 where none succeeded.",
                      [](const T& t) { return t.best_average_bytes_per_second / bytes_per_mb; }),
        make_field<T>(In::both, "p95_latency_ns", "ns", "Of the test with the lowest mean latency in `direction`.",
                      [](const T& t) { return t.p95_ns; }),
        make_field<T>(In::both, "p99_latency_ns", "ns", "Of that same test.", [](const T& t) { return t.p99_ns; }),
        make_field<T>(In::both, "total_messages", "", "Measured messages of all its tests.",
                      [](const T& t) { return t.total_messages; }),
        make_field<T>(In::ipcmark, "average_throughput_megabytes_per_sec", "10^6 bytes/s",
                      "The same as average_throughput_mbps, under the name that later rusty-comms versions use.",
                      [](const T& t) { return t.best_average_bytes_per_second / bytes_per_mb; }),
        make_field<T>(In::ipcmark, "average_latency_ns", "ns", "Mean latency of the test that p95 and p99 are from.",
                      [](const T& t) { return t.best_mean_ns; }),
        make_field<T>(In::ipcmark, "direction", "",
                      "The direction that all figures here are from: OneWay where any of its tests has it.",
                      [](const T& t) { return t.direction; }),
        make_field<T>(In::ipcmark, "tests", "", "How many tests of it ran.", [](const T& t) { return t.tests; }),
        make_field<T>(In::ipcmark, "failures", "", "How many of them failed.", [](const T& t) { return t.failures; }),
    };
    return fields;
}

} // namespace ipcmark::result

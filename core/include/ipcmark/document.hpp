// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/histogram.hpp>
#include <ipcmark/plan.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ipcmark {

// Something a reader of the numbers must know: why, and what to do about it.
struct Warning {
    std::string code; // stable: "cpu-mismatch", "clock-overhead"
    std::string cause;
    std::string remedy;
    std::optional<Direction> direction = std::nullopt; // not set: it is about the test, or the run, as a whole
};

struct PercentileValue {
    double percentile; // 0..100
    std::uint64_t value_ns;
};

struct Latency {
    Direction direction = Direction::one_way;
    Histogram histogram;                      // all endpoints merged
    std::vector<PercentileValue> percentiles; // those that the plan asked for
    // Open loop only: measured from the actual send instead of the planned one; what a tool that suffers from
    // coordinated omission would have reported. Not set of a one-way stream between two programs.
    std::optional<Histogram> uncorrected;
};

struct Throughput {
    // Of the measured window: from the first measured send to the last receive, over all endpoints. A round trip counts
    // as one message and its bytes once, as in the predecessor.
    double messages_per_second = 0;
    double bytes_per_second = 0;
    double peak_bytes_per_second = 0; // the best 100 ms slice; the average where the run is shorter
    std::uint64_t total_messages = 0;
    std::uint64_t total_bytes = 0;
    std::uint64_t duration_ns = 0;
};

// What one side's processors did during the measured window, all threads of that role together.
struct SideUsage {
    std::vector<int> cpus_asked; // empty: not pinned
    std::vector<int> cpus_used;  // seen at any message
    // How many messages were moved on each of them; of more than 32 on an endpoint not all. Not part of the text forms.
    std::map<int, std::uint64_t> messages_by_cpu;
    std::optional<std::uint64_t> migrations; // not set: the kernel does not tell (no CONFIG_SCHED_DEBUG)
    std::uint64_t voluntary_context_switches = 0;
    std::uint64_t involuntary_context_switches = 0;
    std::uint64_t cpu_time_ns = 0;
    std::optional<std::uint64_t> user_time_ns;   // these two: not set: too short for the kernel to tell them apart
    std::optional<std::uint64_t> system_time_ns; // together cpu_time_ns
    std::optional<std::uint64_t> run_delay_ns;   // not set: the kernel does not tell (no CONFIG_SCHED_INFO)
    double cpu_time_per_message_ns = 0;
    std::uint64_t max_resident_bytes = 0;
};

enum class CheckVerdict { ok, suspicious, not_applicable };

// One self-check of a result: a figure, what it should be, and the verdict.
struct AuditCheck {
    std::string id; // stable; docs/measuring.md has the list
    double value = 0;
    std::string expectation;
    CheckVerdict verdict = CheckVerdict::not_applicable;
};

// The messages of all endpoints, by the sequence numbers that they carry.
struct Delivery {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t lost = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t reordered = 0;
    std::uint64_t corrupted = 0; // echo or payload not what was sent
};

struct DirectionResult {
    Latency latency;
    Throughput throughput;
    Delivery delivery;
    SideUsage server;
    SideUsage client;
    std::vector<AuditCheck> audit;
    std::uint64_t streaming_dropped = 0; // samples that did not fit the streaming outputs
    bool partial = false;                // ended before its time: by a fault, a signal or a time-out
    std::string timestamp;               // RFC 3339, when the window began
};

struct OptionValue {
    std::string name;
    std::string value;  // the effective one, as text
    bool given = false; // by the user
};

struct ModuleIdentity {
    std::string id;
    std::string version;
    std::string display_name;
    std::string result_name;
    std::string path;
    std::uint32_t abi_major = 0;
    std::uint32_t abi_minor = 0;
    std::vector<std::string> capabilities;
    bool checked = false; // call by call (--debug-module), on either side: that takes time
};

struct TestResult {
    TestPlan plan;
    ModuleIdentity module;
    std::vector<OptionValue> options;
    std::optional<std::string> failure; // not set: success
    std::optional<DirectionResult> one_way;
    std::optional<DirectionResult> round_trip;
    std::uint64_t error_count = 0;
    std::vector<Warning> warnings;
    std::string timestamp;                     // RFC 3339, when the test began
    std::chrono::nanoseconds test_duration{0}; // wall clock, set-up and teardown included
};

// The clock that stamped the messages.
struct ClockInfo {
    std::string source;       // "tsc", "cntvct" or "monotonic"
    double frequency_hz = 0;  // ticks per second
    double overhead_ns = 0;   // of one reading, median
    double resolution_ns = 0; // smallest non-zero step seen
    std::string reason;       // why this one
};

struct SystemInfo {
    std::string os; // "linux"
    std::string distribution;
    std::string kernel;
    std::string architecture;
    std::string cpu_model;
    unsigned cpu_cores = 0; // online
    std::vector<int> cpus_allowed;
    unsigned numa_nodes = 0;
    std::string governor;                            // empty: not readable
    std::uint64_t memory_bytes = 0;                  // of the machine
    std::optional<std::uint64_t> memory_limit_bytes; // of the control group, where that is lower
    std::optional<double> cpu_limit;                 // CPUs that the quota of the control group comes to
    std::string container;                           // "none", "docker", "podman", "kubernetes", "other"
    std::string virtualization;                      // "none", "kvm", ...
    std::string hostname;
    std::string boot_id;
    std::string compiler;
    std::string benchmark_version;
    ClockInfo clock;
};

// A streaming output that could not be written to its end; its NAME.partial keeps the rows before the fault.
struct OutputFailure {
    std::filesystem::path path; // as given
    std::string reason;
};

// Everything that a run found out. The text forms are made of this by to_json and its kin (result.hpp).
struct ResultDocument {
    std::string version;   // of ipcmark
    std::string timestamp; // RFC 3339
    std::vector<std::string> command_line;
    std::vector<TestResult> results;
    SystemInfo system;
    std::optional<std::string> control_address; // of a connect(), as the user writes it
    std::optional<SystemInfo> server_system;    // of a connect() to one with another clock
    std::vector<Warning> warnings;              // of the whole run
    bool interrupted = false;
    std::vector<OutputFailure> streaming_failures; // not part of the text forms
};

} // namespace ipcmark

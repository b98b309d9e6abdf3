// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/plan.hpp>
#include <ipcmark/result.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ipcmark::host {

// What one source (the defaults of a suite, one of its tests, the command line) says about a test. Lists span a matrix.
struct TestSettings {
    std::optional<std::vector<std::string>> mechanisms;
    std::optional<std::vector<std::uint64_t>> sizes_bytes;
    std::optional<std::vector<unsigned>> concurrency;
    std::optional<std::vector<double>> rates_per_second;
    std::optional<unsigned> repeat;

    std::optional<std::uint64_t> message_count;
    std::optional<std::chrono::nanoseconds> duration;
    std::optional<std::uint64_t> warmup_messages;
    std::optional<FirstMessage> first_message;
    std::optional<bool> one_way;
    std::optional<bool> round_trip;
    std::optional<Mode> mode;
    std::optional<WaitPolicy> wait;
    std::optional<std::chrono::nanoseconds> spin;
    std::optional<std::chrono::nanoseconds> send_delay;
    std::optional<unsigned> window;
    std::optional<unsigned> batch;
    std::optional<bool> direct;     // every mechanism
    std::optional<bool> shm_direct; // the shm mechanism only
    std::optional<std::vector<int>> server_cpus;
    std::optional<std::vector<int>> client_cpus;
    std::optional<std::vector<double>> percentiles;
    std::optional<std::uint64_t> buffer_size_bytes;
    std::optional<std::chrono::nanoseconds> timeout;
    std::map<std::string, std::string> module_options; // "NAME" or "MODULE.NAME"
    // Given to those of the chosen modules that have an option of that name.
    std::optional<std::string> host;
    std::optional<std::uint16_t> port;
    std::optional<std::string> pmq_priority;
};

// `over` wins where it says something. A count in `over` ends a duration in `base`, as a duration wins over a count
// only where both come from the same source.
[[nodiscard]] TestSettings overlay(TestSettings base, const TestSettings& over);

// What is asked of the whole run.
struct RunWideSettings {
    ModuleSearch modules;
    std::optional<OnError> on_error;
    std::optional<ClockChoice> clock;
    std::optional<Schema> schema;
    std::optional<std::filesystem::path> output_file; // these three: "-" is standard output
    std::optional<std::filesystem::path> csv;
    std::optional<std::filesystem::path> hdr_log;
    StreamingOutputs streaming;
    std::optional<std::string> log_file; // or "stderr"
    bool quiet = false;
    unsigned verbosity = 0;
};

struct RunSettings {
    TestSettings test;
    RunWideSettings wide;
};

} // namespace ipcmark::host

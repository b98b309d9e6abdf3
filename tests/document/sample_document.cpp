// SPDX-License-Identifier: Apache-2.0
#include "sample_document.hpp"

namespace ipcmark::sample {

DirectionResult direction_result(Direction direction, std::uint64_t base_ns) {
    DirectionResult result;
    result.latency.direction = direction;
    Histogram& histogram = result.latency.histogram;
    // A body and a long tail, so that every percentile is another bucket.
    for (std::uint64_t i = 0; i < 10'000; ++i)
        histogram.record(base_ns + i % 1'000 * base_ns / 500 + (i % 1'000 == 999 ? base_ns * i : 0));
    for (double percentile : {50.0, 95.0, 99.0, 99.9})
        result.latency.percentiles.push_back({percentile, histogram.percentile_ns(percentile)});
    result.throughput = {.messages_per_second = 123'456.789,
                         .bytes_per_second = 126'419'751.936,
                         .peak_bytes_per_second = 130e6,
                         .total_messages = 10'000,
                         .total_bytes = 10'240'000,
                         .duration_ns = 81'000'006};
    result.delivery = {.sent = 10'000, .received = 10'000, .lost = 0, .duplicated = 0, .reordered = 0, .corrupted = 0};
    result.server = {.cpus_asked = {0},
                     .cpus_used = {0},
                     .messages_by_cpu = {{0, 10'000}},
                     .migrations = 0,
                     .voluntary_context_switches = 9'999,
                     .involuntary_context_switches = 3,
                     .cpu_time_ns = 70'000'000,
                     .user_time_ns = 10'000'000,
                     .system_time_ns = 60'000'000,
                     .run_delay_ns = 1'000'000,
                     .cpu_time_per_message_ns = 7'000.0,
                     .max_resident_bytes = 8'000'000};
    result.client = result.server;
    result.client.cpus_asked = {1};
    result.client.cpus_used = {1};
    result.client.messages_by_cpu = {{1, 10'000}};
    result.audit = {{"littles-law", 0.998, "between 0.9 and 1.1", CheckVerdict::ok},
                    {"clock-overhead", 0.003, "below 0.05", CheckVerdict::ok}};
    result.timestamp = "2026-01-02T03:04:05.678Z";
    return result;
}

namespace {

TestResult uds() {
    TestResult result;
    result.plan.server_cpus = {0};
    result.plan.client_cpus = {1};
    result.module = {.id = "uds",
                     .version = "1.0.0",
                     .display_name = "Unix Domain Socket",
                     .result_name = "UnixDomainSocket",
                     .path = "/usr/lib/ipcmark/modules-1/uds.so",
                     .abi_major = 1,
                     .abi_minor = 0,
                     .capabilities = {"ordered", "reliable"}};
    result.options = {{"type", "stream", false}, {"buffer-size", "212992", true}};
    result.one_way = direction_result(Direction::one_way, 2'000);
    result.round_trip = direction_result(Direction::round_trip, 9'000);
    result.timestamp = "2026-01-02T03:04:05Z";
    result.test_duration = std::chrono::milliseconds(1'234);
    return result;
}

TestResult tcp_paced() {
    TestResult result = uds();
    result.plan.mechanism = "tcp";
    result.plan.directions = {Direction::round_trip};
    result.plan.message_count.reset();
    result.plan.duration = std::chrono::milliseconds(1'500);
    result.plan.rate_per_second = 20'000;
    result.plan.percentiles = {50, 99.999};
    result.module.id = "tcp";
    result.module.display_name = "TCP Socket";
    result.module.result_name = "TcpSocket";
    result.options.clear();
    result.one_way.reset();
    result.round_trip->latency.uncorrected = result.round_trip->latency.histogram;
    result.round_trip->audit[0] = {"littles-law", 1.7, "between 0.9 and 1.1", CheckVerdict::suspicious};
    result.warnings = {{"cpu-mismatch", "the client ran on CPU 0 for 3 messages, asked was CPU 1",
                        "do not change the CPU mask of a running test"}};
    return result;
}

TestResult shm_crashed() {
    TestResult result = uds();
    result.plan.mechanism = "shm";
    result.plan.concurrency = 4;
    result.module.id = "shm";
    result.module.display_name = "Shared Memory";
    result.module.result_name = "SharedMemory";
    result.failure = "the server worker was killed by signal 11 (SIGSEGV)";
    result.round_trip.reset();
    result.one_way->partial = true;
    result.error_count = 1;
    return result;
}

TestResult pmq_refused() {
    TestResult result;
    result.plan.mechanism = "pmq";
    result.module = {.id = "pmq",
                     .version = "1.0.0",
                     .display_name = "POSIX Message Queue",
                     .result_name = "PosixMessageQueue",
                     .path = "/usr/lib/ipcmark/modules-1/pmq.so",
                     .abi_major = 1,
                     .abi_minor = 0,
                     .capabilities = {}};
    result.failure = "a message of 65536 bytes is above the queue's limit of 8192; \"raise\" fs.mqueue.msgsize_max";
    result.error_count = 1;
    result.timestamp = "2026-01-02T03:04:09Z";
    return result;
}

} // namespace

ResultDocument document() {
    ResultDocument document;
    document.version = "0.1.0";
    document.timestamp = "2026-01-02T03:04:05Z";
    document.command_line = {"ipcmark", "run", "-m", "uds,tcp,shm,pmq"};
    document.results = {uds(), tcp_paced(), shm_crashed(), pmq_refused()};
    document.system = {.os = "linux",
                       .distribution = "Debian GNU/Linux 12 (bookworm)",
                       .kernel = "6.1.0",
                       .architecture = "x86_64",
                       .cpu_model = "A Processor",
                       .cpu_cores = 2,
                       .cpus_allowed = {0, 1},
                       .numa_nodes = 1,
                       .governor = "performance",
                       .memory_bytes = 8'123'456'789,
                       .memory_limit_bytes = 4'294'967'296,
                       .cpu_limit = 1.5,
                       .container = "podman",
                       .virtualization = "kvm",
                       .hostname = "machine",
                       .boot_id = "00000000-0000-0000-0000-000000000000",
                       .compiler = "gcc 12.2.0",
                       .benchmark_version = "0.1.0",
                       .clock = {"tsc", 2.5e9, 8.5, 1.0, "the TSC is invariant and the kernel trusts it"}};
    document.warnings = {{"governor", "the CPU frequency governor is \"powersave\"",
                          "set it to performance: cpupower frequency-set -g performance"}};
    return document;
}

} // namespace ipcmark::sample

// SPDX-License-Identifier: Apache-2.0
// The fields of one test: its configuration, its module, its summary.
#include "result/option_size.hpp"
#include "result/tables.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace ipcmark::result {

std::span<const Field<TestView>> Table<TestView>::fields() {
    using T = TestView;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::both, "mechanism", "", "The mechanism's result name, for example \"UnixDomainSocket\".",
                      [](const T& t) {
                          const ModuleIdentity& module = t.result->module;
                          return module.result_name.empty() ? t.result->plan.mechanism : module.result_name;
                      }),
        make_field<T>(In::both, "status", "", "\"Success\", or \"Failure\" with its reason.",
                      [](const T& t) { return Status{&t.result->failure}; }),
        make_field<T>(In::both, "test_config", "", "What was asked and what ran.",
                      [](const T& t) { return ConfigView{t.result}; }),
        make_field<T>(In::both, "one_way_results", "", "Null where it was not asked or nothing was measured.",
                      [](const T& t) -> const std::optional<DirectionResult>& { return t.result->one_way; }),
        make_field<T>(In::both, "round_trip_results", "", "Null where it was not asked or nothing was measured.",
                      [](const T& t) -> const std::optional<DirectionResult>& { return t.result->round_trip; }),
        make_field<T>(In::both, "summary", "", "The main figures.",
                      [](const T& t) -> const TestSummary& { return t.summary; }),
        make_field<T>(In::both, "timestamp", "", "When the test began, RFC 3339.",
                      [](const T& t) { return t.result->timestamp; }),
        make_field<T>(In::both, "test_duration", "", "How long it took, set-up and teardown included.",
                      [](const T& t) { return t.result->test_duration; }),
        make_field<T>(In::both, "system_info", "", "The machine.",
                      [](const T& t) -> const SystemInfo& { return *t.system; }),
        make_field<T>(In::ipcmark, "partial", "", "A direction ended before its time: its figures are of what came.",
                      [](const T& t) {
                          const TestResult& r = *t.result;
                          return (r.one_way && r.one_way->partial) || (r.round_trip && r.round_trip->partial);
                      }),
        make_field<T>(In::ipcmark, "module", "", "The module that moved the messages.",
                      [](const T& t) { return ModuleView{t.result}; }),
        make_field<T>(In::ipcmark, "warnings", "", "What a reader of these figures must know.",
                      [](const T& t) { return t.result->warnings; }),
    };
    return fields;
}

namespace {

bool asked_for(const TestPlan& plan, Direction direction) {
    return std::find(plan.directions.begin(), plan.directions.end(), direction) != plan.directions.end();
}

std::uint64_t nanoseconds(std::chrono::nanoseconds duration) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
}

} // namespace

std::span<const Field<ConfigView>> Table<ConfigView>::fields() {
    using T = ConfigView;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::both, "message_size", "bytes", "Size of a message.",
                      [](const T& t) { return t.result->plan.message_size_bytes; }),
        make_field<T>(In::both, "buffer_size", "bytes",
                      "The buffer size that was asked, if the module has one, else the one that it reports, the larger "
                      "one where the directions differ; 0: left to the system.",
                      [](const T& t) { return buffer_size_bytes(*t.result); }),
        make_field<T>(In::both, "concurrency", "", "Endpoints at the same time.",
                      [](const T& t) { return t.result->plan.concurrency; }),
        make_field<T>(In::both, "msg_count", "", "Messages of all endpoints together; null in a run by duration.",
                      [](const T& t) {
                          const TestPlan& plan = t.result->plan;
                          return plan.duration ? std::nullopt : plan.message_count;
                      }),
        make_field<T>(In::both, "duration", "", "Null in a run by count.",
                      [](const T& t) { return t.result->plan.duration; }),
        make_field<T>(In::both, "one_way_enabled", "", "One-way was asked.",
                      [](const T& t) { return asked_for(t.result->plan, Direction::one_way); }),
        make_field<T>(In::both, "round_trip_enabled", "", "The round trip was asked.",
                      [](const T& t) { return asked_for(t.result->plan, Direction::round_trip); }),
        make_field<T>(In::both, "warmup_iterations", "", "Messages on each endpoint before the measurement.",
                      [](const T& t) { return t.result->plan.warmup_messages; }),
        make_field<T>(In::both, "percentiles", "", "The percentiles asked, 0 to 100.",
                      [](const T& t) { return t.result->plan.percentiles; }),
        make_field<T>(In::ipcmark, "mechanism_id", "", "The mechanism as asked: the module's id or path.",
                      [](const T& t) { return t.result->plan.mechanism; }),
        make_field<T>(In::ipcmark, "mode", "", "A thread for each endpoint, or one reactor thread a role.",
                      [](const T& t) { return t.result->plan.mode; }),
        make_field<T>(In::ipcmark, "wait_policy", "", "How a blocked call waits.",
                      [](const T& t) { return t.result->plan.wait; }),
        make_field<T>(In::ipcmark, "spin_ns", "ns",
                      "With the adaptive wait policy: how long it spins before it sleeps.",
                      [](const T& t) { return nanoseconds(t.result->plan.spin); }),
        make_field<T>(In::ipcmark, "send_delay_ns", "ns",
                      "Pause between messages; in no latency, but in the time of the throughput.",
                      [](const T& t) { return nanoseconds(t.result->plan.send_delay); }),
        make_field<T>(In::ipcmark, "rate_per_second", "1/s",
                      "Messages a second of all endpoints together, on an absolute schedule; null: as fast as it goes.",
                      [](const T& t) { return t.result->plan.rate_per_second; }),
        make_field<T>(In::ipcmark, "window", "", "Round trip: messages outstanding on an endpoint.",
                      [](const T& t) { return t.result->plan.window; }),
        make_field<T>(In::ipcmark, "batch", "", "One-way: messages a call.",
                      [](const T& t) { return t.result->plan.batch; }),
        make_field<T>(In::ipcmark, "access", "", "\"direct\": messages are written and read in place.",
                      [](const T& t) { return t.result->plan.access; }),
        make_field<T>(In::ipcmark, "first_message", "", "Whether the first message of each endpoint counts.",
                      [](const T& t) { return t.result->plan.first_message; }),
        make_field<T>(In::ipcmark, "server_cpus", "", "CPU ids asked for the server; empty: not pinned.",
                      [](const T& t) { return t.result->plan.server_cpus; }),
        make_field<T>(In::ipcmark, "client_cpus", "", "CPU ids asked for the client; empty: not pinned.",
                      [](const T& t) { return t.result->plan.client_cpus; }),
        make_field<T>(In::ipcmark, "timeout_ns", "ns", "A direction that takes longer fails; 0: chosen by its length.",
                      [](const T& t) { return nanoseconds(t.result->plan.timeout); }),
        make_field<T>(In::ipcmark, "repeat_index", "", "Counts the repetitions of the same test from 0.",
                      [](const T& t) { return t.result->plan.repeat_index; }),
    };
    return fields;
}

std::span<const Field<ModuleView>> Table<ModuleView>::fields() {
    using T = ModuleView;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::ipcmark, "id", "", "The id by which it is asked for.",
                      [](const T& t) { return t.result->module.id; }),
        make_field<T>(In::ipcmark, "version", "", "Its version.", [](const T& t) { return t.result->module.version; }),
        make_field<T>(In::ipcmark, "display_name", "", "Its name for people.",
                      [](const T& t) { return t.result->module.display_name; }),
        make_field<T>(In::ipcmark, "path", "", "The file that was loaded.",
                      [](const T& t) { return t.result->module.path; }),
        make_field<T>(
            In::ipcmark, "abi", "", "The version of the module interface that it was built for.",
            [](const T& t) { return fmt::format("{}.{}", t.result->module.abi_major, t.result->module.abi_minor); }),
        make_field<T>(In::ipcmark, "capabilities", "", "What it says of itself.",
                      [](const T& t) { return t.result->module.capabilities; }),
        make_field<T>(In::ipcmark, "checked", "",
                      "A layer has checked its calls against the contract (--debug-module), which takes time.",
                      [](const T& t) { return t.result->module.checked; }),
        make_field<T>(In::ipcmark, "options", "", "Its options with the values in effect.",
                      [](const T& t) { return t.result->options; }),
    };
    return fields;
}

std::span<const Field<OptionValue>> Table<OptionValue>::fields() {
    using T = OptionValue;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::ipcmark, "name", "", "The option.", [](const T& t) { return t.name; }),
        make_field<T>(In::ipcmark, "value", "", "The value in effect, as text.", [](const T& t) { return t.value; }),
        make_field<T>(In::ipcmark, "given", "", "The user gave it; else it is the default.",
                      [](const T& t) { return t.given; }),
    };
    return fields;
}

namespace {

constexpr double bytes_per_mb = 1e6;

template <class Value> std::optional<Value> of_main(const TestSummary& summary, Value DirectionSummary::*figure) {
    const auto& main = summary.main();
    return main && main->messages > 0 ? std::optional<Value>((*main).*figure) : std::nullopt;
}

double rate_of_main(const TestSummary& summary, double DirectionSummary::*figure) {
    return of_main(summary, figure).value_or(0) / bytes_per_mb;
}

} // namespace

std::span<const Field<TestSummary>> Table<TestSummary>::fields() {
    using T = TestSummary;
    using D = DirectionSummary;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::both, "total_messages_sent", "", "Measured messages of both directions.",
                      [](const T& t) { return t.total_messages; }),
        make_field<T>(In::both, "total_bytes_transferred", "bytes", "Bytes in those messages.",
                      [](const T& t) { return t.total_bytes; }),
        make_field<T>(In::both, "average_throughput_mbps", "10^6 bytes/s", "Throughput in `direction`.",
                      [](const T& t) { return rate_of_main(t, &D::average_bytes_per_second); }),
        make_field<T>(In::both, "peak_throughput_mbps", "10^6 bytes/s",
                      "The best 100 ms in `direction`, as its peak_bytes_per_second.",
                      [](const T& t) { return rate_of_main(t, &D::peak_bytes_per_second); }),
        make_field<T>(In::both, "average_latency_ns", "ns", "Mean latency in `direction`; null: nothing measured.",
                      [](const T& t) { return of_main(t, &D::mean_ns); }),
        make_field<T>(In::both, "min_latency_ns", "ns", "Exact, in `direction`.",
                      [](const T& t) { return of_main(t, &D::min_ns); }),
        make_field<T>(In::both, "max_latency_ns", "ns", "Exact, in `direction`.",
                      [](const T& t) { return of_main(t, &D::max_ns); }),
        make_field<T>(In::both, "p95_latency_ns", "ns", "In `direction`.",
                      [](const T& t) { return of_main(t, &D::p95_ns); }),
        make_field<T>(In::both, "p99_latency_ns", "ns", "In `direction`.",
                      [](const T& t) { return of_main(t, &D::p99_ns); }),
        make_field<T>(In::both, "error_count", "", "Errors during the test.", [](const T& t) { return t.error_count; }),
        make_field<T>(In::ipcmark, "average_throughput_megabytes_per_sec", "10^6 bytes/s",
                      "The same as average_throughput_mbps, under the name that later rusty-comms versions use.",
                      [](const T& t) { return rate_of_main(t, &D::average_bytes_per_second); }),
        make_field<T>(In::ipcmark, "peak_throughput_megabytes_per_sec", "10^6 bytes/s",
                      "The same as peak_throughput_mbps, under the name that later rusty-comms versions use.",
                      [](const T& t) { return rate_of_main(t, &D::peak_bytes_per_second); }),
        make_field<T>(
            In::ipcmark, "direction", "",
            "The one direction that the rates and latencies here are from: OneWay where it was measured, else "
            "RoundTrip. Null: nothing was measured.",
            [](const T& t) { return t.main() ? std::optional<Direction>(t.main()->direction) : std::nullopt; }),
        make_field<T>(In::ipcmark, "one_way", "", "The same figures of the one-way direction; null: not measured.",
                      [](const T& t) -> const std::optional<D>& { return t.one_way; }),
        make_field<T>(In::ipcmark, "round_trip", "", "The same figures of the round trip; null: not measured.",
                      [](const T& t) -> const std::optional<D>& { return t.round_trip; }),
    };
    return fields;
}

std::span<const Field<DirectionSummary>> Table<DirectionSummary>::fields() {
    using T = DirectionSummary;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::ipcmark, "messages", "", "Measured messages.", [](const T& t) { return t.messages; }),
        make_field<T>(In::ipcmark, "bytes", "bytes", "Bytes in them.", [](const T& t) { return t.bytes; }),
        make_field<T>(In::ipcmark, "messages_per_second", "1/s", "Rate of messages.",
                      [](const T& t) { return t.messages_per_second; }),
        make_field<T>(In::ipcmark, "average_throughput_mbps", "10^6 bytes/s", "Average throughput.",
                      [](const T& t) { return t.average_bytes_per_second / bytes_per_mb; }),
        make_field<T>(In::ipcmark, "peak_throughput_mbps", "10^6 bytes/s",
                      "The best 100 ms, as peak_bytes_per_second of the direction.",
                      [](const T& t) { return t.peak_bytes_per_second / bytes_per_mb; }),
        make_field<T>(In::ipcmark, "average_latency_ns", "ns", "Mean.", [](const T& t) { return t.mean_ns; }),
        make_field<T>(In::ipcmark, "min_latency_ns", "ns", "Exact minimum.", [](const T& t) { return t.min_ns; }),
        make_field<T>(In::ipcmark, "p50_latency_ns", "ns", "Median.", [](const T& t) { return t.p50_ns; }),
        make_field<T>(In::ipcmark, "p95_latency_ns", "ns", "95th percentile.", [](const T& t) { return t.p95_ns; }),
        make_field<T>(In::ipcmark, "p99_latency_ns", "ns", "99th percentile.", [](const T& t) { return t.p99_ns; }),
        make_field<T>(In::ipcmark, "p999_latency_ns", "ns", "99.9th percentile.", [](const T& t) { return t.p999_ns; }),
        make_field<T>(In::ipcmark, "max_latency_ns", "ns", "Exact maximum.", [](const T& t) { return t.max_ns; }),
    };
    return fields;
}

} // namespace ipcmark::result

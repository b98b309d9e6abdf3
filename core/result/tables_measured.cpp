// SPDX-License-Identifier: Apache-2.0
// The fields of what was measured in one direction.
#include "result/tables.hpp"

namespace ipcmark::result {

namespace {

// The non-empty buckets: lowest and highest value, count.
Triples buckets(const Histogram& histogram) {
    Triples triples;
    const auto counts = histogram.counts();
    for (std::size_t index = 0; index < counts.size(); ++index)
        if (counts[index] != 0)
            triples.push_back({HistogramLayout::lowest(index), HistogramLayout::highest(index), counts[index]});
    return triples;
}

// The values at the quantiles 0, 1/2, 3/4, 7/8, ..., 1: what rusty-comms writes, a shape without counts.
std::vector<std::uint64_t> quantile_steps(const Histogram& histogram) {
    std::vector<std::uint64_t> values;
    if (histogram.empty())
        return values;
    for (double above = 1; above * static_cast<double>(histogram.total_count()) >= 1; above /= 2)
        values.push_back(histogram.percentile_ns(100 * (1 - above)));
    values.push_back(histogram.max_ns());
    return values;
}

std::vector<PercentileValue> percentiles_of(const DistributionView& view) {
    std::vector<PercentileValue> values;
    for (const PercentileValue& asked : *view.asked)
        values.push_back({asked.percentile, view.histogram->percentile_ns(asked.percentile)});
    return values;
}

} // namespace

std::span<const Field<DirectionResult>> Table<DirectionResult>::fields() {
    using T = DirectionResult;
    static constexpr Field<T> fields[] = {
        make_field<T>(
            In::both, "latency", "", "How long messages took; null where none was measured.",
            [](const T& t) { return t.latency.histogram.empty() ? std::nullopt : std::optional<Latency>(t.latency); }),
        make_field<T>(In::both, "throughput", "", "How many messages and bytes a second.",
                      [](const T& t) -> const Throughput& { return t.throughput; }),
        make_field<T>(In::both, "timestamp", "", "When the measured window began, RFC 3339.",
                      [](const T& t) { return t.timestamp; }),
        make_field<T>(In::ipcmark, "partial", "", "It ended before its time; the figures are of what came until then.",
                      [](const T& t) { return t.partial; }),
        make_field<T>(In::ipcmark, "delivery", "", "What became of the messages, by their sequence numbers.",
                      [](const T& t) -> const Delivery& { return t.delivery; }),
        make_field<T>(In::ipcmark, "server", "", "What the server's threads used.",
                      [](const T& t) -> const SideUsage& { return t.server; }),
        make_field<T>(In::ipcmark, "client", "", "What the client's threads used.",
                      [](const T& t) -> const SideUsage& { return t.client; }),
        make_field<T>(In::ipcmark, "audit", "", "Checks of these figures against each other.",
                      [](const T& t) { return t.audit; }),
        make_field<T>(In::ipcmark, "streaming_dropped", "", "Samples that did not fit the streaming outputs.",
                      [](const T& t) { return t.streaming_dropped; }),
    };
    return fields;
}

std::span<const Field<Latency>> Table<Latency>::fields() {
    using T = Latency;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::both, "latency_type", "", "From send to receive, or from send to the receipt of the echo.",
                      [](const T& t) { return t.direction; }),
        make_field<T>(In::both, "min_ns", "ns", "Exact.", [](const T& t) { return t.histogram.min_ns(); }),
        make_field<T>(In::both, "max_ns", "ns", "Exact.", [](const T& t) { return t.histogram.max_ns(); }),
        make_field<T>(In::both, "mean_ns", "ns", "Mean.", [](const T& t) { return t.histogram.mean_ns(); }),
        make_field<T>(In::both, "median_ns", "ns", "The 50th percentile.",
                      [](const T& t) { return static_cast<double>(t.histogram.percentile_ns(50)); }),
        make_field<T>(In::both, "std_dev_ns", "ns", "Population standard deviation.",
                      [](const T& t) { return t.histogram.std_dev_ns(); }),
        make_field<T>(In::both, "percentiles", "", "The percentiles asked.", [](const T& t) { return t.percentiles; }),
        make_field<T>(In::both, "total_samples", "", "Measured messages.",
                      [](const T& t) { return t.histogram.total_count(); }),
        make_field<T>(
            In::both, "histogram_data", "ns",
            "Values at the quantiles 0, 1/2, 3/4, 7/8, ..., 1, as in rusty-comms; `histogram` has the counts.",
            [](const T& t) { return quantile_steps(t.histogram); }),
        make_field<T>(In::ipcmark, "histogram", "",
                      "The buckets that are not empty: [lowest value in ns, highest value in ns, count].",
                      [](const T& t) { return buckets(t.histogram); }),
        make_field<T>(In::ipcmark, "uncorrected", "",
                      "With a rate: measured from the actual send instead of the planned one, which hides stalls; else "
                      "null. Null, too, of a one-way stream between two programs (connect), whose messages carry their "
                      "planned moments alone.",
                      [](const T& t) {
                          return t.uncorrected ? std::optional<DistributionView>({&*t.uncorrected, &t.percentiles})
                                               : std::nullopt;
                      }),
    };
    return fields;
}

std::span<const Field<DistributionView>> Table<DistributionView>::fields() {
    using T = DistributionView;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::ipcmark, "min_ns", "ns", "Exact.", [](const T& t) { return t.histogram->min_ns(); }),
        make_field<T>(In::ipcmark, "max_ns", "ns", "Exact.", [](const T& t) { return t.histogram->max_ns(); }),
        make_field<T>(In::ipcmark, "mean_ns", "ns", "Mean.", [](const T& t) { return t.histogram->mean_ns(); }),
        make_field<T>(In::ipcmark, "median_ns", "ns", "The 50th percentile.",
                      [](const T& t) { return static_cast<double>(t.histogram->percentile_ns(50)); }),
        make_field<T>(In::ipcmark, "std_dev_ns", "ns", "Population standard deviation.",
                      [](const T& t) { return t.histogram->std_dev_ns(); }),
        make_field<T>(In::ipcmark, "percentiles", "", "The percentiles asked.",
                      [](const T& t) { return percentiles_of(t); }),
        make_field<T>(In::ipcmark, "total_samples", "", "Measured messages.",
                      [](const T& t) { return t.histogram->total_count(); }),
        make_field<T>(In::ipcmark, "histogram", "",
                      "The buckets that are not empty: [lowest value in ns, highest value in ns, count].",
                      [](const T& t) { return buckets(*t.histogram); }),
    };
    return fields;
}

std::span<const Field<PercentileValue>> Table<PercentileValue>::fields() {
    using T = PercentileValue;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::both, "percentile", "", "0 to 100.", [](const T& t) { return t.percentile; }),
        make_field<T>(In::both, "value_ns", "ns", "The latency at that percentile.",
                      [](const T& t) { return t.value_ns; }),
    };
    return fields;
}

std::span<const Field<Throughput>> Table<Throughput>::fields() {
    using T = Throughput;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::both, "messages_per_second", "1/s",
                      "From the first measured send to the last receive, all endpoints; a round trip is one message. "
                      "With a rate, at least its schedule.",
                      [](const T& t) { return t.messages_per_second; }),
        make_field<T>(In::both, "bytes_per_second", "bytes/s", "Bytes of those messages; of a round trip, those sent.",
                      [](const T& t) { return t.bytes_per_second; }),
        make_field<T>(In::both, "total_messages", "", "Measured messages.",
                      [](const T& t) { return t.total_messages; }),
        make_field<T>(In::both, "total_bytes", "bytes", "Bytes in them.", [](const T& t) { return t.total_bytes; }),
        make_field<T>(In::both, "duration_ns", "ns", "Length of the measured window.",
                      [](const T& t) { return t.duration_ns; }),
        make_field<T>(
            In::ipcmark, "peak_bytes_per_second", "bytes/s",
            "The best 100 ms, or longer where those are fewer than 20 messages; the average where the run is shorter.",
            [](const T& t) { return t.peak_bytes_per_second; }),
    };
    return fields;
}

std::span<const Field<Delivery>> Table<Delivery>::fields() {
    using T = Delivery;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::ipcmark, "sent", "", "Messages sent.", [](const T& t) { return t.sent; }),
        make_field<T>(In::ipcmark, "received", "", "Messages received.", [](const T& t) { return t.received; }),
        make_field<T>(In::ipcmark, "lost", "", "Sent and never received.", [](const T& t) { return t.lost; }),
        make_field<T>(In::ipcmark, "duplicated", "", "Received more than once.",
                      [](const T& t) { return t.duplicated; }),
        make_field<T>(In::ipcmark, "reordered", "", "Received after a later one.",
                      [](const T& t) { return t.reordered; }),
        make_field<T>(In::ipcmark, "corrupted", "", "Received with other content than was sent.",
                      [](const T& t) { return t.corrupted; }),
    };
    return fields;
}

std::span<const Field<SideUsage>> Table<SideUsage>::fields() {
    using T = SideUsage;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::ipcmark, "cpus_asked", "", "CPU ids asked; empty: not pinned.",
                      [](const T& t) { return t.cpus_asked; }),
        make_field<T>(In::ipcmark, "cpus_used", "", "CPU ids seen during the window.",
                      [](const T& t) { return t.cpus_used; }),
        make_field<T>(In::ipcmark, "migrations", "", "Changes of CPU; null: not known, as the kernel does not tell.",
                      [](const T& t) { return t.migrations; }),
        make_field<T>(In::ipcmark, "voluntary_context_switches", "", "It waited.",
                      [](const T& t) { return t.voluntary_context_switches; }),
        make_field<T>(In::ipcmark, "involuntary_context_switches", "", "It was pushed off its CPU.",
                      [](const T& t) { return t.involuntary_context_switches; }),
        make_field<T>(
            In::ipcmark, "cpu_time_ns", "ns",
            "CPU time of its threads, from the end of the warm-up to the last message: the wait for the first "
            "message is in it.",
            [](const T& t) { return t.cpu_time_ns; }),
        make_field<T>(In::ipcmark, "user_time_ns", "ns",
                      "Of the CPU time, that in user mode, by the kernel's samples; null: too short to tell.",
                      [](const T& t) { return t.user_time_ns; }),
        make_field<T>(In::ipcmark, "system_time_ns", "ns",
                      "Of the CPU time, that in the kernel, by the kernel's samples; null: too short to tell.",
                      [](const T& t) { return t.system_time_ns; }),
        make_field<T>(In::ipcmark, "run_delay_ns", "ns",
                      "Time that its threads were ready to run and had no CPU; null: not known, as the kernel does not "
                      "tell.",
                      [](const T& t) { return t.run_delay_ns; }),
        make_field<T>(In::ipcmark, "cpu_time_per_message_ns", "ns", "The CPU time, divided by the messages.",
                      [](const T& t) { return t.cpu_time_per_message_ns; }),
        make_field<T>(In::ipcmark, "max_resident_bytes", "bytes", "The most memory that the process had resident.",
                      [](const T& t) { return t.max_resident_bytes; }),
    };
    return fields;
}

std::span<const Field<AuditCheck>> Table<AuditCheck>::fields() {
    using T = AuditCheck;
    static constexpr Field<T> fields[] = {
        make_field<T>(In::ipcmark, "id", "", "The check.", [](const T& t) { return t.id; }),
        make_field<T>(In::ipcmark, "value", "", "The figure; null where it does not apply.",
                      [](const T& t) {
                          const bool applies = t.verdict != CheckVerdict::not_applicable && std::isfinite(t.value);
                          return applies ? std::optional<double>(t.value) : std::nullopt;
                      }),
        make_field<T>(In::ipcmark, "expectation", "", "What the figure should be.",
                      [](const T& t) { return t.expectation; }),
        make_field<T>(In::ipcmark, "verdict", "", "Whether it is.", [](const T& t) { return t.verdict; }),
    };
    return fields;
}

} // namespace ipcmark::result

// SPDX-License-Identifier: Apache-2.0
#include "result/summary.hpp"

#include <algorithm>

namespace ipcmark::result {

DirectionSummary summarize(const DirectionResult& result, Direction direction) {
    const Histogram& histogram = result.latency.histogram;
    return {
        .direction = direction,
        .messages = result.throughput.total_messages,
        .bytes = result.throughput.total_bytes,
        .average_bytes_per_second = result.throughput.bytes_per_second,
        .peak_bytes_per_second = std::max(result.throughput.peak_bytes_per_second, result.throughput.bytes_per_second),
        .messages_per_second = result.throughput.messages_per_second,
        .mean_ns = histogram.mean_ns(),
        .min_ns = histogram.min_ns(),
        .p50_ns = histogram.percentile_ns(50),
        .p95_ns = histogram.percentile_ns(95),
        .p99_ns = histogram.percentile_ns(99),
        .p999_ns = histogram.percentile_ns(99.9),
        .max_ns = histogram.max_ns(),
    };
}

TestSummary summarize(const TestResult& result) {
    TestSummary summary;
    summary.error_count = result.error_count;
    if (result.one_way)
        summary.one_way = summarize(*result.one_way, Direction::one_way);
    if (result.round_trip)
        summary.round_trip = summarize(*result.round_trip, Direction::round_trip);
    for (const auto* direction : {&summary.one_way, &summary.round_trip}) {
        if (*direction) {
            summary.total_messages += (*direction)->messages;
            summary.total_bytes += (*direction)->bytes;
        }
    }
    return summary;
}

namespace {

MechanismSummary& mechanism_of(DocumentSummary& summary, const TestResult& result) {
    const std::string& name = result.module.display_name.empty() ? result.plan.mechanism : result.module.display_name;
    auto found = std::find_if(summary.mechanisms.begin(), summary.mechanisms.end(),
                              [&](const MechanismSummary& known) { return known.display_name == name; });
    if (found != summary.mechanisms.end())
        return *found;
    MechanismSummary fresh;
    fresh.display_name = name;
    fresh.result_name = result.module.result_name.empty() ? result.plan.mechanism : result.module.result_name;
    return summary.mechanisms.emplace_back(std::move(fresh));
}

// Takes the figures of a test into its mechanism's, with one-way driving out round trip.
void take(MechanismSummary& mechanism, const DirectionSummary& figures) {
    if (mechanism.direction == Direction::one_way && figures.direction == Direction::round_trip)
        return;
    if (mechanism.direction != figures.direction) {
        mechanism.direction = figures.direction;
        mechanism.best_average_bytes_per_second = 0;
        mechanism.best_mean_ns.reset();
    }
    mechanism.best_average_bytes_per_second =
        std::max(mechanism.best_average_bytes_per_second, figures.average_bytes_per_second);
    if (!mechanism.best_mean_ns || figures.mean_ns < *mechanism.best_mean_ns) {
        mechanism.best_mean_ns = figures.mean_ns;
        mechanism.p95_ns = figures.p95_ns;
        mechanism.p99_ns = figures.p99_ns;
    }
}

} // namespace

DocumentSummary summarize(const ResultDocument& document) {
    DocumentSummary summary;
    for (const TestResult& result : document.results) {
        const TestSummary test = summarize(result);
        summary.total_messages += test.total_messages;
        summary.total_bytes += test.total_bytes;
        summary.total_errors += test.error_count;
        MechanismSummary& mechanism = mechanism_of(summary, result);
        mechanism.total_messages += test.total_messages;
        ++mechanism.tests;
        if (result.failure)
            ++mechanism.failures;
        else if (test.main() && test.main()->messages > 0)
            take(mechanism, *test.main());
    }
    for (const MechanismSummary& mechanism : summary.mechanisms)
        if (mechanism.direction && summary.direction != Direction::one_way)
            summary.direction = mechanism.direction;
    const MechanismSummary* fastest = nullptr;
    const MechanismSummary* quickest = nullptr;
    for (const MechanismSummary& mechanism : summary.mechanisms) {
        if (!mechanism.direction || mechanism.direction != summary.direction)
            continue;
        if (!fastest || mechanism.best_average_bytes_per_second > fastest->best_average_bytes_per_second)
            fastest = &mechanism;
        if (!quickest || *mechanism.best_mean_ns < *quickest->best_mean_ns)
            quickest = &mechanism;
    }
    if (fastest)
        summary.fastest_mechanism = fastest->display_name;
    if (quickest)
        summary.lowest_latency_mechanism = quickest->display_name;
    return summary;
}

} // namespace ipcmark::result

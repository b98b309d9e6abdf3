# SPDX-License-Identifier: Apache-2.0
"""Statistics over runs that measured the same thing."""

import statistics
from collections.abc import Iterable, Sequence

from arcaflow_plugin_ipcmark.schema_outputs import (
    BenchmarkResult,
    IterationAggregates,
    MetricStatistics,
    TestIterationAggregate,
)
from arcaflow_plugin_ipcmark.schema_results import DirectionSummary, PerformanceMetrics

# (mechanism, size in bytes, direction, the other parameters)
_Key = tuple[str, int, str, tuple[tuple[str, str], ...]]

# Where the two ends meet changes no figure, and is the system's choice where the one given is 0.
_ADDRESSES = ("port", "path")

# The figures of one direction of a result.
_Run = tuple[PerformanceMetrics, DirectionSummary | None]


def aggregate(results: Iterable[BenchmarkResult]) -> IterationAggregates:
    """One aggregate for each thing that was measured. Failed and incomplete results are not counted."""
    groups: dict[_Key, list[_Run]] = {}
    for result in results:
        if result.status != "Success":
            continue
        for direction in ("one_way", "round_trip"):
            metrics = getattr(result, f"{direction}_results")
            if metrics is not None and not metrics.partial:
                groups.setdefault(_key(result, direction), []).append((metrics, getattr(result.summary, direction)))
    return IterationAggregates(tests=[_aggregate(key, runs) for key, runs in groups.items()])


def statistics_of(values: Sequence[float]) -> MetricStatistics:
    """Of at least one value."""
    return MetricStatistics(
        mean=statistics.fmean(values),
        stddev=statistics.stdev(values) if len(values) > 1 else 0.0,
        min_value=float(min(values)),
        max_value=float(max(values)),
        sample_count=len(values),
    )


def _aggregate(key: _Key, runs: list[_Run]) -> TestIterationAggregate:
    mechanism, size, direction, parameters = key
    return TestIterationAggregate(
        mechanism=mechanism,
        message_size=size,
        direction=direction,
        iterations_completed=len(runs),
        throughput_mbps=statistics_of([metrics.throughput.bytes_per_second / 1e6 for metrics, _ in runs]),
        messages_per_second=statistics_of([metrics.throughput.messages_per_second for metrics, _ in runs]),
        mean_latency_ns=_optional(metrics.latency.mean_ns if metrics.latency else None for metrics, _ in runs),
        p95_latency_ns=_optional(_percentile(*run, 95, "p95_latency_ns") for run in runs),
        p99_latency_ns=_optional(_percentile(*run, 99, "p99_latency_ns") for run in runs),
        parameters=dict(parameters),
    )


def _optional(values: Iterable[float | None]) -> MetricStatistics | None:
    known = [float(value) for value in values if value is not None]
    return statistics_of(known) if known else None


def _percentile(metrics: PerformanceMetrics, summary: DirectionSummary | None, asked: float, field: str) -> int | None:
    """Of the percentiles that were reported, else of the summary, which always has the usual ones."""
    for entry in metrics.latency.percentiles if metrics.latency else []:
        if entry.percentile == asked:
            return entry.value_ns
    return getattr(summary, field) if summary else None


def _key(result: BenchmarkResult, direction: str) -> _Key:
    """By what was in force, not by how it was written: 1s and 1000ms are the same.

    Of the options, by those that were given: what the system chose where none was (tcp's port, the sizes of buffers, a
    NUMA node) may differ from run to run.
    """
    config, module, clock = result.test_config, result.module, result.system_info.clock
    duration = config.duration and config.duration["secs"] * 10**9 + config.duration["nanos"]
    options = {option.name: option.value for option in module.options if option.given} if module else {}
    parameters = {
        "concurrency": config.concurrency,
        "msg_count": config.msg_count,
        "duration_ns": duration,
        "warmup_iterations": config.warmup_iterations,
        "buffer_size": config.buffer_size if "buffer-size" in options else None,
        "mode": config.mode,
        "access": config.access,
        "wait_policy": config.wait_policy,
        "spin_ns": config.spin_ns if config.wait_policy == "adaptive" else None,
        "send_delay_ns": config.send_delay_ns,
        "rate_per_second": config.rate_per_second,
        "window": config.window,
        "batch": config.batch,
        "first_message": config.first_message,
        "server_cpus": config.server_cpus,
        "client_cpus": config.client_cpus,
        "module_path": module and module.path,  # another file may be another module of the same name
        "module_version": module and module.version,
        "checked": (module and module.checked) or None,
        "clock": clock and clock.source,
        **{f"option.{name}": value for name, value in options.items() if name not in _ADDRESSES},
    }
    texts = sorted((name, _text(value)) for name, value in parameters.items() if value is not None)
    return result.mechanism, config.message_size, direction, tuple(texts)


def _text(value) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)

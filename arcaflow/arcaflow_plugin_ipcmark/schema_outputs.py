# SPDX-License-Identifier: Apache-2.0
"""What the steps return: the result document of ipcmark with what only the plugin knows."""

from dataclasses import dataclass
from typing import Annotated, Optional

from arcaflow_plugin_sdk import schema

from arcaflow_plugin_ipcmark.schema_fields import doc
from arcaflow_plugin_ipcmark.schema_results import BenchmarkMetadata, MeasuredResult, OverallSummary


@dataclass
class BenchmarkResult(MeasuredResult):
    """One mechanism of one run of a test."""

    failure_reason: Annotated[Optional[str], *doc("Failure reason", "Why the status is Failure.")] = None
    input_blocking: Annotated[
        Optional[bool], *doc("Input: blocking", "The input blocking. true: blocking, false: asynchronous.")
    ] = None
    input_shm_direct: Annotated[Optional[bool], *doc("Input: shm_direct", "The input shm_direct.")] = None
    input_one_way: Annotated[Optional[bool], *doc("Input: one_way", "The input one_way.")] = None
    input_round_trip: Annotated[Optional[bool], *doc("Input: round_trip", "The input round_trip.")] = None
    input_send_delay: Annotated[Optional[str], *doc("Input: send_delay", "The input send_delay.")] = None
    input_concurrency: Annotated[Optional[int], *doc("Input: concurrency", "The input concurrency.")] = None
    input_test: Annotated[Optional[int], *doc("Input: test", "Which of the tests of the input, counted from 1.")] = None
    input_iteration: Annotated[Optional[int], *doc("Input: iteration", "Which iteration of it, counted from 1.")] = None

    def has_figures(self) -> bool:
        """Something was measured, if only a part before a failure."""
        return self.one_way_results is not None or self.round_trip_results is not None


@dataclass
class ResultDocument:
    """What ipcmark writes."""

    metadata: Annotated[BenchmarkMetadata, *doc("Metadata", "The run and the machine.")]
    results: Annotated[list[BenchmarkResult], *doc("Results", "One for each mechanism of each run of a test.")]
    summary: Annotated[OverallSummary, *doc("Summary", "All results together.")]


@dataclass
class MetricStatistics:
    """A figure over several runs of the same test."""

    mean: Annotated[float, *doc("Mean", "Arithmetic mean.")]
    stddev: Annotated[float, *doc("Standard deviation", "Of the sample; 0 for a single run.")]
    min_value: Annotated[float, *doc("Minimum", "Smallest value.")]
    max_value: Annotated[float, *doc("Maximum", "Largest value.")]
    sample_count: Annotated[int, *doc("Sample count", "Runs that the figure is from."), schema.min(1)]


@dataclass
class TestIterationAggregate:
    """All runs that measured the same thing."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    mechanism: Annotated[str, *doc("Mechanism", "Result name of the mechanism, for example UnixDomainSocket.")]
    message_size: Annotated[int, *doc("Message size", "Bytes of a message.")]
    direction: Annotated[str, *doc("Direction", "one_way or round_trip.")]
    iterations_completed: Annotated[int, *doc("Iterations completed", "Runs that gave figures."), schema.min(1)]
    throughput_mbps: Annotated[MetricStatistics, *doc("Throughput (MB/s)", "10^6 bytes a second in this direction.")]
    mean_latency_ns: Annotated[
        Optional[MetricStatistics], *doc("Mean latency (ns)", "Mean latency in this direction.")
    ] = None
    p95_latency_ns: Annotated[
        Optional[MetricStatistics], *doc("P95 latency (ns)", "95th percentile in this direction.")
    ] = None
    p99_latency_ns: Annotated[
        Optional[MetricStatistics], *doc("P99 latency (ns)", "99th percentile in this direction.")
    ] = None
    messages_per_second: Annotated[
        Optional[MetricStatistics], *doc("Messages per second", "Messages a second in this direction.")
    ] = None
    parameters: Annotated[
        Optional[dict[str, str]],
        *doc("Parameters", "Everything else that changes the figures, as it was in force."),
    ] = None


@dataclass
class IterationAggregates:
    """Statistics over the iterations."""

    tests: Annotated[
        list[TestIterationAggregate],
        *doc("Tests", "One for each mechanism, size, direction and set of other inputs that change the figures."),
    ]


@dataclass
class TestError:
    """A run of a test that failed."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    test: Annotated[int, *doc("Test", "Which of the tests of the input, counted from 1.")]
    iteration: Annotated[int, *doc("Iteration", "Which iteration of it, counted from 1.")]
    mechanisms: Annotated[list[str], *doc("Mechanisms", "Its mechanisms.")]
    error: Annotated[str, *doc("Error", "What happened, with the end of what ipcmark said.")]


@dataclass
class SuccessOutput(ResultDocument):
    """What was measured."""

    iteration_aggregates: Annotated[
        Optional[IterationAggregates], *doc("Iteration aggregates", "Statistics over the iterations of each test.")
    ] = None
    errors: Annotated[
        Optional[list[TestError]], *doc("Errors", "The runs that failed; what the others measured is in the results.")
    ] = None
    warnings: Annotated[
        Optional[list[str]], *doc("Warnings", "What the plugin noticed: inputs not used, fields not known.")
    ] = None
    cancelled: Annotated[
        Optional[bool], *doc("Cancelled", "The step was cancelled; the results are those of before.")
    ] = None


@dataclass
class ErrorOutput:
    """Nothing was measured."""

    error: Annotated[str, *doc("Error", "What happened.")]
    errors: Annotated[Optional[list[TestError]], *doc("Errors", "The runs that failed, one by one.")] = None


@dataclass
class ServeOutput:
    """How an end that served came to its end."""

    address: Annotated[str, *doc("Address", "Where it served.")]
    cancelled: Annotated[bool, *doc("Cancelled", "It was ended by the cancel signal, as is usual without once.")]
    timed_out: Annotated[bool, *doc("Timed out", "It was ended by its time-out.")]
    log: Annotated[list[str], *doc("Log", "What ipcmark said, the last part of it.")]

# SPDX-License-Identifier: Apache-2.0
"""Makes one document of those of all runs."""

from collections.abc import Sequence
from dataclasses import replace

from arcaflow_plugin_ipcmark.aggregates import aggregate
from arcaflow_plugin_ipcmark.runner import Outcome
from arcaflow_plugin_ipcmark.schema_outputs import ErrorOutput, ResultDocument, SuccessOutput
from arcaflow_plugin_ipcmark.schema_results import BenchmarkWarning, MechanismSummary, OverallSummary


def output_of(outcome: Outcome) -> tuple[str, SuccessOutput | ErrorOutput]:
    """'success' where anything was measured or ipcmark itself says that all went as asked, to the end; else 'error'."""
    measured = any(result.has_figures() for document in outcome.documents for result in document.results)
    if not measured and (outcome.errors or outcome.cancelled or not outcome.documents):
        texts = [error.error for error in outcome.errors]
        if outcome.cancelled:
            texts.append("Cancelled before anything was measured.")
        return "error", ErrorOutput(error="\n".join(texts), errors=outcome.errors or None)
    merged = merge(outcome.documents)
    return "success", SuccessOutput(
        metadata=merged.metadata,
        results=merged.results,
        summary=merged.summary,
        iteration_aggregates=aggregate(merged.results),
        errors=outcome.errors or None,
        warnings=outcome.warnings or None,
        cancelled=outcome.cancelled or None,
    )


def merge(documents: Sequence[ResultDocument]) -> ResultDocument:
    """All results one after the other, the metadata of the first with the warnings of all, and a summary of all.

    At least one document.
    """
    results = [result for document in documents for result in document.results]
    mechanisms: dict[str, MechanismSummary] = {}
    for document in documents:
        for name, summary in document.summary.mechanisms.items():
            mechanisms[name] = _combine(mechanisms[name], summary) if name in mechanisms else summary
    measured = {name: summary for name, summary in mechanisms.items() if summary.average_throughput_mbps > 0}
    # Figures of one way and of round trips cannot be compared; where both were measured, one way decides.
    directions = {summary.direction for summary in measured.values()}
    direction = "OneWay" if "OneWay" in directions else next(iter(directions), None)
    comparable = {name: summary for name, summary in measured.items() if summary.direction == direction}
    timed = {name: summary for name, summary in comparable.items() if summary.average_latency_ns is not None}
    return ResultDocument(
        metadata=replace(
            documents[0].metadata,
            total_tests=len(results),
            interrupted=any(document.metadata.interrupted for document in documents),
            warnings=_warnings_of(documents),
        ),
        results=results,
        summary=OverallSummary(
            total_messages=sum(document.summary.total_messages for document in documents),
            total_bytes=sum(document.summary.total_bytes for document in documents),
            total_errors=sum(document.summary.total_errors for document in documents),
            mechanisms=mechanisms,
            fastest_mechanism=max(comparable, key=lambda name: comparable[name].average_throughput_mbps, default=None),
            lowest_latency_mechanism=min(timed, key=lambda name: timed[name].average_latency_ns, default=None),
            direction=direction,
        ),
    )


def _warnings_of(documents: Sequence[ResultDocument]) -> list[BenchmarkWarning]:
    """Of the whole runs, each once."""
    found: list[BenchmarkWarning] = []
    for document in documents:
        found += [warning for warning in document.metadata.warnings or [] if warning not in found]
    return found


def _combine(first: MechanismSummary, second: MechanismSummary) -> MechanismSummary:
    """The throughput of the faster one and the latencies of the one with the lower mean, as ipcmark itself does."""
    faster, quicker = _better_by_direction(first, second)
    return replace(
        quicker,
        total_messages=first.total_messages + second.total_messages,
        average_throughput_mbps=faster.average_throughput_mbps,
        average_throughput_megabytes_per_sec=faster.average_throughput_megabytes_per_sec,
        tests=(first.tests or 0) + (second.tests or 0),
        failures=(first.failures or 0) + (second.failures or 0),
    )


def _better_by_direction(
    first: MechanismSummary, second: MechanismSummary
) -> tuple[MechanismSummary, MechanismSummary]:
    """(the one with more throughput, the one with less latency); only of those that are from the same direction."""
    if first.direction != second.direction:
        one = next((each for each in (first, second) if each.direction == "OneWay"), None)
        one = one or (first if first.direction else second)
        return one, one
    faster = max(first, second, key=lambda each: each.average_throughput_mbps)
    quicker = min(
        first, second, key=lambda each: float("inf") if each.average_latency_ns is None else each.average_latency_ns
    )
    return faster, quicker

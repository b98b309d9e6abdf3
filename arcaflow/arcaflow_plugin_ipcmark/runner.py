# SPDX-License-Identifier: Apache-2.0
"""Runs ipcmark once for each iteration of each test. A failed run leaves the results of the others."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from arcaflow_plugin_ipcmark import child, command, document
from arcaflow_plugin_ipcmark.schema_inputs import TestRunConfig
from arcaflow_plugin_ipcmark.schema_outputs import BenchmarkResult, ResultDocument, TestError
from arcaflow_plugin_ipcmark.turn import turn

logger = logging.getLogger("ipcmark_plugin")

_STDERR_TAIL = 2000

# From a test to what follows `ipcmark` on its command line.
Arguments = Callable[[TestRunConfig], list[str]]


@dataclass
class Outcome:
    """What came out of all the runs."""

    documents: list[ResultDocument] = field(default_factory=list)
    errors: list[TestError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    cancelled: bool = False

    def warn(self, text: str) -> None:
        logger.warning(text)
        if text not in self.warnings:
            self.warnings.append(text)


@dataclass(frozen=True)
class _Run:
    """One run of one test."""

    config: TestRunConfig
    number: int  # of all runs, from 1: what messages call 'Test N'
    test: int  # of the input, from 1
    iteration: int  # from 1


def run_tests(binary: str, tests: Sequence[TestRunConfig], arguments: Arguments, cancel: child.Cancel) -> Outcome:
    """All iterations of all tests, until they are done or `cancel` is requested. Waits for other steps to end."""
    outcome = Outcome()
    with turn(cancel) as has_turn:
        for run in _runs(tests) if has_turn else ():
            if cancel.requested:
                break
            for note in command.not_for_these_mechanisms(run.config):
                outcome.warn(f"Test {run.number}: {note}.")
            _run_one(binary, run, arguments, cancel, outcome)
    outcome.cancelled = cancel.requested
    return outcome


def _runs(tests: Sequence[TestRunConfig]) -> Iterator[_Run]:
    number = 0
    for test, config in enumerate(tests, start=1):
        for iteration in range(1, (config.iterations or 1) + 1):
            number += 1
            yield _Run(config, number, test, iteration)


def _run_one(binary: str, run: _Run, arguments: Arguments, cancel: child.Cancel, outcome: Outcome) -> None:
    def fail(text: str) -> None:
        message = f"Test {run.number} {text}"
        logger.error(message)
        outcome.errors.append(TestError(run.test, run.iteration, list(run.config.mechanisms), message))

    try:
        line = [binary, *arguments(run.config)]
        _measure(line, run, cancel, outcome, fail)
    except command.InputError as error:
        fail(f"was not run: {error}")
    except OSError as error:
        fail(f"was not run: {binary} could not be started: {error}")
    except Exception as error:  # whatever it is: it must not cost the results of the other runs
        logger.exception("Test %d", run.number)
        fail(f"failed: {type(error).__name__}: {error}")


def _measure(line: list[str], run: _Run, cancel: child.Cancel, outcome: Outcome, fail: Callable[[str], None]) -> None:
    logger.info("Test %d: %s", run.number, " ".join(line))
    timeout_s = run.config.timeout or 3600
    ended = child.run(line, timeout_s, cancel)
    logger.info("%s", ended.stderr)
    parsed = _document_of(ended, run, outcome, fail)
    if parsed:
        outcome.documents.append(parsed)
    tail = ended.stderr.strip()[-_STDERR_TAIL:]
    said = f" stderr: {tail}" if tail else ""
    if ended.timed_out:
        fail(f"timed out after {timeout_s} seconds; {_kept(parsed)}.{said}")
    elif ended.returncode != 0 and not ended.cancelled:
        fail(f"failed: ipcmark {ended.describe()}; {_kept(parsed)}.{said}")


def _document_of(ended: child.Ended, run: _Run, outcome: Outcome, fail: Callable[[str], None]) -> ResultDocument | None:
    """None where there is none; that is a failure of its own only where ipcmark says that all is well."""
    if not ended.stdout.strip():
        if ended.returncode == 0 and not ended.cancelled and not ended.timed_out:
            fail("failed: ipcmark exited with code 0 but wrote no result document.")
        return None
    try:
        parsed, unknown = document.parse(ended.stdout)
    except document.BadDocument as error:
        fail(f"failed: the result document of ipcmark cannot be read: {error}")
        return None
    if unknown:
        outcome.warn(
            "This ipcmark is newer than the plugin; fields that the plugin does not know were left out: "
            + ", ".join(sorted(set(unknown)))
        )
    for result in parsed.results:
        _stamp(result, run)
        if not run.config.histogram:
            _leave_out_histograms(result)
    return parsed


def _kept(parsed: ResultDocument | None) -> str:
    count = sum(result.has_figures() for result in parsed.results) if parsed else 0
    return f"{count} of its results kept" if count else "it left no result"


def _stamp(result: BenchmarkResult, run: _Run) -> None:
    """Notes on a result what the input said."""
    config = run.config
    result.input_blocking = config.blocking
    result.input_shm_direct = config.shm_direct
    result.input_one_way = config.one_way
    result.input_round_trip = config.round_trip
    result.input_send_delay = config.send_delay
    result.input_concurrency = config.concurrency
    result.input_test = run.test
    result.input_iteration = run.iteration


def _leave_out_histograms(result: BenchmarkResult) -> None:
    for metrics in (result.one_way_results, result.round_trip_results):
        if metrics and metrics.latency:
            metrics.latency.histogram = None
            if metrics.latency.uncorrected:
                metrics.latency.uncorrected.histogram = []

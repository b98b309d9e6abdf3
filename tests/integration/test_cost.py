# SPDX-License-Identifier: Apache-2.0
"""What the tool costs, in figures that have no noise: instructions, system calls, allocations, memory.

Built without sanitizers only: they change all of these.
"""

import statistics
import time
from collections import Counter

import pytest
from callgrind import profile
from support import MECHANISMS

FEW, MANY = 2_000, 12_000


def growth(measure):
    """What a message costs: the difference between a long and a short run, which start and end alike."""
    few, many = measure(FEW), measure(MANY)
    return (many - few) / (MANY - FEW)


@pytest.mark.parametrize(("direction", "sides"), [("--round-trip", 1), ("--one-way", 2)])
def test_the_harness_costs_less_than_120_instructions_a_message(ipcmark, direction, sides):
    """The module `null` has no peer: its one thread plays both sides of a stream."""
    per_message = growth(lambda count: profile(ipcmark, "-m", "null", "-s", 64, "-i", count, direction)[0])
    assert 20 < per_message / sides < 120


@pytest.mark.parametrize("direction", ["--one-way", "--round-trip"])
def test_nothing_is_allocated_between_the_first_and_the_last_message(ipcmark, direction):
    few = profile(ipcmark, "-m", "uds", "-s", 64, "-i", 500, direction)[1].total()
    many = profile(ipcmark, "-m", "uds", "-s", 64, "-i", 2500, direction)[1].total()
    assert few > 100, "the count itself does not work"
    # The control channel has its own thread, whose allocations go by time, not by messages.
    assert abs(many - few) < 20


def system_calls(ipcmark, *arguments):
    report = ipcmark.folder / "strace.txt"
    done = ipcmark(*["run", *arguments, "-q"], wrapper=["strace", "-f", "-c", "-o", report], timeout=300)
    assert done.returncode == 0, done.stderr
    # % time, seconds, usecs/call, calls, errors if there are any, name
    rows = [line.split() for line in report.read_text().splitlines()]
    return Counter({row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"})


@pytest.mark.parametrize("mechanism", ["uds", "tcp", "pmq"])
@pytest.mark.parametrize(("direction", "floor"), [("--round-trip", 4), ("--one-way", 2)])
def test_system_calls_a_message_are_those_of_the_transport(ipcmark, mechanism, direction, floor):
    """A send and a receive on each side of a round trip; one of each one-way."""
    per_message = growth(lambda count: system_calls(ipcmark, "-m", mechanism, "-s", 64, "-i", count, direction).total())
    assert floor * 0.99 <= per_message <= floor * 1.02


def test_spinning_shared_memory_moves_without_system_calls(ipcmark):
    """But for yields, which a spinning side makes when the other one is late, as under strace it often is."""

    def calls(count):
        made = system_calls(ipcmark, "-m", "shm", "--wait", "spin", "-s", 64, "-i", count, "--round-trip")
        return made.total() - made["sched_yield"]

    assert growth(calls) < 0.1


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("count", [1_000, 300_000])
def test_a_worker_stays_below_16_megabytes(ipcmark, mechanism, count):
    document = ipcmark.measure("-m", mechanism, "-s", "1K", "-i", count, "--one-way")
    for side in ("server", "client"):
        assert 500_000 < document["results"][0]["one_way_results"][side]["max_resident_bytes"] < 16_000_000


def test_starting_and_ending_is_quick(ipcmark):
    """Four workers and a probe, against one start of the program that does next to nothing."""
    times = {"list": [], "run": []}
    for _ in range(10):
        for name, arguments in (("list", ["list"]), ("run", ["run", "-m", "uds", "-i", 1, "-w", 0, "-q"])):
            begin = time.perf_counter()
            assert ipcmark(*arguments).returncode == 0
            times[name].append(time.perf_counter() - begin)
    assert min(times["run"]) < 40 * min(times["list"])


def test_figures_are_steady_enough_to_compare(ipcmark):
    """Medians of ten short runs in a row lie together: no run in ten is off by a factor."""
    medians = []
    for _ in range(10):
        document = ipcmark.measure("-m", "uds", "-s", 64, "-i", 2000, "--round-trip")
        medians.append(document["results"][0]["round_trip_results"]["latency"]["median_ns"])
    assert sorted(medians)[-2] < 5 * statistics.median(medians)

# SPDX-License-Identifier: Apache-2.0
"""What the tool costs, in figures that have no noise: instructions, system calls, allocations, memory.

Built without sanitizers only: they change all of these.
"""

import math
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


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("mode", ["--blocking", "--async"])
def test_nothing_is_allocated_between_the_first_and_the_last_message(ipcmark, mechanism, mode):
    """In both directions; two endpoints, since those of one thread have turns."""
    arguments = ["-m", mechanism, mode, "-s", 64, "-c", 2]
    few = profile(ipcmark, *arguments, "-i", 1000)[1].total()
    many = profile(ipcmark, *arguments, "-i", 5000)[1].total()
    assert few > 100, "the count itself does not work"
    # The control channel has its own thread, whose allocations go by time, not by messages.
    assert abs(many - few) < 20


# What the coordinator does every 50 ms, and the client until the warm-up has been taken, however many messages pass
# meanwhile.
TIMED_CALLS = {"poll", "wait4", "clock_nanosleep"}


def system_calls(ipcmark, *arguments):
    """Of all processes, by name."""
    report = ipcmark.folder / "strace.txt"
    done = ipcmark(*["run", *arguments, "-q"], wrapper=["strace", "-f", "-c", "-o", report])
    assert done.returncode == 0, done.stderr
    # % time, seconds, usecs/call, calls, errors if there are any, name
    rows = [line.split() for line in report.read_text().splitlines()]
    return Counter({row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"})


def growth_of_calls(ipcmark, *arguments):
    """Those that a message costs, by name, without what goes by time; of which there are few: nothing hides there."""
    few, many = (system_calls(ipcmark, *arguments, "-i", count) for count in (FEW, MANY))
    per_message = Counter({name: (many[name] - few[name]) / (MANY - FEW) for name in few | many})
    assert all(per_message[name] < 0.5 for name in TIMED_CALLS)
    return Counter({name: calls for name, calls in per_message.items() if name not in TIMED_CALLS})


@pytest.mark.parametrize("mechanism", ["uds", "tcp", "pmq"])
@pytest.mark.parametrize(("direction", "floor"), [("--round-trip", 4), ("--one-way", 2)])
def test_system_calls_a_message_are_those_of_the_transport(ipcmark, mechanism, direction, floor):
    """A send and a receive on each side of a round trip; one of each one-way."""
    per_message = growth_of_calls(ipcmark, "-m", mechanism, "-s", 64, direction)
    assert floor * 0.99 <= per_message.total() <= floor * 1.02


def test_spinning_shared_memory_moves_without_system_calls(ipcmark):
    """But for yields, which a spinning side makes when the other one is late, as under strace it often is."""

    per_message = growth_of_calls(ipcmark, "-m", "shm", "--wait", "spin", "-s", 64, "--round-trip")
    assert per_message.total() - per_message["sched_yield"] < 0.1


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("count", [1_000, 300_000])
def test_a_worker_stays_below_16_megabytes(ipcmark, mechanism, count):
    document = ipcmark.measure("-m", mechanism, "-s", "1K", "-i", count, "--one-way")
    for side in ("server", "client"):
        assert 500_000 < document["results"][0]["one_way_results"][side]["max_resident_bytes"] < 16_000_000


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_many_endpoints_take_little_memory(ipcmark, mechanism):
    """Less than 2 MB each, their results included."""
    options = ["-O", "depth=1"] if mechanism == "pmq" else []  # the system allows few bytes in queues
    document = ipcmark.measure("-m", mechanism, "-s", 64, "-i", 20_000, "-c", 40, "--async", "--one-way", *options)
    for side in ("server", "client"):
        assert document["results"][0]["one_way_results"][side]["max_resident_bytes"] < 80_000_000


def test_starting_and_ending_is_quick(ipcmark):
    """Four workers and a probe, against one start of the program that does next to nothing."""
    programs = {"list": ["list"], "run": ["run", "-m", "uds", "-i", 1, "-w", 0, "-q"]}
    least = dict.fromkeys(programs, math.inf)
    # A busy machine makes it slow now and then; what waits for something inside is slow each time.
    for attempt in range(100):
        for name, arguments in programs.items():
            begin = time.perf_counter()
            assert ipcmark(*arguments).returncode == 0
            least[name] = min(least[name], time.perf_counter() - begin)
        if attempt >= 10 and least["run"] < 40 * least["list"]:
            return
    raise AssertionError(f"least times in seconds: {least}")

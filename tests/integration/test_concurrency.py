# SPDX-License-Identifier: Apache-2.0
"""N endpoints are N endpoints, at the same time, and the result is of all of them."""

from collections import Counter

import pytest
from support import MECHANISMS, build_options, percentile_of
from witness import Event


@pytest.mark.parametrize("mode", ["--blocking", "--async"])
@pytest.mark.parametrize("direction", ["one_way", "round_trip"])
def test_endpoints_work_at_the_same_time(ipcmark, witness, direction, mode):
    # Each waits for the others in the middle: endpoints one after the other would never get past that.
    ipcmark.measure(
        *witness.arguments(meet=4), mode, "-s", 64, "-i", 400, "-w", 10, "-c", 4, f"--{direction.replace('_', '-')}"
    )
    sends = witness.by_endpoint(Event.SEND, is_server=False)
    spans = [(own[11].begin_ns, own[-2].end_ns) for own in sends.values()]
    assert len(spans) == 4
    assert min(end for _, end in spans) > max(begin for begin, _ in spans)


def test_blocking_endpoints_have_a_thread_each(ipcmark, witness):
    document = ipcmark.measure(
        *witness.arguments(), "-s", 64, "-i", 400, "-w", 5, "-c", 4, "--round-trip", "--blocking"
    )
    for is_server in (False, True):
        sends = witness.of(Event.SEND, is_server=is_server)
        assert len({record.pid for record in sends}) == 1
        assert len({(record.endpoint, record.tid) for record in sends}) == 4
        assert len({record.tid for record in sends}) == 4
    assert document["results"][0]["test_config"]["concurrency"] == 4


def test_asynchronous_endpoints_share_a_thread_and_are_under_way_together(ipcmark, witness):
    """One thread a role, and yet a message of every endpoint outstanding at once: not a round trip after the other."""
    endpoints = 4
    ipcmark.measure(*witness.arguments(), "-s", 64, "-i", 2000, "-w", 10, "-c", endpoints, "--round-trip", "--async")
    for is_server in (False, True):
        sends = witness.of(Event.SEND, is_server=is_server)
        assert len({record.tid for record in sends}) == 1
        assert {record.endpoint for record in sends} == set(range(endpoints))
    steps = []
    for trips in witness.trips().values():
        for trip in trips[10 + 1 :]:
            steps += [(trip.sent.end_ns, 1), (trip.returned.end_ns, -1)]
    outstanding, seen = 0, Counter()
    for _, step in sorted(steps):
        outstanding += step
        seen[outstanding] += 1
    # In turn they would be 0 or 1, whatever their spans.
    assert max(seen) == endpoints
    assert sum(count for number, count in seen.items() if number >= endpoints - 1) > 0.5 * seen.total()


def test_percentiles_are_of_all_endpoints(ipcmark, witness):
    """One endpoint of four is slow: a quarter of all samples, wherever the percentiles are taken from."""
    document = ipcmark.measure(
        *witness.arguments(slow_endpoint=2, stall="20ms"),
        *["-s", 64, "-i", 200, "-w", 2, "-c", 4, "--round-trip", "--percentiles", "50,80,99"],
    )
    latency = document["results"][0]["round_trip_results"]["latency"]
    values = {entry["percentile"]: entry["value_ns"] for entry in latency["percentiles"]}
    # On a busy machine a third of the fast ones may be slow, too.
    assert values[50] < 20_000_000 <= values[80]
    assert latency["total_samples"] == 200
    seen = [trip.duration_ns for trips in witness.trips().values() for trip in trips[-50:]]
    # The host's stamps lie outside the module's.
    slow = sum(count for low, _, count in latency["histogram"] if low >= 19_900_000)
    assert slow >= sum(duration >= 20_000_000 for duration in seen) >= 50


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("mode", ["--blocking", "--async"])
def test_histogram_has_counts_and_agrees_with_the_percentiles(ipcmark, mechanism, mode):
    document = ipcmark.measure("-m", mechanism, mode, "-s", 64, "-i", 3000, "-w", 20, "-c", 3)
    result = document["results"][0]
    for name in ("one_way_results", "round_trip_results"):
        latency, delivery = result[name]["latency"], result[name]["delivery"]
        assert sum(count for _, _, count in latency["histogram"]) == latency["total_samples"] == 3000
        assert delivery["lost"] == delivery["duplicated"] == delivery["corrupted"] == 0
        assert result[name]["throughput"]["total_messages"] == 3000
        for entry in latency["percentiles"]:
            expected = percentile_of(latency["histogram"], entry["percentile"])
            assert entry["value_ns"] == min(expected, latency["max_ns"])


def test_messages_that_do_not_divide_are_all_sent(ipcmark):
    document = ipcmark.measure("-m", "uds", "-s", 64, "-i", 1001, "-w", 3, "-c", 4)
    for name in ("one_way_results", "round_trip_results"):
        assert document["results"][0][name]["latency"]["total_samples"] == 1001


@pytest.mark.skipif(build_options()["b_sanitize"] != "none", reason="sanitizers need far more address space")
@pytest.mark.parametrize("address_space_kib", [*range(700_000, 704_000, 400), 1_500_000])
def test_where_no_more_threads_can_be_started_that_is_said(ipcmark, address_space_kib):
    """Each takes 8 MiB of address space for its stack. What is left beside the last of them differs with the limit, and
    those that are there must not have begun what needs more."""
    few = ["sh", "-c", f'ulimit -s 8192; ulimit -v {address_space_kib}; exec "$@"', "sh"]
    done = ipcmark("run", "-m", "uds", "-s", 64, "-c", 500, "-i", 1000, "--blocking", "-q", wrapper=few)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    for part in ("uds", "cannot start thread", "of 500 in the", "ulimit -u", "--concurrency"):
        assert part in lines[0]


@pytest.mark.skipif(build_options()["b_sanitize"] != "none", reason="sanitizers need far more address space")
@pytest.mark.parametrize("address_space_kib", range(170_000, 250_000, 8_000))
def test_whatever_lacks_memory_says_so(ipcmark, address_space_kib):
    """Where it comes to its end: in the first thread, the last one, the module, the loops, or not at all."""
    little = ["sh", "-c", f'ulimit -s 8192; ulimit -v {address_space_kib}; exec "$@"', "sh"]
    done = ipcmark("run", "-m", "uds", "-s", 64, "-c", 20, "-i", 1000, "--blocking", "-q", wrapper=little)
    assert len(done.stderr.splitlines()) == done.returncode <= 1, done.stderr
    assert done.returncode == 0 or "memory" in done.stderr

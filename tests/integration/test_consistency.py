# SPDX-License-Identifier: Apache-2.0
"""Numbers of one run do not contradict each other: what was 0.008 in a predecessor where 1 is consistent."""

import csv
import json
import os
import re
import signal
import time
from itertools import pairwise

import pytest
from support import MECHANISMS, TIMEOUT_S, measuring_workers
from witness import Event

MODES = ["--blocking", "--async"]


def checks_of(result):
    return {check["id"]: check for check in result["audit"]}


def never_sent(result):
    """How many messages of an open loop the result says were due and had not been sent."""
    causes = [warning["cause"] for warning in result["warnings"] if warning["code"] == "offered-rate"]
    said = [re.search(r"; (\d+) messages that were due had not been sent", cause) for cause in causes]
    return sum(int(match[1]) for match in said if match)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("mode", MODES)
def test_littles_law_of_one_endpoint(ipcmark, mechanism, mode):
    """Mean round trip × rate ÷ messages outstanding is 1 in a closed loop."""
    document = ipcmark.measure("-m", mechanism, mode, "-s", 64, "-i", 5000, "--round-trip")
    result = document["results"][0]["round_trip_results"]
    product = result["latency"]["mean_ns"] * 1e-9 * result["throughput"]["messages_per_second"]
    assert product == pytest.approx(1, abs=0.1)
    check = checks_of(result)["littles-law"]
    assert check["value"] == pytest.approx(product, rel=0.01)
    assert check["verdict"] == "ok"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_littles_law_of_a_window(ipcmark, mechanism):
    document = ipcmark.measure("-m", mechanism, "-s", 64, "-i", 5000, "--window", 4, "--round-trip")
    result = document["results"][0]["round_trip_results"]
    product = result["latency"]["mean_ns"] * 1e-9 * result["throughput"]["messages_per_second"]
    # A stall while the last few are under way, and fewer than four, makes it less; nothing makes it more.
    assert 2.5 < product < 4.05


def test_littles_law_of_a_window_that_the_transport_does_not_hold(ipcmark):
    """What waits for room has begun: its place in the window has been free since the last reply."""
    window = 256
    document = ipcmark.measure("-m", "uds", "--async", "-s", "1K", "-i", 30_000, "--window", window, "--round-trip")
    result = document["results"][0]["round_trip_results"]
    product = result["latency"]["mean_ns"] * 1e-9 * result["throughput"]["messages_per_second"]
    # See above.
    assert 0.8 < product / window < 1.01


@pytest.mark.parametrize("mode", MODES)
def test_littles_law_of_endpoints_that_end_at_different_moments(ipcmark, mode):
    """By a count some are done long before others: no contradiction, but less than the load that was asked for."""
    document = ipcmark.measure("-m", "uds", mode, "-s", 64, "-c", 12, "-i", 6000, "--round-trip")
    result = document["results"][0]["round_trip_results"]
    checks = checks_of(result)
    assert checks["littles-law"]["verdict"] == "ok"
    product = result["latency"]["mean_ns"] * 1e-9 * result["throughput"]["messages_per_second"]
    assert checks["overlap"]["value"] * checks["littles-law"]["value"] == pytest.approx(product / 12, rel=0.02)


def test_endpoints_that_are_timed_end_together(ipcmark, witness):
    """And how much of the window they share is what the module saw, whatever the machine did meanwhile."""
    duration_ns, warmup = 300_000_000, 11
    document = ipcmark.measure(*witness.arguments(), "-s", 64, "-c", 4, "-d", "300ms", "-w", 10, "--round-trip")
    endpoints = [trips[warmup:] for trips in witness.trips().values()]
    begin = min(trips[0].sent.begin_ns for trips in endpoints)
    for trips in endpoints:
        assert trips[-2].returned.end_ns < begin + 1.01 * duration_ns, "no round trip begins after the time is over"
        assert trips[-1].returned.end_ns > begin + 0.99 * duration_ns
    spans = [(trips[0].sent.begin_ns, trips[-1].returned.end_ns) for trips in endpoints]
    window_ns = max(end for _, end in spans) - min(begin for begin, _ in spans)
    share = sum(end - begin for begin, end in spans) / window_ns / len(spans)
    check = checks_of(document["results"][0]["round_trip_results"])["overlap"]
    assert check["value"] == pytest.approx(share, abs=0.1)
    assert check["verdict"] == ("ok" if check["value"] >= 0.8 else "suspicious")


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("direction", ["one_way", "round_trip"])
def test_one_direction_alone_is_measured(ipcmark, mechanism, mode, direction):
    """Shared memory's blocking round trip was an empty success."""
    document = ipcmark.measure("-m", mechanism, mode, "-s", 64, "-i", 1000, f"--{direction.replace('_', '-')}")
    result = document["results"][0]
    other = "round_trip" if direction == "one_way" else "one_way"
    assert result["status"] == "Success"
    assert result[f"{direction}_results"]["latency"]["total_samples"] == 1000
    assert result[f"{direction}_results"]["latency"]["min_ns"] > 0
    assert result[f"{other}_results"] is None
    assert (result["test_config"]["one_way_enabled"], result["test_config"]["round_trip_enabled"]) == (
        direction == "one_way",
        direction == "round_trip",
    )


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_check_of_an_ordinary_run_is_answered(ipcmark, mechanism):
    document = ipcmark.measure("-m", mechanism, "-s", 1024, "-i", 3000)
    for name in ("one_way_results", "round_trip_results"):
        checks = checks_of(document["results"][0][name])
        assert {
            "littles-law",
            "clock-overhead",
            "clock-resolution",
            "harness-overhead",
            "cpu-placement",
            "sample-count",
            "sequence",
        } <= set(checks)
        assert checks["sample-count"]["verdict"] == "ok"
        assert checks["sequence"]["verdict"] == "ok"


def test_a_window_of_a_few_time_slices_is_told_of(ipcmark):
    document = ipcmark.measure("-m", "uds", "-s", 64, "-d", "300us", "-w", 10, "--one-way")
    (result,) = document["results"]
    measured = result["one_way_results"]
    check = checks_of(measured)["short-window"]
    if measured["throughput"]["total_messages"] < 100:
        pytest.skip("the machine paused in the window")
    assert check["value"] == pytest.approx(measured["throughput"]["duration_ns"] / 1e6)
    assert check["verdict"] == ("ok" if check["value"] >= 10 else "suspicious")
    told = [warning["remedy"] for warning in result["warnings"] if warning["code"] == "short-window"]
    assert len(told) == (check["verdict"] == "suspicious")


def test_open_loop_latency_counts_from_the_planned_send(ipcmark, witness):
    """A stall of 200 ms at 1000 messages a second delays some 200 messages, not one."""
    document = ipcmark.measure(
        *witness.arguments(stall_at=150, stall="200ms"),
        *["-s", 64, "-i", 1000, "-w", 50, "--rate", 1000, "--round-trip"],
    )
    latency = document["results"][0]["round_trip_results"]["latency"]
    late = sum(count for low, _, count in latency["histogram"] if low >= 20_000_000)
    # How late each reply was by a schedule that no message was sent ahead of, as the module saw it: this machine may
    # have stalls of its own.
    trips = witness.trips()[0][-1000:]
    begin_ns = min(trip.sent.begin_ns - number * 1_000_000 for number, trip in enumerate(trips))
    delays = [trip.returned.end_ns - begin_ns - number * 1_000_000 for number, trip in enumerate(trips)]
    assert sum(delay >= 20_500_000 for delay in delays) >= 150
    assert sum(delay >= 20_500_000 for delay in delays) <= late <= sum(delay >= 19_000_000 for delay in delays) + 10
    hidden = sum(count for low, _, count in latency["uncorrected"]["histogram"] if low >= 20_000_000)
    assert hidden < late / 4, "what a tool reports that suffers from coordinated omission"


@pytest.mark.parametrize(("direction", "stalls"), [("one_way", "stall_request_at"), ("round_trip", "stall_at")])
@pytest.mark.parametrize("mode", MODES)
def test_the_way_of_the_last_message_is_no_lateness(ipcmark, witness, direction, stalls, mode):
    """It may be many intervals long, and is no sign that the sender was late."""
    count, rate, warmup = 100, 1000, 10
    last = warmup + 1 + count  # the first after the warm-up is not counted either
    document = ipcmark.measure(
        *[*witness.arguments(**{stalls: last}, stall="1s"), mode, f"--{direction.replace('_', '-')}"],
        *["-s", 64, "-i", count, "-w", warmup, "--rate", rate],
    )
    result = document["results"][0][f"{direction}_results"]
    window_s = result["throughput"]["duration_ns"] * 1e-9
    assert window_s > 1
    # Sending ended a second or more before the window did, whatever else held the machine up.
    assert checks_of(result)["offered-rate"]["value"] > 0.98 * count / ((window_s - 1) * rate + 1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("direction", ["--one-way", "--round-trip"])
def test_what_is_due_in_a_stall_at_the_end_is_measured_too(ipcmark, witness, mode, direction):
    """A run for a time ends in the middle of a stall: what was due until the end is late, and in the percentiles."""
    document = ipcmark.measure(
        *witness.arguments(stall_request_at=450, stall="300ms"),
        *["-s", 64, "-d", "500ms", "-w", 50, "--rate", 1000, direction, mode],
    )
    result = document["results"][0][f"{direction[2:].replace('-', '_')}_results"]
    late = sum(count for low, _, count in result["latency"]["histogram"] if low >= 20_000_000)
    left = never_sent(document["results"][0])
    assert result["throughput"]["total_messages"] + left == 500
    assert late + left >= 80
    # On a machine that itself pauses some may be left, when what is late has had its second; the end message came then.
    sends = witness.of(Event.SEND, is_server=False)
    assert left == 0 or sends[-1].begin_ns - sends[50].begin_ns >= 1_450_000_000


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("direction", ["--one-way", "--round-trip"])
def test_a_rate_beyond_reach_does_not_run_for_ever(ipcmark, mode, direction):
    """Its messages would take many times as long as was asked for. What is left of them is told.

    How long it runs is no matter of this test: a machine that pauses is no fault. pacer_test.cpp counts ticks.
    """
    document = ipcmark.measure("-m", "uds", "-d", "200ms", "--rate", "100M", direction, mode)
    (result,) = document["results"]
    measured = result[f"{direction[2:].replace('-', '_')}_results"]
    assert not measured["partial"]
    assert 0 < measured["throughput"]["total_messages"] < 20_000_000 / 2
    assert never_sent(result) == pytest.approx(20_000_000 - measured["throughput"]["total_messages"], abs=2)


@pytest.mark.parametrize("count", [25, 2000])
def test_a_rate_that_is_not_reached_is_told_of_few_messages_too(ipcmark, witness, count):
    """And not excused by the queue that it makes: each message waits for those before it."""
    document = ipcmark.measure(
        *witness.arguments(slow_endpoint=1, stall="1ms"), "-s", 64, "-i", count, "-w", 0, "--rate", 10_000,
        "--round-trip",
    )  # fmt: skip
    check = checks_of(document["results"][0]["round_trip_results"])["offered-rate"]
    assert check["verdict"] == "suspicious"
    assert check["value"] < 0.2


def test_a_receiver_that_does_not_keep_up_is_told_of_though_all_is_sent_in_time(ipcmark, witness):
    """The socket has room for all messages, which wait there, each longer than the one before."""
    document = ipcmark.measure(
        *witness.arguments(slow_endpoint=1, stall="1ms"), "-s", 64, "-i", 150, "-w", 0, "--rate", 5000,
        *["--round-trip", "--async", "--window", 1000],
    )  # fmt: skip
    (result,) = document["results"]
    checks = checks_of(result["round_trip_results"])
    # A machine that pauses may have made the sender late, too: that is said once.
    told = [name for name in ("offered-rate", "delivered-rate") if checks[name]["verdict"] == "suspicious"]
    assert len(told) == 1
    assert checks[told[0]]["value"] < 0.9
    assert [each["code"] for each in result["warnings"] if each["code"].endswith("-rate")] == told


def test_no_message_more_is_due_than_the_rate_says(ipcmark):
    """Whichever way the endpoints' shares of an interval are rounded."""
    for rate, endpoints, count in ((20_000, 3, 4000), (7_000, 7, 1400), (1_000_000, 1, 200_000)):
        document = ipcmark.measure("-m", "uds", "--rate", rate, "-c", endpoints, "-d", "200ms", "--one-way")
        assert 0 < document["results"][0]["one_way_results"]["throughput"]["total_messages"] <= count


def test_few_messages_do_not_have_more_than_the_rate_asked_for(ipcmark):
    for count in (1, 2, 5):
        document = ipcmark.measure("-m", "uds", "-i", count, "--rate", 20, "--one-way")
        assert document["results"][0]["one_way_results"]["throughput"]["messages_per_second"] <= 20.001


@pytest.mark.parametrize("mode", MODES)
def test_endpoints_share_one_schedule(ipcmark, mode):
    """Three endpoints at 300 a second: a message every 3.3 ms, whichever endpoint it is of."""
    document = ipcmark.measure(
        *["-m", "uds", "-c", 3, "--rate", 300, "-i", 60, mode, "--one-way"],
        *["--streaming-output-csv", ipcmark.folder / "samples.csv"],
    )
    assert document["results"][0]["one_way_results"]["throughput"]["total_messages"] == 60
    with (ipcmark.folder / "samples.csv").open() as file:
        rows = list(csv.DictReader(file))
    planned = sorted(int(row["timestamp_ns"]) for row in rows)
    distances = [later - earlier for earlier, later in pairwise(planned)]
    assert all(distance == pytest.approx(1e9 / 300, rel=0.001) for distance in distances)


@pytest.mark.parametrize("mode", MODES)
def test_a_message_that_a_stop_hurried_is_no_sample(ipcmark, mode):
    """A stop ends the wait for the moment when the next message is due: it must not be sent, and come, before that."""
    run = ipcmark.start(
        *["run", "-m", "uds", mode, "-s", 64, "-i", 100, "--rate", 1, "--window", 4, "-w", 2, "--round-trip", "-q"],
        *["-o", "r.json"],
    )
    # Its third message, the first measured one and so the first of the schedule, has come back.
    assert measuring_workers(run, 4), run.stderr.read()
    time.sleep(0.5)
    os.kill(run.pid, signal.SIGINT)
    run.wait(timeout=TIMEOUT_S)
    document = json.loads((ipcmark.folder / "r.json").read_text())
    result = document["results"][0]["round_trip_results"]
    # Message n is due n seconds after the first one, however late this test was with its signal.
    samples = result["latency"]["total_samples"]
    assert samples >= 1
    assert result["throughput"]["duration_ns"] >= (samples - 1) * 999_999_000
    assert result["latency"]["min_ns"] > 0
    assert checks_of(result)["clock-order"]["verdict"] == "ok"

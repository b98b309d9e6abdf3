# SPDX-License-Identifier: Apache-2.0
"""What the timed window holds: only the transport. An independent witness, the module itself, says what happened."""

import itertools
import statistics

import pytest
from witness import Event

DELAY_NS = 5_000_000
WARMUP = 20
COUNT = 40
DROPPED = 1  # the first message after the warm-up
THE_END = 1  # a last message that tells the server so

# Each has loops of its own.
both_modes = pytest.mark.parametrize("mode", ["--blocking", "--async"])


def direction_of(document, name):
    return document["results"][0][f"{name}_results"]


@both_modes
def test_round_trip_latency_is_what_the_module_saw(ipcmark, witness, mode):
    document = ipcmark.measure(*witness.arguments(), mode, "-s", 64, "-i", 2000, "-w", 100, "--round-trip")
    trips = witness.trips()[0][100 + DROPPED :]
    assert len(trips) == 2000
    seen = statistics.median(trip.duration_ns for trip in trips)
    latency = direction_of(document, "round_trip")["latency"]
    assert latency["total_samples"] == 2000
    # The host's stamps lie outside the module's, and next to them. Buckets are 0.1 % wide.
    assert seen * 0.998 <= latency["median_ns"] <= seen * 1.5 + 5_000


@both_modes
def test_send_delay_is_not_in_the_round_trip(ipcmark, witness, mode):
    document = ipcmark.measure(
        *witness.arguments(), mode, "-s", 64, "-i", COUNT, "-w", WARMUP, "--send-delay", "5ms", "--round-trip"
    )
    result = direction_of(document, "round_trip")
    trips = witness.trips()[0]
    measured = trips[-COUNT:]
    gaps = [b.sent.begin_ns - a.returned.end_ns for a, b in itertools.pairwise(measured)]
    assert min(gaps) >= DELAY_NS, "the delay was asked and must be there, between the round trips"
    seen = statistics.median(trip.duration_ns for trip in measured)
    assert seen * 0.998 <= result["latency"]["median_ns"] < seen + DELAY_NS / 2
    assert document["results"][0]["test_config"]["send_delay_ns"] == DELAY_NS


@pytest.mark.parametrize("mode", ["--blocking", "--async"])
@pytest.mark.parametrize("direction", ["one_way", "round_trip"])
@pytest.mark.parametrize("endpoints", [1, 3])
def test_with_a_send_delay_the_rate_is_that_of_real_time(ipcmark, witness, mode, direction, endpoints):
    """Of all endpoints together, delays included: nobody got the messages any faster."""
    each = 110
    document = ipcmark.measure(
        *witness.arguments(),
        *[mode, "-s", 64, "-i", each * endpoints, "-w", WARMUP, "--send-delay", "5ms", "-c", endpoints],
        f"--{direction.replace('_', '-')}",
    )
    result = direction_of(document, direction)
    sends = witness.by_endpoint(Event.SEND, is_server=False)
    receives = witness.by_endpoint(Event.RECV, is_server=direction == "one_way")
    first = min(own[WARMUP + DROPPED].begin_ns for own in sends.values())
    last = max(own[WARMUP + DROPPED + each - 1].end_ns for own in receives.values())
    throughput = result["throughput"]
    assert throughput["total_messages"] == each * endpoints
    # The host's stamps lie outside the module's; the first is taken before the endpoints' first messages.
    # The witness has another clock, by which the host's is calibrated.
    assert (last - first) * 0.999 <= throughput["duration_ns"] <= (last - first) * 1.05 + 2_000_000_000
    assert throughput["duration_ns"] >= DELAY_NS * (each - 1)
    assert throughput["messages_per_second"] == pytest.approx(each * endpoints / (throughput["duration_ns"] / 1e9))
    assert "send-delay" in {warning["code"] for warning in document["results"][0]["warnings"]}
    # Nothing is outstanding in the pauses of an endpoint: without them rate and latency agree.
    law = next(check for check in result["audit"] if check["id"] == "littles-law")
    assert law["verdict"] == ("ok" if direction == "round_trip" else "not_applicable"), law


@both_modes
def test_send_delay_is_not_in_the_one_way_latency(ipcmark, witness, mode):
    document = ipcmark.measure(
        *witness.arguments(), mode, "-s", 64, "-i", COUNT, "-w", WARMUP, "--send-delay", "5ms", "--one-way"
    )
    result = direction_of(document, "one_way")
    sends = witness.of(Event.SEND, is_server=False)[WARMUP + DROPPED :][:COUNT]
    receives = witness.of(Event.RECV, is_server=True)[WARMUP + DROPPED :][:COUNT]
    seen = statistics.median(r.end_ns - s.begin_ns for s, r in zip(sends, receives, strict=True))
    assert result["latency"]["median_ns"] < seen + DELAY_NS / 2
    assert result["throughput"]["duration_ns"] >= DELAY_NS * (COUNT - 1)


@both_modes
def test_warm_up_obeys_no_send_delay(ipcmark, witness, mode):
    ipcmark.measure(*witness.arguments(), mode, "-s", 64, "-i", 2, "-w", 100, "--send-delay", "5ms", "--round-trip")
    warmup = witness.trips()[0][:100]
    assert statistics.median(b.sent.begin_ns - a.returned.end_ns for a, b in itertools.pairwise(warmup)) < DELAY_NS / 2


@pytest.mark.parametrize("mode", ["--blocking", "--async"])
@pytest.mark.parametrize("direction", ["one_way", "round_trip"])
def test_no_message_follows_a_delay_that_outlasts_the_duration(ipcmark, witness, mode, direction):
    document = ipcmark.measure(
        *[*witness.arguments(), mode, "-s", 64, "-d", "1s", "-w", WARMUP, "--send-delay", "1h"],
        f"--{direction.replace('_', '-')}",
    )
    result = direction_of(document, direction)
    assert result["latency"]["total_samples"] == 1
    assert not result["partial"]


@both_modes
@pytest.mark.parametrize("direction", ["one_way", "round_trip"])
def test_throughput_window_is_from_first_send_to_last_receive(ipcmark, witness, direction, mode):
    """Setting up, a message of the warm-up and closing take 300 ms each here: a clock that runs during any of them
    would be far off."""
    document = ipcmark.measure(
        *witness.arguments(slow_accept="300ms", slow_close="300ms", stall_request_at=100, stall="300ms"),
        *[mode, "-s", 64, "-i", 3000, "-w", 3000, f"--{direction.replace('_', '-')}"],
    )
    throughput = direction_of(document, direction)["throughput"]
    first, last = 3000 + DROPPED, 3000 + DROPPED + 3000 - 1
    send = witness.of(Event.SEND, is_server=False)[first]
    receive = witness.of(Event.RECV, is_server=direction == "one_way")[last]
    window_ns = receive.end_ns - send.begin_ns
    assert throughput["total_messages"] == 3000
    assert throughput["total_bytes"] == 3000 * 64
    assert window_ns * 0.999 <= throughput["duration_ns"] <= window_ns * 1.05 + 100_000_000
    assert throughput["messages_per_second"] == pytest.approx(3000 / (throughput["duration_ns"] / 1e9), rel=1e-6)
    assert throughput["bytes_per_second"] == pytest.approx(throughput["messages_per_second"] * 64, rel=1e-6)


@pytest.mark.parametrize("direction", ["one-way", "round-trip"])
def test_warm_up_runs_on_the_connection_that_is_measured(ipcmark, witness, direction):
    ipcmark.measure(*witness.arguments(), "-s", 64, "-i", 100, "-w", 30, "-c", 2, f"--{direction}")
    assert len(witness.of(Event.CONNECT, is_server=False)) == 2, (
        "one connection an endpoint: warm-up has none of its own"
    )
    assert len(witness.of(Event.LISTEN, is_server=True)) == 1
    sends = witness.of(Event.SEND, is_server=False)
    assert len({record.pid for record in sends}) == 1
    for endpoint in (0, 1):
        assert sum(record.endpoint == endpoint for record in sends) == 30 + DROPPED + 50 + THE_END


@both_modes
def test_the_window_opens_when_the_server_has_taken_all_of_the_warm_up(ipcmark, witness, mode):
    """The socket holds all of it, and the server takes its time."""
    warmup = 250
    document = ipcmark.measure(
        *[*witness.arguments(slow_recv="10ms"), mode, "-s", 64, "-i", 5, "-w", warmup, "--rate", 5, "--one-way"]
    )
    witness.assert_taken_before_the_next(warmup + DROPPED)
    check = next(check for check in direction_of(document, "one_way")["audit"] if check["id"] == "warm-up")
    assert (check["value"], check["verdict"]) == (0, "ok")


@both_modes
def test_a_warm_up_that_did_not_arrive_is_told(ipcmark, witness, mode):
    """The last of it: of what was lost before the server can tell."""
    warmup = 20
    document = ipcmark.measure(
        *witness.arguments(lost_request=warmup + DROPPED), mode, "-s", 64, "-i", 100, "-w", warmup, "--one-way"
    )
    result = document["results"][0]
    assert result["one_way_results"]["delivery"]["received"] == 100
    warning = next(warning for warning in result["warnings"] if warning["code"] == "warm-up")
    assert "1 message of the warm-up had not arrived" in warning["cause"]


@both_modes
def test_a_time_out_ends_the_wait_for_the_server(ipcmark, witness, mode):
    document = ipcmark.measure(
        *[*witness.arguments(slow_recv="2s"), mode, "-s", 64, "-i", 5, "-w", 20, "--one-way", "--timeout", "2s"],
        expect=1,
    )
    assert "time-out of 2s" in document["results"][0]["status"]["Failure"]
    assert len(witness.of(Event.SEND, is_server=False)) <= 20 + DROPPED + THE_END


def test_first_message_can_be_kept(ipcmark, witness):
    document = ipcmark.measure(
        *witness.arguments(), "-s", 64, "-i", 100, "-w", 0, "--include-first-message", "--round-trip"
    )
    assert len(witness.trips()[0]) == 100
    assert direction_of(document, "round_trip")["latency"]["total_samples"] == 100


@both_modes
def test_reply_is_the_message_itself(ipcmark, witness, mode):
    ipcmark.measure(*witness.arguments(), mode, "-s", 1000, "-i", 200, "-w", 10, "--round-trip")
    for trip in witness.trips()[0]:
        assert trip.sent.size == trip.returned.size == 1000
        assert trip.sent.checksum == trip.returned.checksum


@both_modes
@pytest.mark.parametrize("size", [1, 16, 64, 4096])
def test_a_wrong_reply_is_found_and_reported_and_no_sample(ipcmark, witness, size, mode):
    document = ipcmark.measure(
        *witness.arguments(wrong_reply=100), mode, "-s", size, "-i", 200, "-w", 10, "--round-trip", expect=None
    )
    result = document["results"][0]
    assert result["round_trip_results"]["delivery"]["corrupted"] == 1
    assert result["round_trip_results"]["latency"]["total_samples"] == 199
    assert result["summary"]["error_count"] >= 1


@both_modes
@pytest.mark.parametrize("direction", ["one_way", "round_trip"])
def test_a_message_that_came_damaged_is_one_error_and_not_lost(ipcmark, witness, direction, mode):
    """A round trip's is seen by both sides, and is still one."""
    document = ipcmark.measure(
        *witness.arguments(wrong_request=100),
        *[mode, "-s", 64, "-i", 200, "-w", 10, f"--{direction.replace('_', '-')}"],
        expect=None,
    )
    delivery = direction_of(document, direction)["delivery"]
    assert (delivery["sent"], delivery["received"], delivery["corrupted"], delivery["lost"]) == (200, 199, 1, 0)
    assert document["results"][0]["summary"]["error_count"] == 1


@both_modes
def test_each_reply_makes_room_for_the_next_message_at_once(ipcmark, witness, mode):
    """On one CPU several replies wait for the client. Whoever took all of them first would measure a window that is
    not full, with latencies and a rate that do not belong together."""
    window = 8
    document = ipcmark.measure(
        *[*witness.arguments(), mode, "-s", 64, "-i", 3000, "-w", 100, "--window", window, "--round-trip"],
        *["--server-affinity", 0, "--client-affinity", 0],
    )
    first = 100 + DROPPED
    sends = witness.of(Event.SEND, is_server=False)[first:][:3000]
    receives = witness.of(Event.RECV, is_server=False)[first:][:3000]
    late = [i for i in range(3000 - window) if sends[i + window].begin_ns > receives[i + 1].begin_ns]
    assert not late
    law = next(check for check in direction_of(document, "round_trip")["audit"] if check["id"] == "littles-law")
    assert law["verdict"] == "ok", law


@both_modes
@pytest.mark.parametrize("window", [8, 64])
def test_what_fills_a_window_has_stamps_of_its_own(ipcmark, witness, mode, window):
    """The first message is slow to go; those after it in the window have not begun by then."""
    document = ipcmark.measure(
        *witness.arguments(stall_request_at=10 + DROPPED + 1, stall="300ms"),
        *[mode, "-s", 64, "-i", 200, "-w", 10, "--window", window, "--round-trip"],
    )
    latency = direction_of(document, "round_trip")["latency"]
    slow = sum(count for low, _, count in latency["histogram"] if low >= 299_000_000)
    assert latency["total_samples"] == 200
    # This machine may have stalls of its own.
    assert 1 <= slow < window


@both_modes
def test_late_reply_is_one_slow_sample_and_shifts_none(ipcmark, witness, mode):
    document = ipcmark.measure(
        *witness.arguments(stall_at=100, stall="300ms"), mode, "-s", 64, "-i", 200, "-w", 10, "--round-trip"
    )
    result = direction_of(document, "round_trip")
    trips = witness.trips()[0][-200:]
    # This machine may have stalls of its own.
    seen = sum(trip.duration_ns >= 300_000_000 for trip in trips)
    slow = sum(count for low, _, count in result["latency"]["histogram"] if low >= 299_000_000)
    assert 1 <= seen <= slow <= seen + 5
    assert result["latency"]["total_samples"] == 200
    assert result["latency"]["max_ns"] >= 300_000_000
    assert result["delivery"]["lost"] == result["delivery"]["reordered"] == result["delivery"]["corrupted"] == 0


@both_modes
def test_a_reply_that_never_came_is_no_sample(ipcmark, witness, mode):
    """The run is ended by its time-out: what was measured until then stays, and the waiting is not among it."""
    document = ipcmark.measure(
        *witness.arguments(stall_at=100, stall="1h"),
        *[mode, "-s", 64, "-i", 200, "-w", 10, "--round-trip", "--timeout", "10s"],
        expect=1,
    )
    result = document["results"][0]
    assert "Failure" in result["status"]
    measured = result["round_trip_results"]
    assert measured["partial"]
    assert measured["latency"]["total_samples"] == 99 - 10 - DROPPED
    slowest = max(trip.duration_ns for trip in witness.trips()[0][10 + DROPPED :])
    assert measured["latency"]["max_ns"] < slowest + 1_000_000_000

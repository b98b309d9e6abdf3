# SPDX-License-Identifier: Apache-2.0
"""A message is there when all of it is: also the lines that the processor has asked for and does not wait for.

Without a fence the processor reads its time-stamp counter while they are on their way, and the latency is too small by
as much. Least latencies are compared, of runs in turns: what else the machine does adds to them and never takes away.
"""

import pytest

PACED = ["-i", 1000, "--rate", 5000]
DELAYED = ["-i", 1000, "--send-delay", "200us"]
# The witness's receiver of a one-way stream polls. Where one waits in the kernel for the other, the way of a message on
# one CPU has no wake-up of another in it, which varies more.
APART = ["--server-affinity", 0, "--client-affinity", 1]
TOGETHER = ["--server-affinity", 0, "--client-affinity", 0]

LOOPS = {
    "one-way-blocking": (3, ["--one-way", "--blocking", *PACED, *APART]),
    "one-way-async": (3, ["--one-way", "--async", *PACED, *TOGETHER]),
    # Batches are not paced: all but the first message would wait for others.
    "one-way-batch": (12, ["--one-way", "--batch", 2, "-i", 1, *APART]),
    "round-trip-blocking": (3, ["--round-trip", "--blocking", *PACED, *TOGETHER]),
    "round-trip-async": (3, ["--round-trip", "--async", *PACED, *TOGETHER]),
    "round-trip-window": (3, ["--round-trip", "--window", 2, *PACED, *TOGETHER]),
    "round-trip-delayed": (3, ["--round-trip", "--blocking", *DELAYED, *TOGETHER]),
    "round-trip-delayed-async": (3, ["--round-trip", "--async", *DELAYED, *TOGETHER]),
}


@pytest.mark.parametrize(("rounds", "loop"), LOOPS.values(), ids=LOOPS)
def test_the_clock_waits_for_the_lines_of_the_message(ipcmark, witness, rounds, loop):
    direction, end = ("one_way", "late_request") if "--one-way" in loop else ("round_trip", "late_reply")
    least_ns = dict.fromkeys(["not-read", "read", "awaited"], float("inf"))
    for _ in range(rounds):
        for late in least_ns:
            document = ipcmark.measure(*witness.arguments(**{end: late}), *loop, "-s", 64, "-w", 10)
            latency = document["results"][0][f"{direction}_results"]["latency"]
            from_the_sending = latency.get("uncorrected") or latency
            least_ns[late] = min(least_ns[late], from_the_sending["min_ns"])
    assert least_ns["read"] > (least_ns["not-read"] + least_ns["awaited"]) / 2, least_ns

# SPDX-License-Identifier: Apache-2.0
"""Every way to drive every module: each message is measured once, in both directions, and none is lost.

Small runs that go through all loops of the harness: under the sanitizers they are what looks at it."""

import pytest
from support import MECHANISMS

COUNT = 400
MODES = {
    "blocking": ["--blocking"],
    "asynchronous": ["--async"],
    "two endpoints": ["--blocking", "-c", 2],
    "two endpoints, asynchronous": ["--async", "-c", 2],
    "spin": ["--blocking", "--wait", "spin"],
    "adaptive": ["--blocking", "--wait", "adaptive"],
    "spin, asynchronous": ["--async", "--wait", "spin"],
    "adaptive, asynchronous": ["--async", "--wait", "adaptive"],
    "rate": ["--blocking", "--rate", 5000, "-c", 2],
    "rate, asynchronous": ["--async", "--rate", 5000, "-c", 2],
    "delay": ["--blocking", "--send-delay", "100us"],
    "delay, asynchronous": ["--async", "--send-delay", "100us"],
    "window": ["--blocking", "--window", 4],
    "window, asynchronous": ["--async", "--window", 4, "-c", 2],
    "batch": ["--blocking", "--batch", 8, "--one-way"],
    "direct": ["--blocking", "--direct"],
    "one byte": ["--blocking", "-s", 1, "-c", 2],
    "one byte, asynchronous": ["--async", "-s", 1, "-c", 2],
    "large": ["--blocking", "-s", 200_000],
    "large, asynchronous": ["--async", "-s", 200_000],
    "samples": ["--blocking", "--streaming-output-csv", "samples.csv", "--streaming-output-ndjson", "samples.ndjson"],
}
# What a module has not, and what it is without.
LACKS = {
    "batch": ["pmq", "null"],
    "direct": ["uds", "tcp", "pmq", "null"],
    "large": ["pmq"],  # fs.mqueue.msgsize_max
    "window": ["null"],
}


def lacks(mode, mechanism):
    return mechanism in LACKS.get(mode.split(",")[0], []) or (mechanism == "null" and "asynchronous" in mode)


CASES = [(mechanism, mode) for mechanism in [*MECHANISMS, "null"] for mode in MODES if not lacks(mode, mechanism)]


@pytest.mark.parametrize(("mechanism", "mode"), CASES)
def test_each_message_is_measured_once(ipcmark, mechanism, mode):
    arguments = MODES[mode]
    size = [] if "-s" in arguments else ["-s", 64]
    document = ipcmark.measure("-m", mechanism, *size, "-i", COUNT, "-w", 10, *arguments)
    (result,) = document["results"]
    for name in ["one_way"] if "--one-way" in arguments else ["one_way", "round_trip"]:
        measured = result[f"{name}_results"]
        assert measured["latency"]["total_samples"] == COUNT
        assert measured["throughput"]["total_messages"] == COUNT
        delivery = measured["delivery"]
        assert delivery["lost"] == delivery["duplicated"] == delivery["reordered"] == delivery["corrupted"] == 0
    if mode == "samples":
        lines = (ipcmark.folder / "samples.csv").read_text().splitlines()
        assert len(lines) > 2 * COUNT


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("mode", ["--blocking", "--async"])
def test_an_adaptive_wait_uses_the_cpu_where_a_blocked_one_sleeps(ipcmark, mechanism, mode):
    """With a message every 2 ms and 100 ms to spin, the server never comes to sleep."""

    def server_cpu_ns(policy):
        document = ipcmark.measure(
            *["-m", mechanism, mode, "--wait", policy, "--round-trip"],
            *["--send-delay", "2ms", "-i", 100, "-w", 2],
        )
        server = document["results"][0]["round_trip_results"]["server"]
        return server["cpu_time_ns"]

    assert server_cpu_ns("adaptive:100ms") > 5 * server_cpu_ns("block")

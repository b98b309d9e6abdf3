#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ipcmark beside other people's tools and libraries, run in turns on the same two CPUs.

None of them is built or fetched here: give the paths of what is installed on this machine. Round trips are compared by
their median, one-way by messages per second; a ratio is the other's figure divided by ipcmark's for the same transport,
so above 1 means a slower round trip, and below 1 fewer messages, than ipcmark's.

  beside.py --predecessor /opt/rusty/ipc-benchmark --ucx /usr/bin/ucx_perftest --iceoryx2 /opt/iceoryx2-pubsub

What the others measure is not always the same thing: the predecessor reports its own serialisation with the transport,
and its rate counts from before the server is started, and its round trips over shared memory contradict its own rate;
ucx_perftest spins, without a stamp on any message; iceoryx2's
program runs its two sides as threads and reports half a round trip, which is doubled here.
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from ratio import BUILD_ROOT, Failed, run

MECHANISMS = ["uds", "tcp", "shm", "pmq"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ipcmark:
    def __init__(self, program, cpus, folder):
        self.program, self.cpus, self.document = program, cpus, Path(folder) / "ipcmark.json"

    def measure(self, mechanism, direction, size, count, wait):
        command = [self.program, "run", "-m", mechanism, "-s", size, "-i", count, f"--{direction}", "--wait", wait]
        placement = ["--client-affinity", self.cpus[0], "--server-affinity", self.cpus[1]]
        run([*command, *placement, "-q", "-o", self.document])
        return figure(self.document, direction)


class Predecessor:
    """Round trip and one-way are asked for apart: together the second runs on the wrong CPUs."""

    name = "predecessor"

    def __init__(self, program, cpus, folder):
        self.program, self.cpus, self.folder = program.resolve(), cpus, Path(folder)

    def cases(self):
        return [(mechanism, direction) for mechanism in MECHANISMS for direction in ("round-trip", "one-way")]

    # Its blocking shared memory has no round trip (that run is an empty success), and its asynchronous one spins.
    @staticmethod
    def wait(mechanism, direction):
        return "spin" if (mechanism, direction) == ("shm", "round-trip") else "block"

    def measure(self, mechanism, direction, size, count):
        placement = ["--client-affinity", self.cpus[0], "--server-affinity", self.cpus[1]]
        command = [self.program, "-m", mechanism, "-s", size, "-i", count, f"--{direction}", *placement]
        if self.wait(mechanism, direction) == "block":
            command.append("--blocking")
        # Its server writes a log of its own to the current folder, whatever --log-file says.
        run([*command, "-q", "--log-file", "predecessor.log", "-o", "predecessor.json"], self.folder)
        return figure(self.folder / "predecessor.json", direction)


class Spinning:
    """What always spins."""

    @staticmethod
    def wait(_mechanism, _direction):
        return "spin"


class Ucx(Spinning):
    name = "ucx"

    def __init__(self, program, cpus, _folder):
        self.program, self.cpus = program, cpus

    def cases(self):
        return [(mechanism, direction) for mechanism in ("tcp", "shm") for direction in ("round-trip", "one-way")]

    def measure(self, mechanism, direction, size, count):
        environment = {**os.environ, "UCX_TLS": {"tcp": "tcp,self", "shm": "posix,self"}[mechanism]}
        if mechanism == "tcp":
            environment["UCX_NET_DEVICES"] = "lo"
        port = str(free_port())
        server = subprocess.Popen(
            [self.program, "-p", port, "-c", str(self.cpus[1])],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(0.3)
            test = "tag_lat" if direction == "round-trip" else "tag_bw"
            command = [self.program, "127.0.0.1", "-p", port, "-c", self.cpus[0], "-t", test, "-s", size, "-n", count]
            done = subprocess.run(
                [str(part) for part in [*command, "-f", "-v"]],
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=True,
            )
        finally:
            server.terminate()
            server.wait()
        names, values = (line.split(",") for line in done.stdout.strip().splitlines()[-2:])
        found = dict(zip(names, map(float, values), strict=True))
        # Latencies are microseconds of half a round trip.
        return 2000 * found["50.0_percentile_lat"] if direction == "round-trip" else found["overall_mr"]


class Iceoryx2(Spinning):
    name = "iceoryx2"

    def __init__(self, program, cpus, _folder):
        self.program, self.cpus = program, cpus

    def cases(self):
        return [("shm", "round-trip")]

    def measure(self, _mechanism, _direction, size, count):
        cpus = ["--cpu-core-participant-1", self.cpus[0], "--cpu-core-participant-2", self.cpus[1]]
        text = run([self.program, "--bench-ipc", "-i", count, "-p", size, "--send-copy", *cpus]).stdout
        return 2 * float(re.search(r"Latency: ([\d.]+) ns", text).group(1))


def figure(document, direction):
    (result,) = json.loads(document.read_text())["results"]
    if direction == "one-way":
        return result["one_way_results"]["throughput"]["messages_per_second"]
    return result["round_trip_results"]["latency"]["median_ns"]


def compare(ipcmark, other, size, rounds, counts):
    for mechanism, direction in other.cases():
        count, wait = counts[direction], other.wait(mechanism, direction)
        ours, theirs, failures = [], [], []
        for _ in range(rounds):
            ours.append(ipcmark.measure(mechanism, direction, size, count, wait))
            try:
                theirs.append(other.measure(mechanism, direction, size, count))
            except (Failed, subprocess.SubprocessError) as error:
                failures.append((str(error).splitlines()[1:] or [str(error)])[0])
        unit = "/s" if direction == "one-way" else "ns"
        our = statistics.median(ours)
        row = f"{other.name:12} {mechanism:4} {direction:10} {size:>8} {wait:6} {our:>12.0f} {unit}"
        if theirs:
            their = statistics.median(theirs)
            row += f" {their:>12.0f} {unit} {their / our:>8.2f}"
        else:
            row += f" {'-':>15} {'-':>8}"
        if failures:
            row += f"  failed {len(failures)} of {rounds} times: {failures[-1]}"
        print(row, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ipcmark", default=BUILD_ROOT / "host" / "ipcmark", type=Path)
    others = {"predecessor": Predecessor, "ucx": Ucx, "iceoryx2": Iceoryx2}
    for name in others:
        parser.add_argument(f"--{name}", type=Path, metavar="PROGRAM")
    parser.add_argument("--sizes", nargs="+", type=int, default=[64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpus", nargs=2, type=int, default=[0, 1], metavar=("CLIENT", "SERVER"))
    parser.add_argument("--count", type=int, default=50_000, help="round trips of one run; ten times as many one-way")
    arguments = parser.parse_args()
    given = {name: path for name in others if (path := getattr(arguments, name)) is not None}
    if not given:
        parser.error("name at least one program to run beside: --predecessor, --ucx or --iceoryx2")
    for path in (arguments.ipcmark, *given.values()):
        if not os.access(path, os.X_OK):
            parser.error(f"there is no program {path}")
    counts = {"round-trip": arguments.count, "one-way": 10 * arguments.count}
    columns = f"{'ipcmark':>15} {'the other':>15} {'ratio':>8}"
    print(f"{'beside':12} {'':4} {'direction':10} {'bytes':>8} {'wait':6} {columns}")
    with tempfile.TemporaryDirectory() as folder:
        ipcmark = Ipcmark(arguments.ipcmark, arguments.cpus, folder)
        for name, path in given.items():
            for size in arguments.sizes:
                compare(ipcmark, others[name](path, arguments.cpus, folder), size, arguments.rounds, counts)


if __name__ == "__main__":
    main()

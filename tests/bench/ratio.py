#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ipcmark beside hand-written C loops (floor/), run in turns on the same CPUs: what the harness and the modules cost.

Round trips are compared by their median latency (a ratio above 1: ipcmark is slower), one-way by messages per second
(below 1: ipcmark is slower). The ratio is that of the two medians over all rounds; the spread is the middle half of the
ratios of the single rounds, which shows how much of it is noise.

  ratio.py --transports uds tcp --sizes 64 1024 65536 --waits block spin --cpus 2 1
  ratio.py --strace      system calls per message of both, from strace -c -f
  ratio.py --callgrind   instructions per message of the harness, on the null module
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path

BUILD_ROOT = Path(os.environ.get("IPCMARK_BUILD_ROOT", Path(__file__).resolve().parents[2] / "build"))

# A transport of the floor, or one with what ipcmark does otherwise after a "+": the arguments of ipcmark that measure
# the same thing.
TRANSPORTS = {
    "uds": ["-m", "uds"],
    "uds-epoll": ["-m", "uds", "--async"],
    "uds-asio": ["-m", "uds", "--async"],
    "uds-many": ["-m", "uds", "--async"],
    "shm-many": ["-m", "shm", "--async"],
    "uds-seqpacket": ["-m", "uds", "-O", "type=seqpacket"],
    "uds-datagram": ["-m", "uds", "-O", "type=datagram"],
    "tcp": ["-m", "tcp"],
    "shm-lines": ["-m", "shm"],
    "shm-ring": ["-m", "shm"],
    "shm-ring+batch": ["-m", "shm", "--batch", 32],
    "shm-ring+direct": ["-m", "shm", "--direct"],
    "shm-ring-bare+batch": ["-m", "shm", "--batch", 32],
    "memcpy": ["-m", "shm"],
    "memcpy-cached": ["-m", "shm"],
    "pmq": ["-m", "pmq"],
}
# Where the floor has not everything.
ONLY = {
    "shm-lines": {"direction": "round-trip", "wait": ("spin", "adaptive")},
    "shm-ring+batch": {"direction": "one-way"},
    "shm-ring-bare+batch": {"direction": "one-way"},
    "uds-epoll": {"wait": ("block",)},
    "uds-asio": {"wait": ("block",), "direction": "round-trip"},
    "uds-many": {"wait": ("block",), "direction": "one-way"},
    "shm-many": {"wait": ("spin",), "direction": "one-way"},
    "memcpy": {"direction": "one-way"},
    "memcpy-cached": {"direction": "one-way"},
}
WARMUP = 1000


@dataclass(frozen=True)
class Case:
    transport: str
    direction: str
    wait: str
    cpus: int
    size: int

    @property
    def exists(self):
        return all(getattr(self, name) in allowed for name, allowed in ONLY.get(self.transport, {}).items())

    @property
    def endpoints(self):
        """Many are one thread's."""
        return 64 if self.transport.endswith("-many") else 1

    @property
    def warmup(self):
        # Two spinning processes on one CPU exchange a message in a time slice of the scheduler.
        return 10 if self.wait != "block" and self.cpus == 1 else WARMUP


class Runner:
    def __init__(self, arguments, folder):
        self.ipcmark_program = arguments.ipcmark
        self.floor_program = arguments.floor
        self.cpus = arguments.cpu_ids
        self.document = Path(folder) / "result.json"

    def floor_command(self, case, count):
        client, server = self.cpus[0], self.cpus[case.cpus - 1]
        wait = "block" if case.wait == "block" else "spin"  # a floor does not try both
        return [
            *[
                self.floor_program,
                case.transport.split("+")[0],
                "--size",
                case.size,
                "--count",
                count,
                "--warmup",
                case.warmup * case.endpoints,
            ],
            *["--direction", case.direction, "--wait", wait, "--client-cpu", client, "--server-cpu", server],
            *["--endpoints", case.endpoints],
        ]

    def ipcmark_command(self, case, count):
        client, server = self.cpus[0], self.cpus[case.cpus - 1]
        return [
            *[self.ipcmark_program, "run", *TRANSPORTS[case.transport], "-s", case.size, "-i", count],
            *["-c", case.endpoints],
            *["-w", case.warmup, f"--{case.direction}", "--wait", case.wait, "--percentiles", 50, "-q"],
            *["--client-affinity", client, "--server-affinity", server, "-o", self.document],
        ]

    def floor(self, case, count):
        line = run(self.floor_command(case, count)).stdout
        found = json.loads(line)
        return found["messages_per_second"] if case.direction == "one-way" else found["p50_ns"]

    def ipcmark(self, case, count):
        run(self.ipcmark_command(case, count))
        (result,) = json.loads(self.document.read_text())["results"]
        if case.direction == "one-way":
            return result["one_way_results"]["throughput"]["messages_per_second"]
        return result["round_trip_results"]["latency"]["median_ns"]

    def count_for(self, case, seconds):
        """As many messages as the floor moves in that time."""
        count = 40
        while True:
            line = json.loads(run(self.floor_command(case, count)).stdout)
            rate = line["messages_per_second"]
            if count / rate > seconds / 8 or count > 100_000_000:
                return max(40, int(rate * seconds))
            count *= 8


class Failed(SystemExit):
    """Another program has not ended well; this one ends with its words, where nobody catches that."""


def run(command, folder=None):
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr}")
    return done


def print_row(*cells):
    widths = [19, 11, 9, 5, 8, 13, 13, 8, 16]
    print("".join(f"{cell!s:>{width}}" for cell, width in zip(cells, widths, strict=False)), flush=True)


def ratios(runner, cases, rounds, seconds):
    print_row("transport", "direction", "wait", "CPUs", "bytes", "floor", "ipcmark", "ratio", "middle half")
    rows = []
    for case in cases:
        count = runner.count_for(case, seconds)
        pairs = []
        for number in range(rounds):
            # Turn about, so that neither always runs on the warmer machine.
            if number % 2 == 0:
                floor, ours = runner.floor(case, count), runner.ipcmark(case, count)
            else:
                ours, floor = runner.ipcmark(case, count), runner.floor(case, count)
            pairs.append((floor, ours))
        floor, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
        low, _, high = statistics.quantiles([b / a for a, b in pairs], n=4)
        unit = "/s" if case.direction == "one-way" else " ns"
        shown = (f"{value:.0f}{unit}" for value in (floor, ours))
        spread = f"{low:.3f}-{high:.3f}"
        print_row(
            case.transport, case.direction, case.wait, case.cpus, case.size, *shown, f"{ours / floor:.3f}", spread
        )
        rows.append({**vars(case), "count": count, "rounds": rounds, "floor": floor, "ipcmark": ours, "pairs": pairs})
    return rows


def system_calls(command, report):
    run(["strace", "-f", "-c", "--seccomp-bpf", "-o", report, *command])
    calls = Counter()
    for line in Path(report).read_text().splitlines():
        if found := re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line):
            calls[found.group(2)] += int(found.group(1))
    del calls["total"]
    return calls


def strace(runner, cases, folder):
    few, many = 2000, 12000
    print_row("transport", "direction", "wait", "CPUs", "bytes", "floor", "ipcmark", "ratio", "calls of ipcmark")
    rows = []
    for case in cases:
        per_message, names = [], {}
        for command in (runner.floor_command, runner.ipcmark_command):
            # What a message costs is what a longer run costs more: start and end are the same.
            report = Path(folder) / "strace.txt"
            more = system_calls(command(case, many), report)
            more.subtract(system_calls(command(case, few), report))
            per_message.append(sum(more.values()) / (many - few))
            names = {name: calls / (many - few) for name, calls in more.items() if calls > (many - few) // 100}
        floor, ours = per_message
        shown = " ".join(f"{name} {calls:.2f}" for name, calls in sorted(names.items(), key=lambda item: -item[1]))
        ratio = f"{ours / floor:.3f}" if floor else "-"
        print_row(case.transport, case.direction, case.wait, case.cpus, case.size, f"{floor:.3f}", f"{ours:.3f}", ratio)
        print(f"    {shown}")
        rows.append({**vars(case), "floor": floor, "ipcmark": ours, "calls": names})
    return rows


def instructions(runner, direction, count, folder):
    for old in Path(folder).glob("callgrind.*"):
        old.unlink()
    command = [runner.ipcmark_program, "run", "-m", "null", "-s", 64, "-i", count, "-w", 1000, f"--{direction}", "-q"]
    # A worker that is ended by a signal would leave the pipes of a debugger.
    wrapper = ["valgrind", "--tool=callgrind", "--vgdb=no", "--trace-children=yes"]
    wrapper.append(f"--callgrind-out-file={folder}/callgrind.%p")
    run([*wrapper, *command])
    total = 0
    for profile in Path(folder).glob("callgrind.*"):
        text = profile.read_text()
        # A child that was ended before it ran anything leaves an empty file.
        program = re.search(r"^cmd:\s*(\S+)", text, re.M)
        if program and "worker" in program.group(1):
            total += int(re.search(r"^(?:summary|totals):\s*(\d+)", text, re.M).group(1))
    return total


def callgrind(runner, directions, folder):
    few, many = 2000, 12000
    rows = []
    for direction in directions:
        more = instructions(runner, direction, many, folder) - instructions(runner, direction, few, folder)
        rows.append({"direction": direction, "instructions_per_message": more / (many - few)})
        print(f"null, {direction}: {more / (many - few):.1f} instructions a message in the workers")
    return rows


def cpu_list(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ipcmark", default=BUILD_ROOT / "host" / "ipcmark", type=Path)
    parser.add_argument("--floor", default=BUILD_ROOT / "tests" / "bench" / "floor" / "floor", type=Path)
    parser.add_argument("--transports", nargs="+", default=["uds"], choices=TRANSPORTS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 1024, 65536])
    parser.add_argument("--waits", nargs="+", default=["block", "spin"], choices=["block", "spin", "adaptive"])
    parser.add_argument("--directions", nargs="+", default=["round-trip", "one-way"], choices=["round-trip", "one-way"])
    parser.add_argument("--cpus", nargs="+", type=int, default=[2, 1], choices=[1, 2], help="how many CPUs to share")
    parser.add_argument(
        "--cpu-ids", type=cpu_list, default=[0, 1], metavar="A,B", help="the client's CPU, the server's"
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each single run")
    parser.add_argument("--strace", action="store_true")
    parser.add_argument("--callgrind", action="store_true")
    parser.add_argument("-o", "--output", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    for program in (arguments.ipcmark, arguments.floor):
        if not os.access(program, os.X_OK):
            parser.error(f"there is no program {program}; build it first")

    dimensions = [arguments.transports, arguments.directions, arguments.waits, arguments.cpus, arguments.sizes]
    cases = [case for values in product(*dimensions) if (case := Case(*values)).exists]
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(arguments, folder)
        if arguments.callgrind:
            rows = callgrind(runner, arguments.directions, folder)
        elif arguments.strace:
            rows = strace(runner, cases, folder)
        else:
            rows = ratios(runner, cases, arguments.rounds, arguments.seconds)
    if arguments.output:
        arguments.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()

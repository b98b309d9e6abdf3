# SPDX-License-Identifier: Apache-2.0
"""What the Python tests share: where the build is, how to run the program, how to find what a run left behind."""

import contextlib
import functools
import json
import math
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import jsonschema

SOURCE_ROOT = Path(os.environ.get("IPCMARK_SOURCE_ROOT", Path(__file__).resolve().parent.parent))
BUILD_ROOT = Path(os.environ.get("IPCMARK_BUILD_ROOT", SOURCE_ROOT / "build"))
FIXTURES = BUILD_ROOT / "tests" / "fixtures"

MECHANISMS = ["uds", "shm", "tcp", "pmq"]

# Against hangs only. Sanitizer builds are many times slower than the release build, and a virtual machine may have a
# CPU taken away for seconds.
TIMEOUT_S = 300

# How long a run measures that must be seen from outside while it does: the next one where the last was over too soon.
DURATIONS = ["1500ms", "6s", "25s", "100s"]

# The memory in which workers count, and a field of it: core/run/worker_process.hpp, core/measure/results_memory.hpp.
RESULTS_FD = 4
TAKEN_AT = 4096 + 16  # `consumed` of the first slot

# Queues count for their user: those of the tests that run beside this one, too. Only root may have more.
with contextlib.suppress(OSError, ValueError):
    resource.setrlimit(resource.RLIMIT_MSGQUEUE, (1 << 26, 1 << 26))

SANITIZER_OPTIONS = ["ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"]

_SYSTEM_FOLDERS = [Path("/dev/shm"), Path("/dev/mqueue"), Path("/tmp"), Path("/var/tmp"), Path("/run")]


@functools.cache
def build_options():
    options = json.loads((BUILD_ROOT / "meson-info" / "intro-buildoptions.json").read_text())
    return {option["name"]: option["value"] for option in options}


def names_of_ours():
    """Shared memory, queues, files and folders of the system that carry our name."""
    names = set()
    for folder in _SYSTEM_FOLDERS:
        with contextlib.suppress(OSError):
            names |= {str(path) for path in folder.iterdir() if "ipcmark" in path.name.lower()}
    return names


@contextlib.contextmanager
def private_folder():
    """A temporary folder with a short path, so that socket names below it fit in sun_path."""
    folder = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# All that the leak sanitizer says if its process is killed while it looks at the threads, at its end: nothing yet, if
# that comes between opening the file and the first line. A check kills the peers that it has no more use for, and one
# may just be ending by itself. (Whoever ends by a report has its exit code besides.)
KILLED_AT_ITS_END = re.compile(r"(==\d+==Unable to get registers from thread \d+\.\n)*")


class SanitizerReports:
    """Where the sanitizers of a sanitizer build write, in every process of a test: a worker that one of them ended may
    look like one that the test killed, or like the crash that it waits for."""

    def __init__(self, folder):
        self.folder = folder

    def environment(self):
        return {
            name: f"{os.environ.get(name, '')}:log_path={self.folder}/{name[:4].lower()}" for name in SANITIZER_OPTIONS
        }

    def take(self):
        """The text of each report, which is then forgotten."""
        texts = []
        for path in sorted(self.folder.iterdir()):
            texts.append(path.read_text(errors="replace"))
            path.unlink()
        return [text for text in texts if not KILLED_AT_ITS_END.fullmatch(text)]

    def assert_none(self):
        reports = self.take()
        assert not reports, "\n".join(reports)


class Leftovers:
    """Marks all processes of a test by an environment variable and gives them a TMPDIR of their own."""

    def __init__(self, folder, sanitizers):
        self.folder = folder
        self.sanitizers = sanitizers
        self.tag = f"IPCMARK_TEST_TAG={uuid.uuid4().hex}"
        self._before = names_of_ours()

    def environment(self):
        name, value = self.tag.split("=")
        return {name: value, "TMPDIR": str(self.folder), **self.sanitizers.environment()}

    def processes(self):
        """pid → command line of every process that carries the mark."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                if self.tag.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        return found

    def assert_none(self, within_s=60.0):
        """Fails if anything is still there after a moment of grace, and ends what it found."""
        deadline = time.monotonic() + within_s
        while (left := self._own()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in self.processes():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        assert not left, "left behind: " + ", ".join(left)
        # Names of the whole system may belong to a test that runs beside this one: those go away in time.
        suspects = names_of_ours() - self._before
        deadline = time.monotonic() + TIMEOUT_S
        while (suspects := suspects & names_of_ours()) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not suspects, "left behind: " + ", ".join(sorted(suspects))

    def _own(self):
        left = [f"process {pid} ({line})" for pid, line in self.processes().items()]
        # The thread sanitizer makes a file at the start of each process and takes its name away: not if it is killed.
        files = [path for path in self.folder.rglob("*") if not path.name.startswith("tsan.rodata.")]
        left += [f"file {path}" for path in files]
        return left


class Running(subprocess.Popen):
    """Of a test that failed while it ran, nobody waits for the end."""

    def __exit__(self, kind, value, traceback):
        if kind is not None:
            self.kill()
        super().__exit__(kind, value, traceback)


class Tool:
    """A program of the build. Every run of it is limited in time, marked, and has no standard input."""

    def __init__(self, name, leftovers, folder):
        self.path = BUILD_ROOT / "host" / name
        self.leftovers = leftovers
        self.folder = folder

    def _environment(self, extra):
        return {**os.environ, **self.leftovers.environment(), "NO_COLOR": "1", **(extra or {})}

    def __call__(self, *args, timeout=TIMEOUT_S, env=None, wrapper=(), **kwargs):
        """Runs to the end; returns CompletedProcess with text in stdout and stderr."""
        command = [*map(str, wrapper), str(self.path), *map(str, args)]
        kwargs.setdefault("cwd", self.folder)
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self._environment(env),
            check=False,
            **kwargs,
        )

    def start(self, *args, env=None, wrapper=(), **kwargs):
        """Starts it in a process group of its own and returns its Popen, for tests that send signals."""
        kwargs.setdefault("cwd", self.folder)
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        return Running(
            [*map(str, wrapper), str(self.path), *map(str, args)],
            stdin=subprocess.DEVNULL,
            text=True,
            env=self._environment(env),
            start_new_session=True,
            **kwargs,
        )

    def measure(self, *args, expect=0, **kwargs):
        """`run` with these arguments, quiet, into a result document, which is returned."""
        output = self.folder / f"result-{uuid.uuid4().hex[:8]}.json"
        done = self("run", *args, "-q", "-o", output, **kwargs)
        assert expect is None or done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        document = json.loads(output.read_text())
        validator_of(self.path).validate(document)
        return document


@functools.cache
def validator_of(program):
    """Of the documents that a program writes, by the schema that it prints."""
    printed = subprocess.run([program, "schema"], capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout
    return jsonschema.Draft202012Validator(json.loads(printed))


def workers_of(run):
    """The processes that measure in a run or are about to, in the order of their start: the server, the client."""
    workers = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            # The parent is the second field after the name, which may hold anything.
            if not entry.name.isdigit() or int((entry / "stat").read_text().rpartition(")")[2].split()[1]) != run.pid:
                continue
            if "ipcmark-results" in os.readlink(entry / "fd" / str(RESULTS_FD)):
                workers.append(int(entry.name))
    return sorted(workers)


def measuring_workers(run, messages=100):
    """Waits until the two workers of a run have exchanged so many messages, warm-up included, and returns their process
    ids; None if the run was over before that was seen."""
    deadline = time.monotonic() + TIMEOUT_S
    while run.poll() is None:
        assert time.monotonic() < deadline, "no message moves"
        workers = workers_of(run)
        with contextlib.suppress(OSError):
            if len(workers) == 2 and messages_taken(workers[0]) >= messages:
                return workers
        time.sleep(0.02)
    return None


def messages_taken(worker):
    """By the server on its first endpoint, until now: a field of the memory that is common to both workers."""
    with open(f"/proc/{worker}/fd/{RESULTS_FD}", "rb", buffering=0) as memory:
        return int.from_bytes(os.pread(memory.fileno(), 8, TAKEN_AT), sys.byteorder)


def free_port():
    """Of both IP versions, and not one that the kernel gives to whoever asks for any: tests run beside this one."""
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, max(first_ephemeral, 20_000))
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if not socket.has_dualstack_ipv6():
                return port
            with socket.create_server(("::1", port), family=socket.AF_INET6):
                return port


def allowed_cpus():
    return sorted(os.sched_getaffinity(0))


def percentile_of(buckets, percentile):
    """The upper end of the bucket that holds the sample of rank ceil(percentile/100 × count)."""
    total = sum(count for _, _, count in buckets)
    rank = max(1, math.ceil(percentile / 100 * total - 1e-9))
    seen = 0
    for _, highest, count in buckets:
        seen += count
        if seen >= rank:
            return highest
    raise AssertionError("an empty histogram has no percentiles")

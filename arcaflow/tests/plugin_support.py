# SPDX-License-Identifier: Apache-2.0
"""What the plugin's tests share. Imported first: makes the plugin importable without an installation."""

import contextlib
import os
import random
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
from pathlib import Path

PLUGIN_ROOT = Path(__file__).resolve().parent.parent
UTILS = PLUGIN_ROOT / "utils"
for _folder in (PLUGIN_ROOT, UTILS / "python"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from arcaflow_plugin_ipcmark import binary  # noqa: E402

# Against hangs only: a virtual machine may have a CPU taken away for seconds.
TIMEOUT_S = 300

# How long something may take that is to be ended by its time-out in its middle: the next one where it had not begun.
TIMEOUTS_S = (1, 5, 20, 80)

# Queues count for their user: those of the tests that run beside this one, too. Only root may have more.
with contextlib.suppress(OSError, ValueError):
    resource.setrlimit(resource.RLIMIT_MSGQUEUE, (1 << 26, 1 << 26))


def real_binary() -> str:
    """The ipcmark under test: what IPCMARK_BINARY names, or the build of this repository, or the installed one."""
    built = Path(os.environ.get("IPCMARK_BUILD_ROOT", PLUGIN_ROOT.parent / "build")) / "host" / "ipcmark"
    if binary.ENVIRONMENT not in os.environ and built.exists():
        return str(built)
    return binary.find()


class PluginTest(unittest.TestCase):
    """Every test has a folder of its own, and leaves no process behind."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="t-", dir="/tmp")))
        self.tag = f"IPCMARK_TEST_TAG={uuid.uuid4().hex}"
        self.enterContext(environment(dict([self.tag.split("=")])))
        self.addCleanup(self.assert_nothing_runs)

    def use_real_binary(self) -> str:
        program = real_binary()
        self.enterContext(environment({binary.ENVIRONMENT: program}))
        return program

    def use_fake_binary(self, script: str) -> str:
        """A stand-in that ends in ways in which the real one does not end on demand."""
        program = self.folder / "ipcmark"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.enterContext(environment({binary.ENVIRONMENT: str(program)}))
        return str(program)

    def processes(self) -> dict[int, str]:
        """Processes that this test started, directly or not; zombies do not count."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if self.tag.encode() in (entry / "environ").read_bytes().split(b"\0"):
                        found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def moves_messages(self, words: str) -> bool:
        """Whether ipcmark with these words in its command line is measuring: its memory of counters changes."""
        for pid, line in self.processes().items():
            if words not in line:
                continue
            for file in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if "ipcmark-results" in os.readlink(file) and _messages_taken(file) > 1000:
                        return True
        return False

    def assert_nothing_runs(self, within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.assertEqual(left, {}, "processes were left behind")

    def wait_for(self, condition, what: str, within_s: float = TIMEOUT_S):
        deadline = time.monotonic() + within_s
        while not (value := condition()):
            self.assertLess(time.monotonic(), deadline, f"waited in vain for {what}")
            time.sleep(0.02)
        return value

    def start_plugin(self, *arguments: str, **kwargs) -> subprocess.Popen:
        """The plugin as a program."""
        plugin = subprocess.Popen(
            [sys.executable, "-m", "arcaflow_plugin_ipcmark", *arguments],
            cwd=PLUGIN_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **kwargs,
        )
        self.addCleanup(_end, plugin)
        return plugin


def _messages_taken(memory: Path) -> int:
    """By the server on its first endpoint, warm-up included: a field of core/measure/results_memory.hpp."""
    with memory.open("rb", buffering=0) as file:
        return int.from_bytes(os.pread(file.fileno(), 8, 4096 + 16), sys.byteorder)


def _end(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError, ValueError):
            pipe.close()


def free_port() -> int:
    """Not one that the kernel gives to whoever asks for any: others run beside this test."""
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, max(first_ephemeral, 20_000))
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextlib.contextmanager
def environment(values: dict[str, str]):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

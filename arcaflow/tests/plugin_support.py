# SPDX-License-Identifier: Apache-2.0
"""What the plugin's tests share. Imported first: makes the plugin importable without an installation."""

import contextlib
import os
import signal
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

# Against hangs only.
TIMEOUT_S = 120


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

    def assert_nothing_runs(self, within_s: float = 10.0) -> None:
        deadline = time.monotonic() + within_s
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.assertEqual(left, {}, "processes were left behind")

    def wait_for(self, condition, what: str, within_s: float = 30.0):
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


def _end(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError, ValueError):
            pipe.close()


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

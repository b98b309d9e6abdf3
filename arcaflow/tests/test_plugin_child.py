#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Child processes end as they should, with real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from unittest import mock

from plugin_support import PLUGIN_ROOT, TIMEOUT_S, TIMEOUTS_S, PluginTest

from arcaflow_plugin_ipcmark import child

# Says that it is ready by making a file, so that no signal comes before the trap.
STUBBORN = "trap '' TERM; : > {ready}; while :; do sleep 0.1; done"
GENTLE = "trap 'echo partial; exit 143' TERM; : > {ready}; while :; do sleep 0.05; done"


class Child(PluginTest):
    def setUp(self) -> None:
        super().setUp()
        self.ready = self.folder / "ready"
        self.cancel = child.Cancel()

    def run_shell(self, script: str, **kwargs) -> child.Ended:
        kwargs.setdefault("timeout_s", TIMEOUT_S)
        return child.run(["sh", "-c", script.format(ready=self.ready)], cancel=self.cancel, **kwargs)

    def run_until_time_out(self, script: str, **kwargs) -> child.Ended:
        """Of a run in which the child was ready before its time was over."""
        for timeout_s in TIMEOUTS_S:
            ended = self.run_shell(script, timeout_s=timeout_s, **kwargs)
            self.assertTrue(ended.timed_out)
            if self.ready.exists():
                return ended
        self.fail("the child never came to work")

    def cancel_when_ready(self) -> None:
        def request():
            self.wait_for(self.ready.exists, "the child")
            self.cancel.request()

        thread = threading.Thread(target=request)
        thread.start()
        self.addCleanup(thread.join)

    def test_output_and_exit_code(self):
        ended = self.run_shell("echo out; echo err >&2; exit 3")
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (3, "out\n", "err\n"))
        self.assertEqual(ended.describe(), "exited with code 3")
        self.assertFalse(ended.timed_out or ended.cancelled)

    def test_signal_is_named(self):
        self.assertEqual(self.run_shell("kill -SEGV $$").describe(), "was killed by SIGSEGV (signal 11)")

    def test_long_output_is_whole_and_long_errors_are_cut(self):
        ended = self.run_shell("yes 0123456789 | head -c 3000000; yes error | head -c 3000000 >&2; echo last >&2")
        self.assertEqual(len(ended.stdout), 3_000_000)
        self.assertEqual(len(ended.stderr), child.TAIL_BYTES)
        self.assertTrue(ended.stderr.endswith("last\n"))

    def test_time_out_keeps_what_a_gentle_child_says(self):
        ended = self.run_until_time_out(GENTLE)
        self.assertEqual((ended.returncode, ended.stdout), (143, "partial\n"))

    def test_time_out_kills_a_stubborn_child_after_the_grace(self):
        ended = self.run_until_time_out(STUBBORN, grace_s=0.5)
        self.assertEqual(ended.returncode, -signal.SIGKILL)

    def test_time_out_of_a_month(self):
        """More milliseconds than poll takes."""
        ended = self.run_shell("exit 3", timeout_s=30 * 24 * 3600)
        self.assertEqual((ended.returncode, ended.timed_out), (3, False))

    def test_time_out_that_takes_several_polls(self):
        with mock.patch.object(child, "POLL_AT_MOST_MS", 1):
            ended = self.run_shell("sleep 0.2; exit 3")
            self.assertEqual((ended.returncode, ended.timed_out), (3, False))
            self.run_until_time_out(GENTLE)

    def test_cancel_while_it_runs(self):
        self.cancel_when_ready()
        ended = self.run_shell(GENTLE)
        self.assertTrue(ended.cancelled)
        self.assertFalse(ended.timed_out)
        self.assertEqual(ended.stdout, "partial\n")

    def test_cancel_before_it_starts(self):
        self.cancel.request()
        self.assertTrue(self.run_shell("sleep 60").cancelled)

    def test_cancel_of_another_run_does_not_matter(self):
        child.Cancel().request()
        self.assertFalse(self.run_shell("sleep 0.2").cancelled)

    def test_grandchildren_are_killed_with_a_child_that_ended(self):
        ended = self.run_shell("sleep 600 & (trap '' TERM; sleep 600) & exit 0")
        self.assertEqual(ended.returncode, 0)
        self.assert_nothing_runs()

    def test_grandchildren_are_killed_with_a_child_that_timed_out(self):
        self.run_until_time_out("sleep 600 & " + STUBBORN, grace_s=0.2)
        self.assert_nothing_runs()

    def test_a_pipe_held_by_a_process_that_left_the_session_is_not_waited_for(self):
        begin = time.monotonic()
        self.run_shell("setsid sleep 3600 & exit 0")
        self.assertLess(time.monotonic() - begin, TIMEOUT_S)
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)

    def test_sigterm_while_a_child_is_being_started(self):
        """The child has begun, but who started it does not hold it yet."""
        done = self.folder / "done"
        script = f"""
import os, signal, subprocess, sys, time
sys.path.insert(0, {str(PLUGIN_ROOT)!r})
from arcaflow_plugin_ipcmark import child

class Slow(subprocess.Popen):
    def __init__(self, *arguments, **kwargs):
        super().__init__(*arguments, **kwargs)
        while not os.path.exists({str(self.ready)!r}):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

subprocess.Popen = Slow
child.end_children_on_signals()
child.run(["sh", "-c", "trap ': > {done}; exit 143' TERM; : > {self.ready}; while :; do sleep 0.05; done"],
          60, child.Cancel())
sys.exit(child.signal_that_came() or 0)
"""
        ended = subprocess.run([sys.executable, "-c", script], timeout=TIMEOUT_S, capture_output=True, text=True)
        self.assertEqual(ended.returncode, signal.SIGTERM, ended.stderr)
        self.assertTrue(done.exists())
        self.assert_nothing_runs()

    def test_missing_program(self):
        with self.assertRaises(OSError):
            child.run([str(self.folder / "nothing")], 5, self.cancel)


if __name__ == "__main__":
    unittest.main()

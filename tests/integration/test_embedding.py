# SPDX-License-Identifier: Apache-2.0
"""What a host was before it started the workers, or how it treats its children, is in no figure of theirs."""

import signal
import subprocess

from support import BUILD_ROOT, TIMEOUT_S


def test_an_awkward_host_gets_true_figures(ipcmark):
    """The kernel's own record of a process's largest memory begins with that of the program which started it."""
    done = subprocess.run(
        [BUILD_ROOT / "tests" / "integration" / "awkward-host"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=ipcmark.leftovers.environment(),
    )
    assert done.returncode == 0, done.stderr
    hosts, server, client = map(int, done.stdout.split())
    assert 500_000 < server < hosts / 2
    assert 500_000 < client < hosts / 2


def test_a_parent_that_ignores_its_children_changes_nothing(ipcmark):
    done = ipcmark(
        *["run", "-m", "uds", "-s", 64, "-i", 500, "-q"],
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    )
    assert done.returncode == 0, done.stderr

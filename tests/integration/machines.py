# SPDX-License-Identifier: Apache-2.0
"""Two machines in one: a network namespace each, joined by a cable, and a boot id each, where that is asked for."""

import contextlib
import os
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from support import TIMEOUT_S

BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Machine:
    """`wrapper` goes in front of what is to run on it."""

    def __init__(self, pid, host, host6):
        self.pid = pid
        self.host = host
        self.host6 = host6
        self.interface = "cable"
        self.wrapper = ["nsenter", f"--net=/proc/{pid}/ns/net"]

    def run(self, *command):
        done = subprocess.run([*self.wrapper, *map(str, command)], capture_output=True, text=True, timeout=TIMEOUT_S)
        if done.returncode != 0:
            pytest.skip(f"no network of its own here: {' '.join(map(str, command))}: {done.stderr.strip()}")
        return done.stdout


def of_another_boot(folder):
    """A wrapper for what is to run on a machine with a boot id of its own, and that boot id; skips the test where there
    cannot be one."""
    boot_id = str(uuid.uuid4())
    file = folder / f"boot-{boot_id[:8]}"
    file.write_text(boot_id + "\n")
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    wrapper = [*namespace, "sh", "-c", f'mount --bind "$0" {BOOT_ID} && exec "$@"', str(file)]
    done = subprocess.run([*wrapper, "true"], capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode != 0:
        pytest.skip(f"no boot id of its own here: {done.stderr.strip()}")
    return wrapper, boot_id


@contextlib.contextmanager
def network():
    """A process that holds a network namespace."""
    with subprocess.Popen(["unshare", "--net", "sleep", "1h"], stderr=subprocess.PIPE, text=True) as holder:
        try:
            own = os.readlink("/proc/self/ns/net")
            deadline = time.monotonic() + TIMEOUT_S
            while holder.poll() is None and os.readlink(f"/proc/{holder.pid}/ns/net") == own:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            if holder.poll() is not None:
                pytest.skip(f"no network of its own here: {holder.stderr.read().strip()}")
            yield holder.pid
        finally:
            holder.kill()


@contextlib.contextmanager
def two_machines():
    """The machine that is to serve and the one of the client. Skips the test where they cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("networks are root's to make")
    with network() as first, network() as second:
        machines = [Machine(first, "10.219.7.1", "fd77:7::1"), Machine(second, "10.219.7.2", "fd77:7::2")]
        names = [machine.interface for machine in machines]
        # A name each, as another interface would be in the way of: a scope of the one is none of the other.
        names[1] = machines[1].interface = "wire"
        machines[0].run("ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1], "netns", second)
        for machine in machines:
            machine.run("ip", "link", "set", "lo", "up")
            machine.run("ip", "addr", "add", f"{machine.host}/24", "dev", machine.interface)
            if Path("/proc/net/if_inet6").exists():
                machine.run("ip", "addr", "add", f"{machine.host6}/64", "dev", machine.interface, "nodad")
            machine.run("ip", "link", "set", machine.interface, "up")
        yield machines

# SPDX-License-Identifier: Apache-2.0
"""A control group with little memory: what does not fit is told before or in the run, never by the program's death."""

import contextlib
import json
from pathlib import Path

import pytest
from control_group import CGROUPS, control_group

MIB = 1 << 20


def memory_group(limit):
    """A control group of that many bytes; skips where none can be made."""
    version_1 = (CGROUPS / "memory" / "memory.limit_in_bytes").exists()

    def set_limit(group):
        if version_1:
            (group / "memory.limit_in_bytes").write_text(str(limit))
        else:
            (group / "memory.max").write_text(str(limit))
            with contextlib.suppress(OSError):
                (group / "memory.swap.max").write_text("0")

    return control_group("memory", set_limit, is_version_1=version_1)


@pytest.fixture
def small_group():
    with memory_group(60 * MIB) as wrapper:
        yield wrapper


@pytest.mark.parametrize("how", [["--direct"], []])
def test_rings_above_the_limit_of_the_group_are_refused(ipcmark, small_group, how):
    done = ipcmark("run", "-m", "shm", "-s", "14M", "-i", 3, "-w", 0, "--one-way", *how, wrapper=small_group)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "the memory that is available" in done.stderr


def test_a_ring_that_was_asked_for_carries_messages_of_any_size(ipcmark, small_group):
    """Those of a chosen ring would not fit."""
    ring = ["-O", "buffer-size=64K"]
    document = ipcmark.measure("-m", "shm", "-s", "10M", "-i", 3, "-w", 0, "--blocking", *ring, wrapper=small_group)
    assert document["results"][0]["one_way_results"]["latency"]["total_samples"] == 3


def test_messages_above_the_limit_of_the_group_are_refused(ipcmark, small_group):
    done = ipcmark("run", "-m", "uds", "-s", "16M", "-i", 3, "-w", 0, wrapper=small_group)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "ask for smaller messages" in done.stderr


@pytest.mark.skipif(len(Path("/proc/swaps").read_text().splitlines()) > 1, reason="there is swap: nobody is killed")
def test_a_worker_is_killed_before_the_program_that_has_the_results(ipcmark, small_group):
    """The rings fit, and the messages of both sides beside them do not."""
    done = ipcmark(
        "run",
        "-m",
        "shm",
        "-s",
        "8500K",
        "-i",
        3,
        "-w",
        0,
        "--one-way",
        "--blocking",
        "-o",
        "r.json",
        wrapper=small_group,
    )
    assert done.returncode == 1, done.stderr
    assert "killed by signal 9 (Killed); in that time the kernel has killed for want of memory: take" in done.stderr
    status = json.loads((ipcmark.folder / "r.json").read_text())["results"][0]["status"]
    assert "killed by signal 9" in json.dumps(status)


def test_many_endpoints_take_no_more_memory_at_their_end(ipcmark):
    """What each endpoint's results could take, had they all possible latencies, is 260 KB."""
    with memory_group(100 * MIB) as wrapper:
        command = ["run", "-m", "uds", "-s", 64, "-i", 5000, "-w", 0, "-c", 500, "--one-way", "--async", "-o", "r.json"]
        # With it, as Meson has set it, memory is written that is only asked for.
        done = ipcmark(*command, wrapper=wrapper, env={"MALLOC_PERTURB_": "0"})
        assert done.returncode == 0, done.stderr
    result = json.loads((ipcmark.folder / "r.json").read_text())["results"][0]["one_way_results"]
    assert result["latency"]["total_samples"] == 5000

# SPDX-License-Identifier: Apache-2.0
"""The processors that were asked are those that are used, by both sides, in both directions, and it is checked."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import DURATIONS, MECHANISMS, TIMEOUT_S, allowed_cpus, measuring_workers, messages_taken
from witness import Event

FIRST, LAST = allowed_cpus()[0], allowed_cpus()[-1]


def masks_of(pid):
    """The sets of allowed CPUs of all threads of a process."""
    masks = []
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        masks.append(fields["Cpus_allowed_list"])
    return masks


def test_each_side_runs_where_it_was_asked_in_both_directions(ipcmark, witness):
    """One direction's client must not leave its mask to the next direction's server."""
    document = ipcmark.measure(
        *witness.arguments(), "-s", 64, "-i", 500, "-w", 10, "--server-affinity", FIRST, "--client-affinity", LAST
    )
    moves = [r for r in witness.records() if r.event in (Event.SEND, Event.RECV)]
    assert len({record.pid for record in moves}) == 4, "two directions, two processes each"
    assert {record.cpu for record in moves if record.is_server} == {FIRST}
    assert {record.cpu for record in moves if not record.is_server} == {LAST}
    for name in ("one_way_results", "round_trip_results"):
        result = document["results"][0][name]
        assert result["server"]["cpus_asked"] == result["server"]["cpus_used"] == [FIRST]
        assert result["client"]["cpus_asked"] == result["client"]["cpus_used"] == [LAST]
        assert {result["server"]["migrations"], result["client"]["migrations"]} <= {0, None}  # null: not known


def masks_in_both_directions(ipcmark, *arguments):
    """Those of the server's threads and those of the client's, of the one-way test and of the round trip after it: read
    from outside, out of /proc, while they run."""
    for duration in DURATIONS:
        run = ipcmark.start("run", "-s", 64, "-d", duration, *arguments, "-q", "-o", ipcmark.folder / "r.json")
        seen = {}
        # Each pair of workers between two moments at which its messages move: earlier or later it may be seen unpinned.
        while workers := measuring_workers(run):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                masks, before = [masks_of(pid) for pid in workers], messages_taken(workers[0])
                time.sleep(0.05)
                if messages_taken(workers[0]) > before:
                    seen[tuple(workers)] = masks
        assert run.wait() == 0, run.stderr.read()
        # Otherwise this process had no CPU while one of the two directions was measured.
        if len(seen) == 2:
            return list(seen.values())
    raise AssertionError("not both directions were seen, on processes of their own")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_masks_of_the_running_workers(ipcmark, mechanism):
    placement = ["--server-affinity", FIRST, "--client-affinity", LAST]
    for server, client in masks_in_both_directions(ipcmark, "-m", mechanism, *placement):
        assert str(FIRST) in server and str(LAST) in client


@pytest.mark.parametrize("placed", ["server", "client"])
def test_a_side_that_was_not_placed_inherits_no_mask(ipcmark, placed):
    """Not even in the second direction, after the first one's other side was placed."""
    (unplaced,) = set(masks_of(os.getpid()))
    for server, client in masks_in_both_directions(ipcmark, "-m", "uds", f"--{placed}-affinity", LAST):
        own, other = (server, client) if placed == "server" else (client, server)
        assert str(LAST) in own
        assert set(other) == {unplaced}


def test_lists_give_each_thread_its_cpu(ipcmark, witness):
    ipcmark.measure(
        *witness.arguments(), "-s", 64, "-i", 400, "-w", 10, "-c", 2, "--round-trip", "--blocking",
        *["--server-affinity", f"{FIRST},{LAST}", "--client-affinity", f"{LAST},{FIRST}"],
    )  # fmt: skip
    moves = [r for r in witness.records() if r.event in (Event.SEND, Event.RECV)]
    cpus = {(record.is_server, record.endpoint): set() for record in moves}
    for record in moves:
        cpus[record.is_server, record.endpoint].add(record.cpu)
    assert cpus == {(True, 0): {FIRST}, (True, 1): {LAST}, (False, 0): {LAST}, (False, 1): {FIRST}}


def test_audit_compares_asked_and_used(ipcmark):
    document = ipcmark.measure("-m", "uds", "-s", 64, "-i", 500, "--server-affinity", FIRST, "--client-affinity", LAST)
    for name in ("one_way_results", "round_trip_results"):
        checks = {check["id"]: check["verdict"] for check in document["results"][0][name]["audit"]}
        assert checks["cpu-placement"] == "ok"


def astray(ipcmark, witness, mode, warmup, client=str(FIRST)):
    """The client's thread goes to the last CPU before its message 50."""
    return ipcmark.measure(
        *witness.arguments(stray_to=LAST), mode, "-s", 64, "-i", 500, "-w", warmup,
        *["--server-affinity", FIRST, "--client-affinity", client],
    )  # fmt: skip


@pytest.mark.skipif(FIRST == LAST, reason="there is one CPU")
@pytest.mark.parametrize("mode", ["--blocking", "--async"])
def test_the_cpus_used_are_looked_at(ipcmark, witness, mode):
    """The module moves the client's thread away from where it was placed: that is told, not what was asked."""
    document = astray(ipcmark, witness, mode, warmup=10)
    for name in ("one_way_results", "round_trip_results"):
        result = document["results"][0][name]
        assert result["server"]["cpus_used"] == [FIRST]
        assert result["client"]["cpus_asked"] == [FIRST]
        assert result["client"]["cpus_used"] == sorted([FIRST, LAST])
        (check,) = [check for check in result["audit"] if check["id"] == "cpu-placement"]
        assert (check["value"], check["verdict"]) == (1, "suspicious")


@pytest.mark.skipif(FIRST == LAST, reason="there is one CPU")
def test_a_listed_cpu_is_none_of_a_thread_that_was_not_placed_on_it(ipcmark, witness):
    document = astray(ipcmark, witness, "--blocking", warmup=10, client=f"{FIRST},{LAST}")
    for name in ("one_way_results", "round_trip_results"):
        checks = {check["id"]: check for check in document["results"][0][name]["audit"]}
        assert (checks["cpu-placement"]["value"], checks["cpu-placement"]["verdict"]) == (1, "suspicious")


@pytest.mark.skipif(FIRST == LAST, reason="there is one CPU")
@pytest.mark.parametrize("mode", ["--blocking", "--async"])
def test_where_the_warm_up_was_is_not_where_the_window_was(ipcmark, witness, mode):
    document = astray(ipcmark, witness, mode, warmup=100)
    for name in ("one_way_results", "round_trip_results"):
        assert document["results"][0][name]["client"]["cpus_used"] == [LAST]


@pytest.mark.skipif(FIRST == LAST, reason="there is one CPU")
def test_threads_that_spin_on_one_cpu_are_told_whatever_else_was_listed(ipcmark):
    """Thread i runs on entry i: with one thread the second entry is nobody's."""
    document = ipcmark.measure(
        *["-m", "shm", "--wait", "spin", "-i", 50, "-w", 2, "--round-trip"],
        *["--server-affinity", FIRST, "--client-affinity", f"{FIRST},{LAST}"],
    )
    assert "spin-without-cpus" in [warning["code"] for warning in document["results"][0]["warnings"]]


@pytest.mark.skipif(FIRST == LAST, reason="there is one CPU")
def test_the_scheduler_s_choice_of_one_cpu_is_told(ipcmark):
    """Round trips on one CPU and on two differ by factors; without placement nobody knows which one was measured."""
    document = ipcmark.measure("-m", "uds", "-s", 64, "-i", 500)
    (result,) = document["results"]
    for name in ("one_way_results", "round_trip_results"):
        check = next(check for check in result[name]["audit"] if check["id"] == "shared-cpu")
        server, client = set(result[name]["server"]["cpus_used"]), set(result[name]["client"]["cpus_used"])
        if len(server | client) == 1:
            assert check["value"] == 1
        if not server & client:
            assert check["value"] == 0
        assert check["verdict"] == ("ok" if check["value"] < 0.5 else "suspicious")


@pytest.mark.skipif(FIRST == LAST, reason="there is one CPU")
@pytest.mark.parametrize("mode", ["--blocking", "--async"])
def test_sides_that_are_moved_to_another_cpu_together_still_share_one(ipcmark, mode):
    """What was seen of CPUs is two on each side; at no moment had each side one of its own."""
    run = ipcmark.start(
        *["run", "-m", "uds", mode, "-s", 64, "-i", 1000, "-w", 2, "--send-delay", "1ms", "--round-trip", "-q"],
        *["-o", ipcmark.folder / "r.json"],
        wrapper=["taskset", "-c", str(FIRST)],
    )
    server, client = measuring_workers(run, 500)
    # Nothing moves while they do.
    os.kill(client, signal.SIGSTOP)
    for worker in server, client:
        for thread in os.listdir(f"/proc/{worker}/task"):
            os.sched_setaffinity(int(thread), {LAST})
    os.sched_setaffinity(run.pid, {FIRST, LAST})  # what the two sides might have had
    os.kill(client, signal.SIGCONT)
    assert run.wait(timeout=TIMEOUT_S) == 0
    (result,) = json.loads((ipcmark.folder / "r.json").read_text())["results"]
    measured = result["round_trip_results"]
    assert measured["server"]["cpus_used"] == measured["client"]["cpus_used"] == sorted([FIRST, LAST])
    check = next(check for check in measured["audit"] if check["id"] == "shared-cpu")
    assert check["value"] > 0.99
    assert check["verdict"] == "suspicious"
    (cause,) = [warning["cause"] for warning in result["warnings"] if warning["code"] == "shared-cpu"]
    assert "the same CPU for" in cause


@pytest.mark.parametrize("mode", ["--blocking", "--async"])
def test_threads_that_spin_without_a_cpu_each_are_warned_of(ipcmark, mode):
    """Be it by --client-affinity or by what the program may use at all, as in a container with one CPU."""
    spin = ["-m", "uds", mode, "--wait", "spin", "-s", 64, "-i", 20, "-w", 2, "--round-trip"]
    one = ["--server-affinity", FIRST, "--client-affinity", FIRST]
    for arguments, wrapper in ([*spin, *one], []), (spin, ["taskset", "-c", str(FIRST)]):
        (warning,) = ipcmark.measure(*arguments, wrapper=wrapper)["results"][0]["warnings"]
        assert warning["code"] == "spin-without-cpus"
        assert f"2 threads spin on 1 CPU ({FIRST})" in warning["cause"]


@pytest.mark.skipif(FIRST == LAST, reason="needs two CPUs")
def test_threads_that_spin_on_a_cpu_each_are_not(ipcmark):
    document = ipcmark.measure("-m", "uds", "--wait", "spin", "-s", 64, "-i", 20, "-w", 2, "--round-trip")
    assert "spin-without-cpus" not in {warning["code"] for warning in document["results"][0]["warnings"]}


def test_a_cpu_that_is_not_there_starts_nothing(ipcmark):
    done = ipcmark("run", "-m", "uds", "-i", 10, "--server-affinity", 4096)
    assert done.returncode == 2
    assert "4096" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def beside_another_program(ipcmark, *arguments):
    """A round trip on two CPUs, of which something else wants the server's all the time: its result and the check."""
    other = subprocess.Popen(["taskset", "-c", str(FIRST), sys.executable, "-c", "while True: pass"])
    try:
        document = ipcmark.measure(
            *["-m", "shm", "-s", 64, "-d", "400ms", "-w", 2, "--round-trip", *arguments],
            *["--server-affinity", FIRST, "--client-affinity", LAST],
        )
    finally:
        other.kill()
        other.wait()
    (result,) = document["results"]
    if result["round_trip_results"]["server"]["run_delay_ns"] is None:
        pytest.skip("this kernel does not show how long a thread waits for a CPU")
    return result, next(check for check in result["round_trip_results"]["audit"] if check["id"] == "cpu-share")


@pytest.mark.skipif(FIRST == LAST, reason="needs two CPUs")
@pytest.mark.parametrize("mode", ["--blocking", "--async"])
def test_a_spinning_side_whose_cpu_others_use_is_told(ipcmark, mode):
    result, check = beside_another_program(ipcmark, mode, "--wait", "spin")
    server = result["round_trip_results"]["server"]
    wanted = server["cpu_time_ns"] + server["run_delay_ns"]
    assert check["verdict"] == "suspicious"
    assert check["value"] <= server["cpu_time_ns"] / wanted + 1e-6
    assert "cpu-share" in {warning["code"] for warning in result["warnings"]}


@pytest.mark.skipif(FIRST == LAST, reason="needs two CPUs")
@pytest.mark.parametrize("wait", ["block", "adaptive"])
def test_a_side_that_sleeps_and_whose_cpu_others_use_is_judged_by_the_worse_one(ipcmark, wait):
    """How much the scheduler lets the other program have is its own matter: the figure is that of the kernel."""
    result, check = beside_another_program(ipcmark, "--wait", wait)
    measured = result["round_trip_results"]
    delay_ns = max(measured[side]["run_delay_ns"] for side in ("server", "client"))
    share = 1 - delay_ns / measured["throughput"]["duration_ns"]
    assert check["value"] == pytest.approx(max(0, share), abs=1e-6)
    assert check["verdict"] == ("ok" if check["value"] >= 0.85 else "suspicious")
    assert ("cpu-share" in {warning["code"] for warning in result["warnings"]}) == (check["verdict"] == "suspicious")

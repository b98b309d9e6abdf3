# SPDX-License-Identifier: Apache-2.0
"""However a run ends (killed, interrupted, the disk full), nothing stays behind but what was measured."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import DURATIONS, FIXTURES, MECHANISMS, TIMEOUT_S, build_options, measuring_workers, workers_of
from witness import Event

WAITS = ["block", "spin"]


def started(ipcmark, mechanism, *arguments, messages=20, warmup=10, direction="--round-trip"):
    """A run that does not end by itself, with its two workers well into it."""
    run = ipcmark.start(
        *["run", "-m", mechanism, "-s", 64, "-d", "1h", "-w", warmup, direction, "-q", "-o", "r.json", *arguments]
    )
    workers = measuring_workers(run, messages)
    assert workers, run.stderr.read()
    return run, workers


def document_of(ipcmark):
    path = ipcmark.folder / "r.json"
    return json.loads(path.read_text()) if path.exists() else None


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_is_a_failed_test(ipcmark, mechanism, wait, victim):
    if mechanism == "pmq" and wait == "spin":
        wait = "adaptive"
    run, workers = started(ipcmark, mechanism, "--wait", wait)
    os.kill(workers[victim], signal.SIGKILL)
    run.wait(timeout=TIMEOUT_S)
    assert run.returncode == 1
    assert "signal 9" in run.stderr.read()
    result = document_of(ipcmark)["results"][0]
    assert "signal 9" in result["status"]["Failure"]
    assert result["round_trip_results"]["partial"]
    assert result["round_trip_results"]["latency"]["total_samples"] > 0


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("wait", WAITS)
def test_a_killed_host_takes_its_workers_along(ipcmark, leftovers, mechanism, wait):
    if mechanism == "pmq" and wait == "spin":
        wait = "adaptive"
    run, workers = started(ipcmark, mechanism, "--wait", wait)
    assert len(workers) == 2
    run.kill()
    run.wait(timeout=TIMEOUT_S)
    leftovers.assert_none()


@pytest.mark.parametrize("told_before", [False, True])
def test_a_module_whose_interrupt_hangs_does_not_outlive_the_host(ipcmark, leftovers, told_before):
    run, _ = started(ipcmark, "fixture-hang-in-interrupt", "--module-path", FIXTURES)
    if told_before:
        run.send_signal(signal.SIGTERM)
        time.sleep(1)  # the workers have been told to go, and interrupt the module for that
    run.kill()
    run.wait(timeout=TIMEOUT_S)
    leftovers.assert_none()


@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_that_is_stopped_does_not_outlive_the_host(ipcmark, leftovers, victim):
    run, workers = started(ipcmark, "uds")
    os.kill(workers[victim], signal.SIGSTOP)
    run.kill()
    run.wait(timeout=TIMEOUT_S)
    leftovers.assert_none()


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_it_measured(ipcmark, mechanism, number):
    run, _ = started(ipcmark, mechanism, messages=200)
    os.kill(run.pid, number)
    run.wait(timeout=TIMEOUT_S)
    document = document_of(ipcmark)
    assert document["metadata"]["interrupted"]
    measured = document["results"][0]["round_trip_results"]
    assert measured["partial"]
    assert measured["latency"]["total_samples"] > 100
    assert sum(count for _, _, count in measured["latency"]["histogram"]) == measured["latency"]["total_samples"]


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGINT, "before the first measured"), (None, "the warm-up")])
@pytest.mark.parametrize("mode", ["--blocking", "--async"])
@pytest.mark.parametrize(
    "load",
    ["--one-way", "--round-trip", "--round-trip -c 3", "--round-trip --window 4", "--round-trip --rate 1k"],
)
def test_what_ends_in_the_warm_up_is_said_to(ipcmark, number, reason, mode, load):
    """And nothing is measured after it."""
    run, workers = started(ipcmark, "uds", mode, *load.split()[1:], warmup="1G", direction=load.split()[0])
    os.kill(run.pid if number else workers[0], number or signal.SIGKILL)
    run.wait(timeout=TIMEOUT_S)
    result = document_of(ipcmark)["results"][0]
    assert reason in result["status"]["Failure"]
    assert result["one_way_results"] is None and result["round_trip_results"] is None


@pytest.mark.parametrize("mode", ["--blocking", "--async"])
@pytest.mark.parametrize("direction", ["one_way", "round_trip"])
def test_no_message_follows_a_send_delay_that_an_interrupt_has_ended(ipcmark, mode, direction):
    warmup = 10 + 1  # the first message is not counted either
    load = [mode, "--send-delay", "30m"]
    run, _ = started(
        ipcmark, "uds", *load, messages=warmup + 1, warmup=10, direction=f"--{direction.replace('_', '-')}"
    )
    os.kill(run.pid, signal.SIGINT)
    run.wait(timeout=TIMEOUT_S)
    measured = document_of(ipcmark)["results"][0][f"{direction}_results"]
    assert measured["latency"]["total_samples"] == measured["delivery"]["sent"] == 1


def test_ctrl_c_reaches_the_whole_group_and_is_survived(ipcmark):
    """A terminal sends SIGINT to the workers too."""
    run, _ = started(ipcmark, "uds", messages=200)
    os.killpg(run.pid, signal.SIGINT)
    run.wait(timeout=TIMEOUT_S)
    measured = document_of(ipcmark)["results"][0]["round_trip_results"]
    assert measured["latency"]["total_samples"] > 100


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_obeyed_while_modules_are_asked_for_their_limits(ipcmark, leftovers, number):
    run = ipcmark.start("run", "--module-path", FIXTURES, "-m", "fixture-hang-in-limits", "-s", 200, "-q")
    deadline = time.monotonic() + TIMEOUT_S
    while not any("--describe" not in line and "worker" in line for line in leftovers.processes().values()):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.01)
    run.send_signal(number)
    run.wait(timeout=TIMEOUT_S)
    assert run.returncode == 128 + number
    assert run.stderr.read() == ""


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_for_states(pids, states):
    deadline = time.monotonic() + TIMEOUT_S
    while not all(state_of(pid) in states for pid in pids):
        assert time.monotonic() < deadline, [state_of(pid) for pid in pids]
        time.sleep(0.02)


def test_ctrl_z_stops_the_workers_too_until_the_run_goes_on(ipcmark):
    """They are not in the group to which a terminal sends the signal."""
    run, workers = started(ipcmark, "uds", messages=200)
    os.killpg(run.pid, signal.SIGTSTP)
    wait_for_states([run.pid, *workers], "T")
    os.killpg(run.pid, signal.SIGCONT)
    wait_for_states([run.pid, *workers], "RS")
    os.kill(run.pid, signal.SIGINT)
    run.wait(timeout=TIMEOUT_S)
    assert document_of(ipcmark)["results"][0]["round_trip_results"]["latency"]["total_samples"] > 100


def test_a_time_in_which_nobody_runs_is_none_of_the_workers(ipcmark, witness):
    """Nor of a virtual machine's that is moved: what they have for their end is of a time in which all go on."""
    run = ipcmark.start(
        "run", *witness.arguments(slow_close="1500ms"), "-s", 64, "-i", 200, "--round-trip", "-q", "-o", "r.json"
    )
    deadline = time.monotonic() + TIMEOUT_S
    while not witness.has_seen(Event.CLOSE):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.01)
    all_of_them = [run.pid, *workers_of(run)]
    assert len(all_of_them) == 3
    for pid in all_of_them:
        os.kill(pid, signal.SIGSTOP)
    wait_for_states(all_of_them, "T")
    time.sleep(9)
    # First the one who waits: in its first look it finds nobody gone.
    for pid in all_of_them:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    run.wait(timeout=TIMEOUT_S)
    assert (run.returncode, run.stderr.read()) == (0, "")
    assert not document_of(ipcmark)["results"][0]["round_trip_results"]["partial"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_peer_that_stops_for_a_second_loses_nothing(ipcmark, mechanism):
    for duration in DURATIONS:
        run = ipcmark.start(
            "run", "-m", mechanism, "-s", 64, "-d", duration, "-w", 10, "--one-way", "-q", "-o", "r.json"
        )
        if workers := measuring_workers(run):
            with contextlib.suppress(ProcessLookupError):
                os.kill(workers[0], signal.SIGSTOP)
                time.sleep(1)
                os.kill(workers[0], signal.SIGCONT)
        run.wait(timeout=TIMEOUT_S)
        assert run.returncode == 0, run.stderr.read()
        result = document_of(ipcmark)["results"][0]["one_way_results"]
        delivery = result["delivery"]
        assert delivery["lost"] == delivery["duplicated"] == delivery["corrupted"] == 0
        # Otherwise this process had no CPU in time, and the measurement was over when it stopped the worker.
        if result["latency"]["max_ns"] > 500_000_000:
            return
    raise AssertionError("the stop is in no latency")


@pytest.mark.parametrize("mechanism", ["uds", "shm"])
def test_a_server_that_is_stopped_when_the_client_ends_is_waited_for(ipcmark, mechanism):
    """What it has not taken by then lies in the transport: not lost, and no fault of the module's."""
    count = 500
    run = ipcmark.start(
        *["run", "-m", mechanism, "-s", 64, "-i", count, "--rate", 250, "-w", 5, "--one-way", "-o", "r.json"]
    )
    workers = measuring_workers(run)
    assert workers, run.stderr.read()
    os.kill(workers[0], signal.SIGSTOP)
    told = run.stderr.readline()  # when nothing has moved for some seconds, longer than the client sends
    assert "the server worker" in told and "was stopped by a signal" in told
    os.kill(workers[0], signal.SIGCONT)
    assert run.wait(timeout=TIMEOUT_S) == 0, run.stderr.read()
    delivery = document_of(ipcmark)["results"][0]["one_way_results"]["delivery"]
    assert (delivery["received"], delivery["lost"]) == (count, 0)


def small_disk(ipcmark, size):
    """Runs the program with a file system of that size on disk/, and lists what is on it at the end."""
    (ipcmark.folder / "disk").mkdir()
    script = f'mount -t tmpfs -o size={size} tmpfs disk && "$@"; code=$?; echo "on disk:" $(ls disk); exit $code'
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    return [*namespace, "sh", "-c", script, "sh"]


def test_a_mounted_file_on_a_full_disk_keeps_what_is_in_it(ipcmark):
    """A single file that is mounted into a container cannot be replaced: it is copied over, where there is room."""
    (ipcmark.folder / "r.json").write_text("")
    wrapper = small_disk(ipcmark, "64k")
    wrapper[wrapper.index("-c") + 1] = (
        "mount -t tmpfs -o size=64k tmpfs disk && echo old > disk/m.json && mount --bind disk/m.json r.json && "
        'head -c 100k /dev/zero > disk/full 2>/dev/null; "$@"; code=$?; cat disk/m.json; exit $code'
    )
    done = ipcmark("run", "-m", "uds", "-i", 500, "-q", "-o", "r.json", wrapper=wrapper)
    assert (done.returncode, done.stdout) == (1, "old\n"), done.stderr
    assert "cannot write r.json: No space left on device" in done.stderr and "r.json.partial" in done.stderr
    assert json.loads((ipcmark.folder / "r.json.partial").read_text())["results"]


@pytest.mark.parametrize("output", ["--streaming-output-csv", "--streaming-output-json", "--streaming-output-ndjson"])
def test_a_disk_that_fills_up_is_one_clear_line(ipcmark, output):
    done = ipcmark(
        *["run", "-m", "uds", "-s", 64, "-i", 50_000, "--one-way", "-q", output, "disk/samples"],
        wrapper=small_disk(ipcmark, "256k"),
    )
    assert done.returncode == 1
    assert "samples" in done.stderr and "No space left" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    # A file that is not whole does not get the final name.
    assert "samples" not in done.stdout.split("on disk:")[1].split()


def test_a_disk_that_is_full_of_samples_keeps_the_results(ipcmark):
    """The single samples stop, what fits of them stays; the measurement, its table and its documents do not."""
    messages = 20_000
    command = ["run", "-m", "uds,shm", "-s", 64, "-i", messages, "--streaming-output-csv", "disk/s.csv"]
    wrapper = small_disk(ipcmark, "64k")
    wrapper[wrapper.index("-c") + 1] = wrapper[wrapper.index("-c") + 1].replace(
        "code=$?;", "code=$?; cp disk/s.csv.partial kept.csv;"
    )
    done = ipcmark(*command, "-o", "keep.json", "--csv", "keep.csv", wrapper=wrapper)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "disk/s.csv" in done.stderr and "No space left" in done.stderr
    table, on_disk = done.stdout.split("on disk:")
    assert "uds" in table and "shm" in table
    assert "keep.json" in table and "s.csv" not in table
    assert on_disk.split() == ["s.csv.partial"]
    rows = (ipcmark.folder / "kept.csv").read_text().splitlines(keepends=True)
    assert len(rows) > 500 and all(row.endswith("\n") and row.count(",") == 7 for row in rows)
    results = json.loads((ipcmark.folder / "keep.json").read_text())["results"]
    assert [test["round_trip_results"]["latency"]["total_samples"] for test in results] == [messages] * 2
    assert len((ipcmark.folder / "keep.csv").read_text().splitlines()) > 2


def test_a_result_that_cannot_be_written_leaves_no_half_of_one(ipcmark):
    done = ipcmark(
        *["run", "-m", "uds", "-s", 64, "-i", 20_000, "-q", "-o", "disk/r.json"], wrapper=small_disk(ipcmark, "4k")
    )
    assert done.returncode == 1
    assert "r.json" in done.stderr and "No space left" in done.stderr
    assert "r.json" not in done.stdout.split("on disk:")[1].split()


def limit_of_file_sizes(kib):
    return ["sh", "-c", f'ulimit -f {2 * kib} && exec "$@"', "sh"]  # POSIX counts it in blocks of 512 bytes


# A sanitizer meets the smallest limit itself, before there is a main.
SMALLEST_KIB = [0] if build_options()["b_sanitize"] == "none" else []


@pytest.mark.parametrize("kib", [*SMALLEST_KIB, 4, 64, 256])
def test_the_limit_of_file_sizes_is_one_clear_line(ipcmark, kib):
    """A signal comes with that error, and would end the program without a word. Memory that is shared counts, too."""
    done = ipcmark("run", "-m", "shm", "-s", 64, "-i", 20_000, "-q", "-o", "r.json", wrapper=limit_of_file_sizes(kib))
    assert done.returncode == 1, done.returncode
    lines = done.stderr.splitlines()
    # The result document has the failed test, and may be too large itself.
    assert 1 <= len(lines) <= 2 and "results memory" in lines[0], done.stderr
    assert all(line.startswith("ipcmark: ") for line in lines)
    assert all("File too large" in line and "ulimit -f" in line for line in lines)
    assert all("r.json" in line for line in lines[1:])


def test_what_was_measured_before_workers_could_not_be_started_is_kept(ipcmark):
    command = ["run", "-m", "uds", "-s", 64, "-i", 1000, "-w", 10, "-c", "1,64", "--one-way", "-o", "r.json"]
    # Results memory of 64 endpoints takes 33 MiB.
    for more in ([], ["--continue-on-error"]):
        done = ipcmark(*command, *more, wrapper=limit_of_file_sizes(16 << 10))
        assert done.returncode == (0 if more else 1) and "64 B" in done.stdout
        assert len(done.stderr.splitlines()) == 1 and "results memory" in done.stderr
        first, second = document_of(ipcmark)["results"]
        assert first["one_way_results"]["latency"]["total_samples"] == 1000
        assert second["one_way_results"] is None and "results memory" in json.dumps(second["status"])


def test_samples_beyond_the_limit_of_file_sizes_keep_the_results(ipcmark):
    done = ipcmark(
        *["run", "-m", "uds", "-s", 64, "-i", 500_000, "--one-way", "-q"],
        *["--streaming-output-csv", "s.csv", "-o", "r.json"],
        wrapper=limit_of_file_sizes(10 << 10),
    )
    assert done.returncode == 1, done.returncode
    assert "s.csv" in done.stderr and "ulimit -f" in done.stderr and len(done.stderr.splitlines()) == 1
    result = document_of(ipcmark)["results"][0]
    assert result["one_way_results"]["latency"]["total_samples"] == 500_000


def test_an_unwritable_output_is_found_before_the_run(ipcmark, witness):
    done = ipcmark("run", *witness.arguments(), "-i", 10, "-o", "/nonexistent/folder/r.json")
    assert done.returncode == 2
    assert "/nonexistent/folder" in done.stderr
    assert witness.records() == []


def test_a_reader_that_goes_away_is_no_crash(ipcmark):
    """ipcmark run | head: the standard output is closed early."""
    with ipcmark.start("run", "-m", "uds", "-s", 64, "-i", 2000, stderr=subprocess.PIPE) as run:
        run.stdout.close()
        assert run.wait(timeout=TIMEOUT_S) >= 0

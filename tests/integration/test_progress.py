# SPDX-License-Identifier: Apache-2.0
"""Progress is drawn on a terminal, is gone before the table, and is never anywhere else."""

import json
import os
import pty
import signal
import subprocess

from support import DURATIONS, TIMEOUT_S, measuring_workers

RUN = ["run", "-m", "uds", "--round-trip"]
ENDLESS = ["run", "-m", "uds", "-d", "1h"]
CLEAR = "\r\x1b[K"


def on_terminal(tool, *arguments, interrupt_after=None, **kwargs):
    """Runs with standard error, and standard output unless given, on a terminal; returns exit code and its text.
    Interrupted once it has shown a given text."""
    ours, theirs = pty.openpty()
    kwargs = {"stdout": theirs, "stderr": theirs, "env": {"TERM": "xterm"}} | kwargs
    with tool.start(*arguments, **kwargs) as run:
        os.close(theirs)
        text = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            text += chunk
            if interrupt_after is not None and interrupt_after in text.decode(errors="replace"):
                os.kill(run.pid, signal.SIGINT)
                interrupt_after = None
        code = run.wait(timeout=TIMEOUT_S)
    os.close(ours)
    return code, text.decode()


def until_drawn(tool, **kwargs):
    """A run long enough to have drawn a rate; a short one may have had no CPU for that."""
    for duration in DURATIONS:
        code, text = on_terminal(tool, *RUN, "-d", duration, **kwargs)
        assert code == 0, text
        if "msg/s" in text:
            break
    return text


def test_a_terminal_shows_it_and_it_is_gone_before_the_table(ipcmark):
    text = until_drawn(ipcmark)
    drawn, cleared, table = text.rpartition(CLEAR)
    assert cleared
    assert "uds" in drawn and "%" in drawn and "msg/s" in drawn and " left" in drawn
    assert "mechanism" in table and " left" not in table
    assert "mechanism" not in drawn


STEPS = [
    *["clock: ", "CPUs: ", "begins: 50 messages of 64 bytes", "server on CPU 0, client on any CPU"],
    *["the server listens", "module tcp ", "options: ", "the warm-up begins", "the window begins"],
    *["the window ends, with 50 messages", "worker has ended well"],
]


def test_the_log_tells_each_step_in_detail_where_it_is_asked_to(ipcmark):
    cpu = min(os.sched_getaffinity(0))
    run = ["run", "-m", "tcp", "-O", "nodelay=false", "-s", 64, "-i", 50, "-w", 5, "--round-trip", "-q"]
    run += ["--server-affinity", cpu]
    steps = [step.replace("CPU 0", f"CPU {cpu}") for step in STEPS]
    told = ipcmark(*run, "-vv").stderr
    places = [told.find(step) for step in steps]
    assert -1 not in places and places == sorted(places), told
    for step in ("the client is connected", "the server has accepted", "nodelay=false (given)", ", ABI 1."):
        assert step in told
    assert told.count("worker has ended well") == 2
    assert not any(step in ipcmark(*run, "-v").stderr for step in steps)
    assert ipcmark(*run, "--log-file", "log").stderr == ""
    assert all(step in (ipcmark.folder / "log").read_text() for step in steps)


def test_a_warning_of_many_endpoints_is_told_once_with_its_count(ipcmark):
    run = ["run", "-m", "uds", "--buffer-size", "1K", "-c", 8, "-s", "64,128", "-i", 80, "-w", 5, "-o", "r.json"]
    done = ipcmark(*run)
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "send buffer" in line]
    assert len(warnings) == 2  # one of each test
    assert all("module uds: send buffer of 1024 bytes" in line and "(32 times)" in line for line in warnings)
    assert "send buffer of 1024" in done.stdout
    for result in json.loads((ipcmark.folder / "r.json").read_text())["results"]:
        told = [warning for warning in result["warnings"] if warning["code"] == "module-warning"]
        assert ["send buffer" in told[0]["cause"], "receive buffer" in told[1]["cause"]] == [True, True]
    # At once where it is asked for: the run may be long.
    assert ipcmark(*run, "-v", "-q").stderr.count("ipcmark: module uds: send buffer of 1024") == 1
    assert ipcmark(*run, "-q").stderr == ""


def test_a_pipe_gets_none(ipcmark):
    done = ipcmark(*RUN, "-d", DURATIONS[0])
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\r" not in done.stdout and "\x1b" not in done.stdout


def test_a_piped_table_stays_clean_beside_a_terminal(ipcmark):
    output = ipcmark.folder / "table"
    with output.open("w") as file:
        text = until_drawn(ipcmark, stdout=file)
    assert "msg/s" in text
    assert "\x1b" not in output.read_text() and "mechanism" in output.read_text()


def test_quiet_draws_nothing(ipcmark):
    assert on_terminal(ipcmark, *RUN, "-d", DURATIONS[0], "-q") == (0, "")


def test_a_dumb_terminal_gets_none(ipcmark):
    _, text = on_terminal(ipcmark, *RUN, "-d", DURATIONS[0], env={"TERM": "dumb"})
    assert "left" not in text and "mechanism" in text


def test_ctrl_c_writes_what_there_is_and_tells_it_by_the_exit_code(ipcmark):
    code, text = on_terminal(ipcmark, *ENDLESS, "--round-trip", "-o", "r.json", interrupt_after="msg/s")
    assert code == 128 + signal.SIGINT
    assert "mechanism" in text and "interrupted" in text
    assert (ipcmark.folder / "r.json").exists()


def test_the_second_ctrl_c_ends_it_at_once(ipcmark):
    with ipcmark.start(*ENDLESS, "--one-way", stdout=subprocess.DEVNULL) as run:
        assert measuring_workers(run)
        run.send_signal(signal.SIGINT)
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=TIMEOUT_S) in (128 + signal.SIGTERM, 128 + signal.SIGINT)

# SPDX-License-Identifier: Apache-2.0
"""A module that crashes, hangs or lies is a failed test with a cause; the host, and the other results, live on."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import FIXTURES, TIMEOUT_S, free_port

SHORT = ["-s", 64, "-w", 10]

# What the reason must say beside the module's name.
CRASHES = {
    "crash-in-listen": "signal 11",
    "crash-in-send": "signal 11",
    "crash-in-recv": "signal 11",
    "exit-in-send": "exit",
    "writes-to-control": "sent nonsense",
    "odd-status-in-listen": "listen: status -98, which is no status of the ABI: a fault of the module",
    "odd-status-in-connect": "connect: status -111, which is no status of the ABI: a fault of the module",
    "listen-times-out": "listen: timed_out: no time left",
    "fails-in-send": "sendmsg failed as this fixture is made to do",
}
# Exceptions that leave a module; one that is none of the standard library's says nothing.
ESCAPES = {
    "throws-int-in-listen": "let an exception leave listen: a fault of the module",
    "throws-in-connect": "let an exception leave connect: this exception must not leave the module: a fault of the",
    "throws-int-in-effective-option": "let an exception leave effective_option: a fault of the module",
}
# What hangs, and what the reason must say beside the module's name: the call, and the side that is in it.
HANGS = {
    "hang-in-listen": "hangs: listen, in the server worker, does not return",
    "hang-in-connect": "hangs: connect, in the client worker, does not return",
    "hang-in-get-extension": "hangs: get_extension, in the server worker, does not return",
    "hang-in-listener-address": "hangs: listener_address, in the server worker, does not return",
    "hang-in-effective-option": "hangs: effective_option, in the client worker, does not return",
    "hang-in-send": "time-out",
}
LIES = {"wrong-major": "ABI", "bad-magic": "magic", "crash-at-load": ""}


def run(ipcmark, kinds, *arguments, count=500, name="r.json", **kwargs):
    """Runs good and broken fixtures; returns what ended, and the document where one was written."""
    output = ipcmark.folder / name
    done = ipcmark(
        *["run", "--module-path", FIXTURES, "-m", ",".join(f"fixture-{kind}" for kind in kinds)],
        *[*SHORT, "-i", count, "-q", "-o", output, *arguments],
        **kwargs,
    )
    return done, json.loads(output.read_text()) if output.exists() else None


def test_the_good_fixture_is_measured(ipcmark):
    done, document = run(ipcmark, ["good"])
    assert done.returncode == 0, done.stderr
    assert document["results"][0]["status"] == "Success"


@pytest.mark.parametrize("kind", CRASHES)
@pytest.mark.parametrize("direction", ["--one-way", "--round-trip"])
def test_a_module_that_fails_is_named_with_the_reason(ipcmark, kind, direction):
    done, document = run(ipcmark, [kind], direction)
    assert done.returncode == 1
    for text in (done.stderr, document["results"][0]["status"]["Failure"]):
        assert f"fixture-{kind}" in text
        assert CRASHES[kind] in text
    assert "Traceback" not in done.stderr and "terminate called" not in done.stderr


@pytest.mark.parametrize("kind", ESCAPES)
@pytest.mark.parametrize("debug", [[], ["--debug-module"]])
def test_an_exception_that_leaves_a_module_is_its_fault(ipcmark, kind, debug):
    """And no hang, which it was told to be after a quarter of a minute."""
    done, document = run(ipcmark, [kind], "--round-trip", *debug)
    assert done.returncode == 1
    for text in (done.stderr, document["results"][0]["status"]["Failure"]):
        assert f"module 'fixture-{kind}' {ESCAPES[kind]}" in text


def test_an_exception_that_leaves_a_module_before_the_run_is_no_wrong_command_line(ipcmark):
    done, document = run(ipcmark, ["throws-in-limits"])
    assert done.returncode == 1
    assert "module 'fixture-throws-in-limits' let an exception leave limits: this exception must not" in done.stderr
    assert document is None


@pytest.mark.parametrize("mode", ["--blocking", "--async"])
@pytest.mark.parametrize("direction", ["--one-way", "--round-trip"])
def test_one_endpoint_that_fails_ends_the_run_of_all(ipcmark, direction, mode):
    """Not at the end of its duration, and not as one that is stuck because the failed one's peer waits."""
    done = ipcmark(
        *["run", "--module-path", FIXTURES, "-m", "fixture-fails-in-one-send", *SHORT, "-c", 3, "-d", "1h", "-q"],
        *[direction, mode],
    )
    assert done.returncode == 1
    assert "send on endpoint 1: system: sendmsg failed as this fixture is made to do" in done.stderr


@pytest.mark.parametrize("stand_alone", [False, True])
def test_an_endpoint_of_the_server_that_fails_ends_the_run_of_all(ipcmark, leftovers, stand_alone):
    arguments = ["--module-path", FIXTURES, "-m", "fixture-fails-in-one-recv", *SHORT, "-c", 3, "-d", "1h", "--one-way"]
    address = f"unix:{leftovers.folder}/meet"
    if stand_alone:
        server = ipcmark.start("serve", address, "--module-path", FIXTURES, "--once")
        assert "serving" in server.stderr.readline()
    done = ipcmark(*(["connect", address] if stand_alone else ["run"]), *arguments, "-q")
    assert done.returncode == 1
    assert "recv on endpoint 1: system: recvmsg failed as this fixture is made to do" in done.stderr
    if stand_alone:
        server.wait(timeout=TIMEOUT_S)


def test_a_child_of_a_worker_that_crashed_does_not_hide_the_crash(ipcmark, leftovers):
    """It holds the worker's end of the control connection, which so never closes."""
    done, document = run(ipcmark, ["child-outlives-crash"], "--round-trip")
    assert done.returncode == 1
    assert "signal 11" in document["results"][0]["status"]["Failure"], "not the time-out"
    leftovers.assert_none()


def test_what_a_module_has_started_goes_with_its_worker(ipcmark, leftovers):
    """It would hold the output of the program for ever, for whose end this call waits."""
    done, _ = run(ipcmark, ["leaves-process-in-connect"])
    assert done.returncode == 0, done.stderr
    leftovers.assert_none()


@pytest.mark.parametrize("size", [1, 8, 15, 64])
@pytest.mark.parametrize(("kind", "counted"), [("doubles", "duplicated"), ("reorders", "reordered")])
def test_what_happened_to_messages_is_counted_at_every_size(ipcmark, kind, counted, size):
    _, document = run(ipcmark, [kind], "-s", size, "--one-way", count=1000)
    result = document["results"][0]["one_way_results"]
    assert result["delivery"][counted] > 0
    assert result["delivery"]["corrupted"] == 0
    # Messages that are late have their own stamp, not that of another one.
    assert result["latency"]["max_ns"] < 60e9
    assert {check["id"]: check["verdict"] for check in result["audit"]}["sequence"] == "suspicious"


@pytest.mark.parametrize("size", [16, 64])
def test_a_flipped_bit_that_looks_like_the_end_is_one_damaged_message(ipcmark, size):
    """The message says at its other end, where it has one, that it is not the last; else the sender's count does."""
    done, document = run(ipcmark, ["flips-end-mark"], "--one-way", "-s", size, "--timeout", "2s")
    delivery = document["results"][0]["one_way_results"]["delivery"]
    assert delivery["corrupted"] == 1
    if size == 64:
        assert done.returncode == 0, done.stderr
        assert (delivery["sent"], delivery["received"], delivery["lost"]) == (500, 499, 0)
    else:
        assert delivery["lost"] <= 500


WRONG_COUNTS = {
    "receives-too-much": (["--round-trip"], "recv gave a message of 65 bytes, and 64 were sent: a fault of the module"),
    "batch-counts-too-many": (
        ["--one-way", "--batch", 8],
        "send_batch says that 9 of 8 messages were sent: a fault of the module",
    ),
}


@pytest.mark.parametrize("kind", WRONG_COUNTS)
def test_a_number_that_cannot_be_is_told_with_the_call_that_gave_it(ipcmark, kind):
    arguments, told = WRONG_COUNTS[kind]
    done, document = run(ipcmark, [kind], *arguments)
    assert done.returncode == 1
    assert f"module fixture-{kind}: {told}" in done.stderr
    assert told in document["results"][0]["status"]["Failure"]


def test_a_module_that_hangs_is_ended(ipcmark):
    """All at once, as each takes the time that a module has for a call."""
    with ThreadPoolExecutor(len(HANGS)) as pool:
        ends = {
            kind: pool.submit(run, ipcmark, [kind], "--round-trip", "--timeout", "2s", name=f"{kind}.json")
            for kind in HANGS
        }
    for kind, end in ends.items():
        done, document = end.result()
        assert done.returncode == 1, kind
        assert f"fixture-{kind}" in done.stderr
        assert HANGS[kind] in document["results"][0]["status"]["Failure"]


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        ("hang-in-close", "close, in the (client|server) worker,"),
        ("hang-in-close-listener", "close_listener, in the server worker,"),
        ("hang-in-interrupt", "interrupt(, in the client|_listener, in the server) worker,"),
    ],
)
def test_a_module_that_hangs_at_the_end_does_not_hold_the_host_up(ipcmark, kind, call):
    """And it has not ended with the exit code of a worker that leaves because of that."""
    done, document = run(ipcmark, [kind], "--round-trip")  # within the time that is against hangs
    assert done.returncode == 1
    failure = document["results"][0]["status"]["Failure"]
    assert re.fullmatch(f".*module 'fixture-{kind}' hangs: {call} does not return", failure)


def test_a_module_that_hangs_after_the_measurement_leaves_it_whole(ipcmark):
    """Of a run by duration nobody knows the count, only that it came to its end."""
    done = ipcmark(
        *["run", "--module-path", FIXTURES, "-m", "fixture-hang-in-close", *SHORT, "-d", "200ms", "--round-trip", "-q"],
        *["-o", "r.json"],
    )
    assert done.returncode == 1
    result = json.loads((ipcmark.folder / "r.json").read_text())["results"][0]
    assert "hang-in-close" in result["status"]["Failure"]
    assert not result["round_trip_results"]["partial"]


@pytest.mark.parametrize("stand_alone", [False, True])
@pytest.mark.parametrize("kind", ["exit-in-close", "exit-in-close-listener", "exit-in-interrupt"])
def test_a_module_that_ends_its_process_after_the_measurement_is_no_clean_run(ipcmark, leftovers, kind, stand_alone):
    """With exit code 0, as a worker that has closed everything."""
    address = f"unix:{leftovers.folder}/meet"
    if stand_alone:
        server = ipcmark.start("serve", address, "--module-path", FIXTURES, "--once")
        assert "serving" in server.stderr.readline()
    done = ipcmark(
        *(["connect", address] if stand_alone else ["run"]),
        *["--module-path", FIXTURES, "-m", f"fixture-{kind}", *SHORT, "-i", 500, "--round-trip", "-q", "-o", "r.json"],
    )
    assert done.returncode == 1
    result = json.loads((ipcmark.folder / "r.json").read_text())["results"][0]
    assert f"module 'fixture-{kind}' ended its process, in the " in result["status"]["Failure"]
    assert "worker, while it closed, after the measurement" in result["status"]["Failure"]
    assert not result["round_trip_results"]["partial"]
    if stand_alone:
        assert server.wait(timeout=TIMEOUT_S) == 0


def test_a_module_in_which_nothing_moves_is_stuck(ipcmark):
    done, document = run(ipcmark, ["too-small-for-the-window"], "--round-trip", "--window", 4)
    assert done.returncode == 1
    failure = document["results"][0]["status"]["Failure"]
    for part in (
        *("no message has moved for 30s", "'fixture-too-small-for-the-window' is stuck", "a message was lost"),
        *("the 4 messages of the window", "a smaller --window", "larger buffer", "--async"),
    ):
        assert part in failure


@pytest.mark.parametrize("kind", ["wrong-major", "bad-magic"])
def test_a_module_that_lies_is_refused_before_anything_runs(ipcmark, kind):
    done, document = run(ipcmark, [kind])
    assert done.returncode == 2
    assert LIES[kind].lower() in done.stderr.lower()
    assert document is None


def test_a_module_that_crashes_while_loading_harms_nobody(ipcmark):
    done, _ = run(ipcmark, ["crash-at-load"])
    assert done.returncode in (1, 2)
    assert "fixture-crash-at-load" in done.stderr


def test_results_before_a_failed_test_are_kept(ipcmark):
    done, document = run(ipcmark, ["good", "crash-in-send", "good"])
    assert done.returncode == 1
    statuses = [result["status"] for result in document["results"]]
    assert statuses[0] == "Success"
    assert "Failure" in statuses[1]
    assert [result["summary"]["error_count"] > 0 for result in document["results"]] == [False, True]
    assert document["results"][0]["round_trip_results"]["latency"]["total_samples"] == 500


@pytest.mark.parametrize("direction", ["--one-way", "--round-trip"])
@pytest.mark.parametrize("streaming", [[], ["--streaming-output-csv", "s.csv"]])
def test_a_module_that_writes_over_the_results_fails_its_own_test_alone(ipcmark, direction, streaming):
    """It can reach the memory in which both workers count, and the host reads that while it does."""
    done, document = run(ipcmark, ["good", "destroys-results"], direction, *streaming)
    assert done.returncode == 1, done.stderr
    assert "fixture-destroys-results" in done.stderr
    kept, destroyed = document["results"]
    assert kept["status"] == "Success"
    assert "'fixture-destroys-results' wrote over the memory" in destroyed["status"]["Failure"]
    assert destroyed["one_way_results"] is None and destroyed["round_trip_results"] is None


def test_the_host_goes_on_if_asked(ipcmark):
    done, document = run(ipcmark, ["good", "crash-in-send", "good"], "--continue-on-error")
    assert done.returncode == 0
    statuses = [result["status"] for result in document["results"]]
    assert statuses[0] == statuses[2] == "Success"
    assert "signal 11" in statuses[1]["Failure"]


def statuses_by_test(document):
    return {
        (result["test_config"]["mechanism_id"], result["test_config"]["message_size"]): result["status"]
        for result in document["results"]
    }


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        (
            "crash-in-limits",
            {64: None, 200: "crashed its worker while it was asked for its limits: killed by signal 11"},
        ),
        ("fails-in-limits", {64: None, 200: "limits: no_memory: no memory, as this fixture is made to say"}),
        ("hang-in-limits", {64: None, 200: "hangs: no answer about its limits"}),
        ("crash-at-load", dict.fromkeys([64, 200], "killed by signal 11")),
    ],
)
def test_the_host_goes_on_after_a_module_that_fails_before_the_run(ipcmark, kind, reasons):
    """It is a failed test as any other, for the settings that the module fails over."""
    done, document = run(
        ipcmark, ["good", kind, "slow-but-right"], "-s", 200, "--one-way", "--continue-on-error", count=20
    )
    assert done.returncode == 0, done.stderr
    statuses = statuses_by_test(document)
    assert len(statuses) == 6
    for size, reason in reasons.items():
        for good in ("good", "slow-but-right"):
            assert statuses[f"fixture-{good}", size] == "Success"
        status = statuses[f"fixture-{kind}", size]
        if reason is None:
            assert status == "Success"
        else:
            assert f"fixture-{kind}" in status["Failure"] and reason in status["Failure"]
            assert f"fixture-{kind}" in done.stderr


def test_a_module_that_hangs_before_the_run_is_not_asked_for_each_setting(ipcmark):
    """Each time would take seconds."""
    _, document = run(ipcmark, ["hang-in-limits"], "-s", "200,300,400", "--continue-on-error")
    assert document["results"][0]["status"] == "Success"
    failures = [result["status"]["Failure"] for result in document["results"][1:]]
    assert "hangs" in failures[0]
    assert all("fixture-hang-in-limits" in text and "not asked" in text for text in failures[1:])


@pytest.mark.parametrize(("kind", "reason"), [("crash-in-limits", "signal 11"), ("fails-in-limits", "no_memory")])
def test_a_module_that_fails_before_the_run_ends_it_unless_told_otherwise(ipcmark, kind, reason):
    """And nothing was wrong with what was asked for, which would be exit code 2."""
    done, document = run(ipcmark, ["good", kind], "-s", "200")
    assert done.returncode == 1
    assert f"fixture-{kind}" in done.stderr and reason in done.stderr
    assert document is None


def test_an_option_of_some_modules_is_no_obstacle_where_one_crashes_when_asked_for_its_own(ipcmark):
    """--port is given to those that have it, so each is asked for its options."""
    done, document = run(ipcmark, ["crash-at-load"], "-m", "tcp", "--port", free_port(), "--continue-on-error")
    assert done.returncode == 0, done.stderr
    by_module = {result["test_config"]["mechanism_id"]: result["status"] for result in document["results"]}
    assert by_module["tcp"] == "Success"
    assert "signal 11" in by_module["fixture-crash-at-load"]["Failure"]


def test_what_was_measured_before_a_crash_is_kept_and_marked(ipcmark):
    _, document = run(ipcmark, ["crash-in-send"], "--round-trip")
    measured = document["results"][0]["round_trip_results"]
    assert measured["partial"]
    assert 0 < measured["latency"]["total_samples"] < 500


def test_lost_and_reordered_messages_are_counted(ipcmark):
    _, document = run(ipcmark, ["reorders"], "--one-way")
    assert document["results"][0]["one_way_results"]["delivery"]["reordered"] > 0


def test_doubled_messages_are_counted(ipcmark):
    _, document = run(ipcmark, ["doubles"], "--one-way", count=2000)
    assert document["results"][0]["one_way_results"]["delivery"]["duplicated"] > 0

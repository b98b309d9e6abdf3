# SPDX-License-Identifier: Apache-2.0
"""The command itself: its outputs, exit codes, bad input, and that it leaves nothing."""

import json
import shutil
import signal
import time
import xml.etree.ElementTree as xml

import pytest
from support import BUILD_ROOT, FIXTURES, TIMEOUT_S

GOOD = FIXTURES / "fixture-good.so"
HANGS = FIXTURES / "fixture-ignores-accept-timeout.so"


def test_list_has_a_sentence_for_each_test(ipcmark):
    tests = json.loads(ipcmark("check", "--list", "--json").stdout)
    assert len({test["id"] for test in tests}) >= 150
    for test in tests:
        assert test["proves"].endswith(".") and len(test["proves"]) > 30
    groups = {test["id"].split(".")[0] for test in tests}
    assert len(groups) == 17


def test_junit_and_text(ipcmark, tmp_path):
    report = tmp_path / "report.xml"
    done = ipcmark("check", FIXTURES / "fixture-accepts-zero.so", "--only", "sizes.*", "--junit", report)
    assert done.returncode == 1
    assert "sizes.zero" in done.stdout and "why it matters" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("skipped")
    suite = xml.parse(report).getroot()
    failures = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert failures == ["sizes.zero"]
    assert int(suite.get("tests")) == len(list(suite.iter("testcase")))


def test_what_lies_in_the_folder_that_a_module_has_changed_to_is_not_its_litter(ipcmark):
    done = ipcmark(
        "check", FIXTURES / "fixture-changes-folder-in-connect.so", "--only", "leaks.names", "--wait", "block"
    )
    assert done.returncode == 0, done.stdout


def test_it_can_stop_at_the_first_failure(ipcmark, tmp_path):
    report = tmp_path / "report.xml"
    command = ("check", FIXTURES / "fixture-accepts-zero.so", "--only", "sizes.*", "--wait", "block", "--stop-at-first")
    done = ipcmark(*command, "--junit", report)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert "Not run after the first failure: 1, from sizes.not_the_fixed_one on" in lines
    assert lines[-1] == "5 passed, 1 failed, 0 skipped"
    # In JUnit they are all there.
    suite = xml.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("7", "1", "1")
    [skipped] = [case for case in suite.iter("testcase") if case.find("skipped") is not None]
    assert skipped.get("name") == "sizes.not_the_fixed_one"
    assert skipped.find("skipped").get("message").startswith("not run")
    told = json.loads(ipcmark(*command, "--json").stdout)
    assert (told["passed"], told["failed"], told["skipped"], told["not_run"]) == (5, 1, 0, 1)
    assert told["tests"][-1]["name"] == "sizes.zero"
    # Nothing is missing where nothing fails.
    good = ipcmark("check", GOOD, "--only", "sizes.zero", "loading.symbol", "--stop-at-first")
    assert good.returncode == 0 and "Not run" not in good.stdout


def test_the_tests_are_listed_whether_a_module_is_named_or_not(ipcmark):
    assert ipcmark("check", GOOD, "--list").stdout == ipcmark("check", "--list").stdout != ""


def test_one_reason_is_told_once(ipcmark, tmp_path):
    report = tmp_path / "report.xml"
    module = FIXTURES / "fixture-listen-times-out.so"
    tests = ("lifecycle.l*", "interrupt.*", "messages.order", "short_structs.longer_params")
    done = ipcmark("check", module, "--only", *tests, "--wait", "block", "spin", "--junit", report)
    assert done.returncode == 1
    text, summary = done.stdout.split("\nFailed:\n")
    reason = "listen returned timed_out (no time left, as this fixture is made to say) where ok is right"
    suite = xml.parse(report).getroot()
    same = [failure for failure in suite.iter("failure") if failure.get("message") == reason]
    lines = summary.splitlines()
    assert lines[0] == f"  fail {len(same)} tests: {reason}" and len(same) > 10
    # As --only takes them; limits passes, so that it is not the whole group.
    assert lines[1].split() == ["lifecycle.listen_and_close,", "messages.order,", "interrupt.*"]
    assert lines[2].startswith("  fail short_structs.longer_params: listen with parameters of a later minor version")
    assert lines[4].startswith("Begin with lifecycle.listen_and_close: ")
    # While they run, too.
    assert " ".join(text.split()).count(reason) == 1
    assert text.count("for the same reason as lifecycle.listen_and_close") == len(same) - 1


def test_a_report_that_cannot_be_written_is_found_before_the_run(ipcmark):
    done = ipcmark("check", GOOD, "--only", "messages.order", "--junit", "/no/such/report.xml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "/no/such/report.xml" in done.stderr and len(done.stderr.splitlines()) == 1


def test_in_process(ipcmark):
    done = ipcmark("check", GOOD, "--only", "messages.order@block", "--in-process")
    assert done.returncode == 0, done.stdout + done.stderr
    done = ipcmark("check", FIXTURES / "fixture-reorders.so", "--only", "messages.order@block", "--in-process")
    assert done.returncode == 1 and "reordered" in done.stdout + done.stderr


def test_a_time_out_says_where(ipcmark):
    done = ipcmark("check", HANGS, "--only", "lifecycle.accept_timeout", "--timeout", "1s")
    assert done.returncode == 1
    assert "timeout" in done.stdout and "accept" in done.stdout
    assert "not done within 1s; it hangs in: " in done.stdout


@pytest.mark.parametrize(
    ("kind", "test", "first", "peer"),
    [
        ("hang-in-extensions", "loan.stream@block", "commit", "take"),
        ("hang-in-extensions", "batch.order@block", "send_batch", "recv_batch"),
        ("hang-in-send", "messages.boundaries@block", "send", "recv"),
        ("hang-in-close", "lifecycle.connect_and_accept@block", "waiting for the peer process to end", "close"),
    ],
)
def test_a_hang_is_told_where_both_processes_are(ipcmark, kind, test, first, peer):
    reason = reason_of_hang(ipcmark, kind, test)
    assert reason.endswith(f"not done within 3s; it hangs in: {first}; the peer process is in: {peer}")


def test_a_hang_of_a_polled_endpoint_is_told(ipcmark):
    """Whichever side comes to it first; the other one may still wait for that one."""
    steps = reason_of_hang(ipcmark, "hang-in-extensions", "pollfd.wake_ups").split(": ", 1)[1]
    first, peer = steps.split("; the peer process is in: ")
    assert "arm" in (first, peer) and {first, peer} <= {"arm", "poll for a wake-up"}


def reason_of_hang(ipcmark, kind, test):
    done = ipcmark("check", FIXTURES / f"fixture-{kind}.so", "--only", test, "--timeout", "3s", "--json")
    assert done.returncode == 1
    [result] = json.loads(done.stdout)["tests"]
    assert result["outcome"] == "timeout"
    return result["reason"]


def test_the_limit_counts_from_the_last_message(ipcmark):
    """A hundred messages, then none: told after the limit of 20 s, not after up to two of them."""
    hangs = FIXTURES / "fixture-hang-in-send.so"
    done = ipcmark("check", hangs, "--only", "messages.order@block", "--json")
    assert done.returncode == 1
    [test] = json.loads(done.stdout)["tests"]
    assert test["outcome"] == "timeout" and 20 <= test["seconds"] < 35
    assert test["reason"].startswith("no call has returned for 20s; it hangs in: ")


def test_a_call_that_hangs_is_named_before_the_time_is_over(ipcmark):
    done = ipcmark("check", HANGS, "--only", "lifecycle.accept_timeout", "--timeout", "5m", "--json")
    assert done.returncode == 1
    [test] = json.loads(done.stdout)["tests"]
    assert test["outcome"] == "fail" and "accept of 100 ms with nobody there did not return" in test["reason"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/no/such/file.so"], "no file"),
        (["no-such-module"], "no-such-module"),
        ([GOOD, "--only", "nothing.at_all"], "nothing.at_all"),
        ([GOOD, "--wait", "sleepy"], "sleepy"),
        ([GOOD, "--timeout", "soon"], "soon"),
        ([GOOD, "-O", "labl=x", "--only", "options.*"], "label"),
        ([GOOD, "-O", "style"], "'style' is not NAME=VALUE\n"),
        ([], "MODULE"),
    ],
)
def test_bad_input(ipcmark, arguments, words):
    done = ipcmark("check", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1 and words in done.stderr


def test_what_is_no_shared_object_is_refused_in_one_line(ipcmark, tmp_path):
    file = tmp_path / "text.so"
    file.write_text("not a module")
    done = ipcmark("check", file)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "is not an ELF file" in done.stderr


def test_what_is_no_module_fails_by_name(ipcmark):
    file = BUILD_ROOT / "core" / "libipcmark.so"
    done = ipcmark("check", file, "--only", "loading.*", "messages.order", "--json")
    assert done.returncode == 1
    outcomes = {test["name"]: test["outcome"] for test in json.loads(done.stdout)["tests"]}
    assert outcomes["loading.symbol"] == "fail"
    assert outcomes["messages.order@block"] == "skip"
    # What cannot be tested is said once, not two hundred times.
    text = ipcmark("check", file, "--only", "loading.symbol", "messages.*", "sizes.*").stdout
    assert text.count("cannot be loaded:") == 1 and "loading.symbol" in text


def test_a_reader_that_went_away_or_a_full_disk_costs_no_report(ipcmark, tmp_path):
    report = tmp_path / "report.xml"
    with open("/dev/full", "w", encoding="utf-8") as full:
        process = ipcmark.start("check", GOOD, "--only", "loading.symbol", "--junit", report, stdout=full)
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert errors.splitlines() == ["ipcmark: cannot write to standard output: No space left on device"]
    assert "loading.symbol" in report.read_text()


def test_what_others_could_change_is_not_loaded(ipcmark, tmp_path):
    file = tmp_path / "loud.so"
    shutil.copy(FIXTURES / "fixture-prints-at-load.so", file)
    file.chmod(0o646)
    for arguments in ([file], [file, "--only", "loading.loads"], [file, "--only", "loading.loads", "--in-process"]):
        done = ipcmark("check", *arguments)
        assert done.returncode == 2 and done.stdout == ""
        assert len(done.stderr.splitlines()) == 1 and "writable by others" in done.stderr
    file.chmod(0o644)
    assert ipcmark("check", file, "--only", "loading.loads").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_it_is_killed(ipcmark, leftovers, number):
    process = ipcmark.start("check", HANGS, "--only", "lifecycle.accept_timeout", "leaks.*")
    deadline = time.monotonic() + TIMEOUT_S
    while len(leftovers.processes()) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=TIMEOUT_S)
    leftovers.assert_none()

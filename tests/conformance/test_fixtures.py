# SPDX-License-Identifier: Apache-2.0
"""Each broken fixture is caught by the very test that is meant to catch it; the good one passes everything."""

import json
import subprocess
from pathlib import Path

import pytest
from support import BUILD_ROOT, FIXTURES

TABLE = [
    line.split() for line in (BUILD_ROOT / "tests" / "conformance" / "fixtures.txt").read_text().splitlines() if line
]
CAUGHT_BY = {words[0]: words[1] for words in TABLE if len(words) == 2}


# Both sides wait for each other, each in a call that is right to wait: no test can say more than that, or sooner than
# its time is over.
STAND_STILL = {"loses_when_full", "one_lock_for_both_halves"}


@pytest.fixture(autouse=True)
def _remove_what_the_leaking_fixture_leaks():
    yield
    for folder in ("/dev/shm", "/tmp"):
        for path in Path(folder).glob("fixture-leak-*"):
            path.unlink(missing_ok=True)


def module(kind):
    return FIXTURES / f"fixture-{kind.replace('_', '-')}.so"


def check(ipcmark, kind, *args):
    done = ipcmark("check", module(kind), "--json", *args, timeout=900)
    return done, json.loads(done.stdout)


def test_good_fixture_passes_everything(ipcmark):
    done, report = check(ipcmark, "good")
    failed = [test for test in report["tests"] if test["outcome"] not in ("pass", "skip")]
    assert not failed, json.dumps(failed, indent=1)
    assert done.returncode == 0
    assert report["passed"] > 240
    # Only what the fixture does not claim may be skipped.
    skipped = {test["id"] for test in report["tests"] if test["outcome"] == "skip"}
    assert skipped == {
        "claims.loopback",
        "claims.scratch_dir",
        "claims.cross_host",
        "claims.in_flight",
        "lifecycle.endpoint_flags",
    }


# Files among those of all other programs: seen only where a check can have a /tmp of its own.
NEEDS_NAMESPACES = {"litters_tmp"}


def has_namespaces():
    return any(subprocess.run(["unshare", how, "true"], check=False).returncode == 0 for how in ("-mni", "-Urmni"))


@pytest.mark.parametrize("kind", CAUGHT_BY)
def test_broken_fixture_is_caught(ipcmark, kind):
    if kind in NEEDS_NAMESPACES and not has_namespaces():
        pytest.skip("this machine lets nobody have namespaces of his own")
    # Of six seconds a call that hangs takes two, and what is slow and does return takes five. On a machine that is too
    # busy for that, the test is asked again.
    for time in ["3s"] if kind in STAND_STILL else ["6s", "60s"]:
        done, report = check(ipcmark, kind, "--only", CAUGHT_BY[kind], "--timeout", time)
        if not says_only_that_it_hangs(report):
            break
    outcomes = {test["outcome"] for test in report["tests"]}
    assert outcomes & {"fail", "crash", "timeout"}, json.dumps(report, indent=1)
    assert kind in STAND_STILL or not says_only_that_it_hangs(report), json.dumps(report, indent=1)
    assert done.returncode == 1
    for test in report["tests"]:
        assert test["reason"] or test["outcome"] == "pass"


def says_only_that_it_hangs(report):
    """Where both sides spin, a busy machine denies them so much time that they are not taken to hang."""
    return any(test["outcome"] == "timeout" and not test["name"].endswith("@spin") for test in report["tests"])


def test_the_same_tests_pass_on_the_good_fixture(ipcmark):
    """So that what catches a fixture is its fault and not the test."""
    ids = sorted(set(CAUGHT_BY.values()))
    done, report = check(ipcmark, "good", "--only", *ids)
    assert done.returncode == 0, json.dumps([t for t in report["tests"] if t["outcome"] != "pass"], indent=1)


def test_slow_is_not_wrong(ipcmark):
    """A hundred and forty thousand sends of 0.2 ms take longer than the test's limit of 20 s, and never stand still."""
    done, report = check(ipcmark, "slow_but_right", "--only", "messages.order@block")
    assert done.returncode == 0, json.dumps(report, indent=1)
    assert report["tests"][0]["seconds"] > 20


def test_a_thread_that_begins_late_is_no_fault(ipcmark):
    """A busy machine may run it long after it was made: what it waits in has not returned by then, nor begun."""
    late = {"LD_PRELOAD": str(BUILD_ROOT / "tests" / "conformance" / "late-threads.so")}
    done = ipcmark("check", module("good"), "-q", "--only", "waiting.*", env=late)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_at_least_fifteen_kinds():
    assert len(CAUGHT_BY) >= 15

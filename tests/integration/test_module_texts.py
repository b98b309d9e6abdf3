# SPDX-License-Identifier: Apache-2.0
"""What a module says reaches the terminal as text: it cannot paint over what the program says."""

import json
import re
import shutil

import pytest
from support import FIXTURES

KIND = "fixture-paints-the-terminal"
MODULE = FIXTURES / f"{KIND}.so"
PAINT = "\x1b[2J\x1b]0;painted\x07\x9b31m"
SHOWN = r"\x1b[2J\x1b]0;painted\x07\u009b31m"


def control_characters(text):
    return sorted(set(re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)))


def flat(text):
    """Without the breaks of lines, which may fall anywhere."""
    return re.sub(r"\s+", " ", text)


def assert_shown(text, *expected):
    assert control_characters(text) == []
    for words in expected:
        assert SHOWN + words in flat(text)


def test_inspect(ipcmark):
    done = ipcmark("inspect", MODULE)
    assert_shown(
        done.stdout,
        *["Fixture", "A transport for the tests", "Apache-2.0", "the fixture's own limit", "Size of the kernel's"],
        *["as it comes", "careful"],
    )
    assert f"default {SHOWN})" in done.stdout
    told = json.loads(ipcmark("inspect", MODULE, "--json").stdout)
    assert told["display_name"] == PAINT + "Fixture"
    assert told["options"][0]["help"] == PAINT + "Size of the kernel's send buffer."


def test_list(ipcmark):
    """It runs no module: what is a stranger's there is the name of a file, and what its file says."""
    folder = ipcmark.folder / "modules"
    folder.mkdir(mode=0o755)
    shutil.copy(MODULE, folder / f"a{PAINT}b.so")
    (folder / f"c{PAINT}d.so").write_text("no module")
    done = ipcmark("list", "--module-path", folder)
    assert_shown(done.stdout, "b.so", "d.so")


@pytest.mark.parametrize("log", ["-vv", "--log-file=run.log", "--log-file=stderr"])
def test_run(ipcmark, log):
    done = ipcmark(
        *["run", "--module-path", FIXTURES, "-m", KIND, "-s", 64, "-i", 500, "-w", 10, "--one-way", "-o", "r.json", log]
    )
    # What the module's code itself writes to its standard error is its own; all else is ours.
    told = done.stderr.replace(f"{PAINT}printed\n", "")
    failure = "sendmsg failed as this fixture is made to do"
    assert done.returncode == 1
    assert_shown(done.stdout, failure)
    assert_shown(told, failure, "logged")
    if log == "--log-file=run.log":
        assert_shown((ipcmark.folder / "run.log").read_text(), failure, "logged")
    status = json.loads((ipcmark.folder / "r.json").read_text())["results"][0]["status"]["Failure"]
    assert PAINT + failure in status


def test_errors_before_a_run(ipcmark):
    """A message of the module's within one of ours that is the last."""
    done = ipcmark("run", "--module-path", FIXTURES, "-m", KIND, "-s", "1G", "-i", 5)
    assert done.returncode == 2
    assert_shown(done.stderr, "the fixture's own limit")


def test_check(ipcmark):
    """The reason of a failed test, what the module printed in it, and the list of failures at the end."""
    done = ipcmark("check", MODULE, "--only", "messages.order*")
    assert done.returncode == 1
    assert_shown(done.stdout, "printed")
    assert flat(done.stdout).count(SHOWN + "sendmsg failed") >= 2
    tests = json.loads(ipcmark("check", MODULE, "--only", "messages.order*", "--json").stdout)["tests"]
    assert any(PAINT in test["reason"] and PAINT in test["output"] for test in tests)


def test_compare(ipcmark):
    """Documents come from elsewhere, too."""
    ipcmark.measure("-m", "uds", "-s", 64, "-i", 100)
    path = next(ipcmark.folder.glob("*.json"))
    document = json.loads(path.read_text())
    document["results"][0]["mechanism"] = document["results"][0]["test_config"]["mechanism_id"] = f"{PAINT}uds"
    painted = ipcmark.folder / "painted.json"
    painted.write_text(json.dumps(document))
    done = ipcmark("compare", painted, painted)
    assert done.returncode == 0, done.stderr
    assert control_characters(done.stdout) == []
    assert SHOWN in done.stdout

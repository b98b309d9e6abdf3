# SPDX-License-Identifier: Apache-2.0
"""--debug-module: the checking layer lets good modules pass, and names the module and the rule of a bad one."""

import pytest
from support import FIXTURES


@pytest.mark.parametrize("mechanism", ["uds", "tcp", "shm", "pmq", "null"])
def test_good_modules_pass(ipcmark, mechanism):
    ipcmark.measure("-m", mechanism, "-s", 64, "-i", 500, "--debug-module")


@pytest.mark.parametrize("mechanism", ["uds", "tcp", "shm", "pmq"])
def test_good_modules_pass_when_polled(ipcmark, mechanism):
    ipcmark.measure("-m", mechanism, "-s", 64, "-i", 500, "-c", 4, "--blocking=false", "--debug-module")


def test_the_extensions_of_the_good_fixture_pass(ipcmark):
    module = FIXTURES / "fixture-good.so"
    ipcmark.measure("-m", module, "-i", 500, "--direct", "--debug-module")
    ipcmark.measure("-m", module, "-i", 2000, "--one-way", "--batch", 16, "--debug-module")


def test_the_document_says_it(ipcmark):
    for arguments, checked in (([], False), (["--debug-module"], True)):
        (result,) = ipcmark.measure("-m", "uds", "-i", 500, *arguments)["results"]
        assert result["module"]["checked"] is checked


@pytest.mark.parametrize(
    ("kind", "arguments", "rule"),
    [
        ("logs-in-hot-path", [], "hot functions do not log"),
        ("returns-odd-status", [], "closed set of statuses"),
        ("send-would-block", [], "would_block"),
        ("receives-too-much", [], "sizes"),
        ("no-listener", [], "*out"),
        ("loan-without-token", ["--direct"], "loans"),
        ("batch-counts-too-many", ["--one-way", "--batch", "8"], "batch counts"),
    ],
)
def test_a_breach_is_named(ipcmark, kind, arguments, rule):
    done = ipcmark("run", "-m", FIXTURES / f"fixture-{kind}.so", "-i", 2000, "-w", 0, "--debug-module", *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"fixture-{kind}" in done.stderr and f"'{rule}'" in done.stderr

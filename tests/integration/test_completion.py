# SPDX-License-Identifier: Apache-2.0
"""The completion for bash offers verbs, options and modules as the program itself knows them."""

import subprocess

import pytest
from support import SOURCE_ROOT

SCRIPT = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ipcmark; printf "%s\\n" "${COMPREPLY[@]}"'


def completed(tool, *words):
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", SOURCE_ROOT / "completions" / "ipcmark", tool.path, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_verbs(ipcmark):
    assert {"run", "list", "inspect"} <= set(completed(ipcmark, ""))
    assert completed(ipcmark, "ins") == ["inspect"]


@pytest.mark.parametrize("verb", [[], ["run"]])
def test_options_of_a_run(ipcmark, verb):
    assert "--mechanism" in completed(ipcmark, *verb, "--m")
    assert completed(ipcmark, *verb, "--streaming-output-n") == ["--streaming-output-ndjson"]


def test_options_of_another_verb(ipcmark):
    assert set(completed(ipcmark, "list", "--")) == {"--module-path", "--allow-module", "--json", "--help"}


def test_modules(ipcmark):
    assert {"uds", "all"} <= set(completed(ipcmark, "-m", ""))
    assert completed(ipcmark, "-m", "null", "ud") == ["uds"]
    assert completed(ipcmark, "inspect", "ud") == ["uds"]


def test_the_drop_in(ipc_benchmark):
    assert completed(ipc_benchmark, "--serv") == ["--server-affinity", "--server"]

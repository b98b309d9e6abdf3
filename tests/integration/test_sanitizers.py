# SPDX-License-Identifier: Apache-2.0
"""The net of a sanitizer build has no hole: what is wrong in a worker, or in a process of a check, is found."""

import pytest
from support import FIXTURES, build_options

SANITIZER = build_options()["b_sanitize"]
address_only = pytest.mark.skipif("address" not in SANITIZER, reason="needs the address sanitizer")
thread_only = pytest.mark.skipif("thread" not in SANITIZER, reason="needs the thread sanitizer")


@thread_only
@pytest.mark.parametrize("direction", ["--one-way", "--round-trip"])
def test_a_race_in_a_worker(ipcmark, sanitizers, direction):
    module = FIXTURES / "fixture-shared-buffer.so"
    done = ipcmark("run", "-m", module, "-i", 2000, "-c", 2, "--blocking", direction)
    assert done.returncode == 1
    assert "exit code 86" in done.stderr
    assert any("data race" in report and "fixture-shared-buffer.so" in report for report in sanitizers.take())


@address_only
def test_a_leak_in_a_worker(ipcmark, sanitizers):
    done = ipcmark("run", "-m", FIXTURES / "fixture-leaks-memory.so", "-i", 100, "-c", 4, "--one-way")
    assert done.returncode == 1
    assert "exit code 86" in done.stderr
    assert any("LeakSanitizer" in report and "1000 byte(s)" in report for report in sanitizers.take())


@address_only
def test_a_leak_in_a_process_of_a_check(ipcmark, sanitizers):
    done = ipcmark("check", FIXTURES / "fixture-leaks-memory.so", "--only", "lifecycle.connect_and_accept")
    assert done.returncode == 1
    assert "exit code 86" in done.stdout
    assert any("LeakSanitizer" in report for report in sanitizers.take())

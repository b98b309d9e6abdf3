# SPDX-License-Identifier: Apache-2.0
"""Fixtures of all Python tests: the programs that were built, and the check that nothing is left behind."""

import pytest
from support import Leftovers, SanitizerReports, Tool, private_folder


@pytest.fixture
def sanitizers():
    """Every test: no sanitizer has found anything, in whichever process."""
    with private_folder() as folder:
        reports = SanitizerReports(folder)
        yield reports
        reports.assert_none()


@pytest.fixture
def leftovers(sanitizers):
    """Every test: no process, socket file, shared memory, queue or folder stays, however the run ended."""
    with private_folder() as folder:
        watch = Leftovers(folder, sanitizers)
        yield watch
        watch.assert_none()


@pytest.fixture(autouse=True)
def _nothing_left_behind(leftovers):
    yield


@pytest.fixture
def ipcmark(leftovers, tmp_path):
    """ipcmark("run", "-m", "uds", …) runs the program that was built."""
    return Tool("ipcmark", leftovers, tmp_path)


@pytest.fixture
def ipc_benchmark(leftovers, tmp_path):
    """The same program under the name of its predecessor."""
    return Tool("ipc-benchmark", leftovers, tmp_path)

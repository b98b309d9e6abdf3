# SPDX-License-Identifier: Apache-2.0
"""A module that was built with the frozen headers of version 1.0 is found, described, run and right."""

import json

import pytest
from support import BUILD_ROOT

FROZEN = BUILD_ROOT / "tests" / "abi" / "frozen.so"


def test_it_is_described(ipcmark):
    done = ipcmark("inspect", FROZEN, "--json")
    assert done.returncode == 0, done.stderr
    described = json.loads(done.stdout)
    assert (described["id"], described["version"], described["result_name"]) == ("frozen", "1.0.0", "FrozenV1")
    assert (described["abi_major"], described["abi_minor"]) == (1, 0)
    assert described["max_message_size_bytes"] == 65536
    assert described["options"][0]["default"] == "256K"


@pytest.mark.parametrize("concurrency", [1, 3])
def test_it_is_measured(ipcmark, concurrency):
    document = ipcmark.measure(
        "-m", FROZEN, "-s", "1,64,64K", "-i", 600, "-w", 10, "-c", concurrency, "-O", "buffer=128K", "--blocking"
    )
    assert len(document["results"]) == 3
    for result in document["results"]:
        assert result["status"] == "Success"
        for direction in ("one_way_results", "round_trip_results"):
            assert result[direction]["throughput"]["total_messages"] >= 600 - concurrency
        (option,) = result["module"]["options"]
        assert (option["name"], option["value"]) == ("buffer", "128KiB")


def test_its_limit_is_kept(ipcmark):
    done = ipcmark("run", "-m", FROZEN, "-s", 65537, "-i", 10)
    assert done.returncode == 2
    assert "65537" in done.stderr and "65536" in done.stderr


def test_it_passes_the_conformance_tool(ipcmark):
    done = ipcmark("check", FROZEN, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr

# SPDX-License-Identifier: Apache-2.0
"""A suite file runs as its text says."""

import json

import pytest

SUITE = """
count: 100
warmup: 5
output-file: suite.json
quiet: true
tests:
  - mechanism: [uds, tcp]
    size: [64, 1K]
    round-trip: true
  - mechanism: uds
    one-way: true
    repeat: 2
    module-option: {type: seqpacket}
"""


def test_a_suite(ipcmark):
    (ipcmark.folder / "suite.yaml").write_text(SUITE)
    done = ipcmark("--suite", "suite.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    results = json.loads((ipcmark.folder / "suite.json").read_text())["results"]
    assert [(r["module"]["id"], r["test_config"]["message_size"]) for r in results] == [
        *[("uds", 64), ("uds", 1024), ("tcp", 64), ("tcp", 1024), ("uds", 1024), ("uds", 1024)]
    ]
    assert all(result["test_config"]["msg_count"] == 100 for result in results)
    assert all(not result.get("one_way_results") for result in results[:4])


def refusing(test, *top):
    return "\n".join([*top, "tests:", "  - {mechanism: uds, round-trip: true}", f"  - {{mechanism: uds, {test}}}", ""])


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        (refusing("client-affinity: 100000"), "100000"),
        (refusing("module-option: {type: odd}"), "odd"),
    ],
)
@pytest.mark.parametrize("verb", [["run"], ["connect", "tcp:127.0.0.1:9"]])
def test_a_test_that_is_refused_is_named_by_its_line(ipcmark, verb, suite, words):
    (ipcmark.folder / "suite.yaml").write_text(suite)
    done = ipcmark(*verb, "--suite", "suite.yaml")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("ipcmark: suite.yaml:3: ") and words in done.stderr


@pytest.mark.parametrize(
    ("suite", "words", "line"),
    [
        (refusing("size: 8, one-way: true"), "message size 8", 3),
        (refusing("one-way: true", "streaming-output-csv: s.csv"), "--round-trip", 4),
    ],
)
def test_what_two_programs_cannot_measure_is_named_by_its_line(ipcmark, suite, words, line):
    (ipcmark.folder / "suite.yaml").write_text(suite)
    done = ipcmark("connect", "tcp:127.0.0.1:9", "--suite", "suite.yaml")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"ipcmark: suite.yaml:{line}: ") and words in done.stderr


def test_the_predecessors_configuration_file(ipc_benchmark):
    config = {"mechanisms": ["uds"], "message_size": 64, "msg_count": 100, "one_way": True, "output_file": "r.json"}
    (ipc_benchmark.folder / "config.json").write_text(json.dumps(config))
    done = ipc_benchmark("--config", "config.json", "-i", 50, "-q")
    assert done.returncode == 0, done.stderr
    result = json.loads((ipc_benchmark.folder / "r.json").read_text())["results"][0]
    assert result["test_config"]["msg_count"] == 50
    assert result["test_config"]["message_size"] == 64

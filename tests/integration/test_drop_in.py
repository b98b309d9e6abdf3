# SPDX-License-Identifier: Apache-2.0
"""The program under the name ipc-benchmark does what scripts for its predecessor expect."""

import json
import signal
import time
from pathlib import Path

import pytest
from support import FIXTURES, TIMEOUT_S, free_port

QUICK = ["-i", 200, "-w", 10]


def test_the_default_run_is_both_directions_over_uds_asynchronous(ipc_benchmark):
    done = ipc_benchmark(*QUICK, "-o")
    assert done.returncode == 0, done.stderr
    document = json.loads((ipc_benchmark.folder / "benchmark_results.json").read_text())
    assert [result["mechanism"] for result in document["results"]] == ["UnixDomainSocket"]
    result = document["results"][0]
    assert result["one_way_results"] and result["round_trip_results"]
    assert result["test_config"]["message_size"] == 1024
    assert "average_throughput_mbps" in result["summary"]


def test_the_schema_is_the_predecessors_unless_asked_otherwise(ipc_benchmark):
    for schema, is_ours in {"rusty-comms": False, "ipcmark": True}.items():
        output = ipc_benchmark.folder / f"{schema}.json"
        assert ipc_benchmark(*QUICK, "-q", "--schema", schema, "-o", output).returncode == 0
        assert ("audit" in output.read_text()) == is_ours


def test_all_runs_in_the_predecessors_order(ipc_benchmark):
    done = ipc_benchmark("-m", "all", *QUICK, "-q", "-o", "r.json", "--blocking", "--continue-on-error")
    assert done.returncode == 0, done.stderr
    document = json.loads((ipc_benchmark.folder / "r.json").read_text())
    assert [result["mechanism"] for result in document["results"]] == [
        *["UnixDomainSocket", "SharedMemory", "TcpSocket", "PosixMessageQueue"]
    ]


def test_a_buffer_beyond_the_systems_limit_is_cut_for_sockets_and_said_to_be(ipc_benchmark):
    limits = [int(Path(f"/proc/sys/net/core/{name}_max").read_text()) for name in ("wmem", "rmem")]
    asked = 2 * max(limits)
    done = ipc_benchmark(
        "-m", "uds", "tcp", "shm", *QUICK, "--buffer-size", asked, "--schema", "ipcmark", "-o", "r.json"
    )
    assert done.returncode == 0, done.stderr
    assert f"--buffer-size is cut to {min(limits)} bytes for uds and tcp" in done.stderr
    document = json.loads((ipc_benchmark.folder / "r.json").read_text())
    sizes = [result["test_config"]["buffer_size"] for result in document["results"]]
    assert sizes == [min(limits), min(limits), asked]


def test_quiet_prints_nothing(ipc_benchmark):
    done = ipc_benchmark(*QUICK, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_default_names_of_the_streams(ipc_benchmark):
    done = ipc_benchmark(*QUICK, "-q", "--blocking", "--streaming-output-json", "--streaming-output-csv")
    assert done.returncode == 0, done.stderr
    rows = (ipc_benchmark.folder / "benchmark_streaming_output.csv").read_text().splitlines()
    assert rows[0] == "timestamp_ns,message_id,mechanism,message_size,one_way_latency_ns,round_trip_latency_ns"
    stream = json.loads((ipc_benchmark.folder / "benchmark_streaming_output.json").read_text())
    assert stream["headings"] == rows[0].split(",")
    assert len(stream["data"]) == len(rows) - 1 > 0
    # Each with its own spelling, as the predecessor.
    assert {row[2] for row in stream["data"]} == {"UnixDomainSocket"}
    assert {row.split(",")[2] for row in rows[1:]} == {"Unix Domain Socket"}


def test_all_failed_under_continue_on_error_is_still_0(ipc_benchmark):
    arguments = ["-m", "fixture-fails-in-send", *QUICK, "--blocking", "-q", "--module-path", FIXTURES]
    done = ipc_benchmark(*arguments, "--continue-on-error", "-o", "r.json")
    assert done.returncode == 0
    assert "fixture-fails-in-send" in done.stderr
    failure = json.loads((ipc_benchmark.folder / "r.json").read_text())["results"][0]["status"]["Failure"]
    assert "fixture-fails-in-send" in failure
    assert ipc_benchmark(*arguments).returncode == 1


def test_what_one_mechanism_cannot_do_does_not_stop_the_others_under_continue_on_error(ipc_benchmark):
    arguments = ["-m", "pmq", "uds", "-s", 1_000_000, "-i", 20, "-w", 2, "-q", "-o", "r.json"]
    done = ipc_benchmark(*arguments, "--continue-on-error")
    assert done.returncode == 0
    assert "1000000" in done.stderr and "pmq" in done.stderr
    pmq, uds = json.loads((ipc_benchmark.folder / "r.json").read_text())["results"]
    assert (pmq["mechanism"], uds["mechanism"]) == ("PosixMessageQueue", "UnixDomainSocket")
    assert "1000000" in pmq["status"]["Failure"] and pmq["one_way_results"] is None
    assert uds["status"] == "Success"
    # Without it the command line is wrong.
    assert ipc_benchmark(*arguments).returncode == 2


def test_what_no_mechanism_can_do_is_a_document_of_failures_under_continue_on_error(ipc_benchmark, ipcmark):
    arguments = ["-m", "pmq", "-s", "1000000,2000000", "-i", 20, "--continue-on-error", "-o", "r.json"]
    for tool in (ipc_benchmark, ipcmark):
        done = tool(*arguments)
        assert done.returncode == 0, done.stderr
        assert "1000000" in done.stderr and "2000000" in done.stderr
        results = json.loads((tool.folder / "r.json").read_text())["results"]
        assert ["pmq" in result["status"]["Failure"] for result in results] == [True, True]


def test_the_log_goes_where_it_is_told(ipc_benchmark):
    assert ipc_benchmark(*QUICK, "-q", "--log-file", "run.log").returncode == 0
    assert (ipc_benchmark.folder / "run.log").exists()
    assert list(ipc_benchmark.folder.glob("ipc_benchmark.log*")) == []


def test_version(ipc_benchmark):
    for flag in ("-V", "--version", "-qV"):
        done = ipc_benchmark(flag)
        assert done.returncode == 0
        assert done.stdout.startswith("ipc-benchmark ")


@pytest.mark.parametrize("mechanism", ["uds", "shm", "tcp", "pmq"])
def test_the_stand_alone_ends(ipc_benchmark, leftovers, mechanism):
    where = {
        "uds": ["--socket-path", leftovers.folder / "meet.sock"],
        "tcp": ["--port", free_port()],
        "shm": ["--shared-memory-name", f"meet-{leftovers.tag}"],
        "pmq": ["--message-queue-name", f"meet-{leftovers.tag}"],
    }[mechanism]
    # The client comes first, and waits.
    client = ipc_benchmark.start("--client", "-m", mechanism, "--blocking", *QUICK, "-q", "-o", "r.json", *where)
    time.sleep(0.5)
    assert client.poll() is None
    server = ipc_benchmark.start("--server", "-m", mechanism, "--blocking", *where)
    assert client.wait(timeout=TIMEOUT_S) == 0, client.stderr.read()
    assert server.wait(timeout=TIMEOUT_S) == 0, server.stderr.read()
    result = json.loads((ipc_benchmark.folder / "r.json").read_text())["results"][0]
    assert result["status"] == "Success"
    assert result["round_trip_results"]["latency"]["total_samples"] > 0


def test_a_server_ends_gracefully_on_ctrl_c(ipc_benchmark, leftovers):
    server = ipc_benchmark.start("--server", "--socket-path", leftovers.folder / "meet.sock")
    assert "meet.sock" in server.stderr.readline()
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=TIMEOUT_S) == 0


@pytest.mark.parametrize(("mechanism", "option"), [("shm", "--shared-memory-name"), ("pmq", "--message-queue-name")])
def test_a_name_is_the_same_with_and_without_its_slash(ipc_benchmark, mechanism, option):
    name = ipc_benchmark.leftovers.tag[-8:]
    server = ipc_benchmark.start("--server", "-m", mechanism, option, f"/{name}")
    done = ipc_benchmark("--client", "-m", mechanism, option, name, *QUICK, "-q")
    assert done.returncode == 0, done.stderr
    assert server.wait(timeout=TIMEOUT_S) == 0

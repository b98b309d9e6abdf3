# SPDX-License-Identifier: Apache-2.0
"""The result document says what is so: about the machine, about the run, and about what was asked."""

import csv
import datetime
import json
import os
import re
import shutil
import signal
import socket
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from support import BUILD_ROOT, TIMEOUT_S, measuring_workers


def test_the_machine(ipcmark):
    system = ipcmark.measure("-m", "uds", "-i", 100, "--one-way")["metadata"]["system_info"]
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert system["memory_bytes"] == pytest.approx(memory_bytes, rel=0.01)
    assert system["memory_gb"] == pytest.approx(memory_bytes / 1e9, rel=0.01)
    assert system["compiler"] in system["rust_version"] and "not built with Rust" in system["rust_version"]
    assert system["cpu_cores"] == os.sysconf("SC_NPROCESSORS_ONLN")
    assert system["cpus_allowed"] == sorted(os.sched_getaffinity(0))
    assert system["kernel"] == os.uname().release
    assert system["architecture"] == os.uname().machine
    assert system["hostname"] == os.uname().nodename
    assert system["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert system["clock"]["source"] in ("tsc", "cntvct", "monotonic")
    assert 0 < system["clock"]["overhead_ns"] < 10_000
    assert system["clock"]["resolution_ns"] > 0


def test_the_run(ipcmark):
    before = datetime.datetime.now(datetime.UTC)
    clock = time.monotonic()
    document = ipcmark.measure("-m", "uds", "-s", 100, "-i", 2000, "-c", 2, "-w", 7)
    wall_s = time.monotonic() - clock
    after = datetime.datetime.now(datetime.UTC)
    result = document["results"][0]
    duration = result["test_duration"]
    took_s = duration["secs"] + duration["nanos"] * 1e-9
    window_s = sum(result[f"{name}_results"]["throughput"]["duration_ns"] for name in ("one_way", "round_trip")) * 1e-9
    assert window_s < took_s <= wall_s
    for text in (document["metadata"]["timestamp"], result["timestamp"], result["one_way_results"]["timestamp"]):
        assert before - datetime.timedelta(seconds=1) <= datetime.datetime.fromisoformat(text) <= after
    assert document["metadata"]["command_line"][1:8] == ["run", "-m", "uds", "-s", "100", "-i", "2000"]
    assert document["metadata"]["total_tests"] == len(document["results"]) == 1
    config = result["test_config"]
    assert (config["message_size"], config["msg_count"], config["concurrency"], config["warmup_iterations"]) == (
        100,
        2000,
        2,
        7,
    )
    assert result["summary"]["total_messages_sent"] == 4000
    assert result["summary"]["total_bytes_transferred"] == 4000 * 100
    assert result["summary"]["error_count"] == 0


def test_the_percentiles_are_those_that_were_asked(ipcmark):
    document = ipcmark.measure("-m", "uds", "-i", 500, "--percentiles", "12.5,90,99.99")
    result = document["results"][0]
    assert result["test_config"]["percentiles"] == [12.5, 90, 99.99]
    for name in ("one_way_results", "round_trip_results"):
        assert [entry["percentile"] for entry in result[name]["latency"]["percentiles"]] == [12.5, 90, 99.99]


def test_a_buffer_size_without_effect_is_not_reported_as_one(ipcmark):
    *with_it, without = ipcmark.measure("-m", "uds,shm,pmq", "-i", 100, "--buffer-size", "64K")["results"]
    assert [result["test_config"]["buffer_size"] for result in with_it] == [65536, 65536]
    assert without["test_config"]["buffer_size"] == 0
    *of_others, ignored = [
        [w for w in result["warnings"] if w["code"] == "buffer-size-ignored"] for result in (*with_it, without)
    ]
    assert of_others == [[], []]
    assert "'pmq'" in ignored[0]["cause"] and "64KiB" in ignored[0]["cause"]


def test_no_more_is_under_way_in_shared_memory_than_its_buffers_hold(ipcmark):
    """Little's law: the mean latency times the rate is what is under way on average."""
    for size in (16384, 1 << 20):
        run = ipcmark.measure("-m", "shm", "--one-way", "-s", "1K", "-d", "300ms", "--buffer-size", size)
        measured = run["results"][0]["one_way_results"]
        under_way_bytes = measured["latency"]["mean_ns"] / 1e9 * measured["throughput"]["bytes_per_second"]
        in_the_hands_of_both_sides = 2 * 1024
        assert under_way_bytes < 1.05 * (size + in_the_hands_of_both_sides)


def test_names_that_are_no_text_are_used_as_they_are_and_spoil_no_document(ipcmark):
    """A file name is bytes; the document is UTF-8."""
    folder = ipcmark.folder / os.fsdecode(b"mod\xffules")
    folder.mkdir()
    shutil.copy(BUILD_ROOT / "modules" / "uds" / "uds.so", folder)
    output = ipcmark.folder / os.fsdecode(b"r\xff.json")
    done = ipcmark("run", "-m", folder / "uds.so", "-i", 100, "-q", "-o", output)
    assert done.returncode == 0, done.stderr
    result = json.loads(output.read_bytes().decode("utf-8"))["results"][0]
    assert result["status"] == "Success" and result["module"]["path"].endswith("mod\ufffdules/uds.so")


def test_a_summary_is_of_one_direction(ipcmark, witness):
    """One-way is fast here and every reply slow: a mix of both directions would be seen at once."""
    document = ipcmark.measure(
        *witness.arguments(slow_endpoint=1, stall="3ms"), "-s", 64, "-i", 100, "-w", 2, "--percentiles", "95,99"
    )
    result = document["results"][0]
    directions = {"OneWay": result["one_way_results"], "RoundTrip": result["round_trip_results"]}
    assert directions["RoundTrip"]["latency"]["min_ns"] >= 3_000_000
    mechanism = document["summary"]["mechanisms"]["Witness"]
    for summary in (result["summary"], mechanism):
        latency = directions[summary["direction"]]["latency"]
        values = {entry["percentile"]: entry["value_ns"] for entry in latency["percentiles"]}
        assert summary["p95_latency_ns"] == values[95]
        assert summary["p99_latency_ns"] == values[99]
        assert summary["average_latency_ns"] == pytest.approx(latency["mean_ns"])


@pytest.mark.parametrize("mode", ["blocking", "asynchronous"])
def test_the_mode_is_the_one_that_ran(ipcmark, mode):
    """Seen from outside: four threads of a blocking worker, one of an asynchronous one."""
    run = ipcmark.start(
        *["run", "-m", "uds", "-s", 64, "-d", "1h", "-c", 4, "--round-trip", "-q", "-o", "r.json"],
        "--blocking" if mode == "blocking" else "--async",
    )
    workers = measuring_workers(run)
    assert workers, run.stderr.read()
    # As long as it takes each of eight threads to have its share of CPUs that others use too.
    threads = 4 if mode == "blocking" else 1
    deadline = time.monotonic() + TIMEOUT_S
    while (seen := [busy_threads(pid) for pid in workers]) != [threads, threads]:
        assert time.monotonic() < deadline, f"{seen} threads are at work"
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=TIMEOUT_S) == 128 + signal.SIGINT
    assert json.loads((ipcmark.folder / "r.json").read_text())["results"][0]["test_config"]["mode"] == mode


def busy_threads(pid):
    """How many threads have a share worth the name in the CPU time of a process; none before it has a second."""
    ticks = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        fields = stat.read_text().rsplit(")", 1)[1].split()
        ticks.append(int(fields[11]) + int(fields[12]))
    enough = sum(ticks) >= os.sysconf("SC_CLK_TCK")
    return sum(each > 0.05 * sum(ticks) for each in ticks) if enough else 0


def test_the_port_is_the_listener_s(ipcmark):
    """The connecting side has one of its own, another in each run."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    document = ipcmark.measure("-m", "tcp", "-i", 100, "--port", port)
    options = {option["name"]: option["value"] for option in document["results"][0]["module"]["options"]}
    assert options["port"] == str(port)


def test_what_a_module_chose_for_each_direction_is_told_of_each(ipcmark):
    """A stream has a large ring, a round trip one of what is under way."""

    def ring(*directions):
        result = ipcmark.measure("-m", "shm", "-i", 100, *directions)["results"][0]
        options = {option["name"]: option["value"] for option in result["module"]["options"]}
        return options["buffer-size"], result["test_config"]["buffer_size"]

    (stream, stream_bytes), (slots, slot_bytes) = ring("--one-way"), ring("--round-trip")
    assert stream_bytes > slot_bytes > 0
    assert ring() == (f"{stream} one-way, {slots} round trip", stream_bytes)


@pytest.mark.parametrize("mode", ["--blocking", "--async"])
def test_samples_carry_the_moment_at_which_they_were_sent(ipcmark, mode):
    """In a closed loop the end of one round trip is the beginning of the next."""
    ipcmark.measure("-m", "uds", mode, "-i", 1000, "--round-trip", "--streaming-output-csv", "s.csv")
    with (ipcmark.folder / "s.csv").open() as file:
        rows = [(int(row["timestamp_ns"]), int(row["round_trip_latency_ns"])) for row in csv.DictReader(file)]
    assert len(rows) == 1000
    rounding_ns = 3
    for (sent, latency), (next_sent, _) in pairwise(rows):
        assert abs(next_sent - sent - latency) <= rounding_ns


def test_samples_of_several_endpoints_and_results_can_be_told_apart(ipcmark):
    document = ipcmark.measure("-m", "uds,shm", "-c", "1,3", "-i", 60, "--streaming-output-ndjson", "s.ndjson")
    rows = [json.loads(line) for line in (ipcmark.folder / "s.ndjson").read_text().splitlines()]
    directions = ("one_way", "round_trip")
    found = defaultdict(list)
    for row in rows:
        (direction,) = (name for name in directions if row[f"{name}_latency_ns"] is not None)
        found[row["result"], direction, row["endpoint"]].append(row["message_id"])
        assert row["mechanism"] == document["results"][row["result"]]["mechanism"]
    assert len(document["results"]) == 4
    for number, result in enumerate(document["results"]):
        endpoints = result["test_config"]["concurrency"]
        for direction in directions:
            measured = [sorted(found.pop((number, direction, endpoint))) for endpoint in range(endpoints)]
            assert sum(map(len, measured)) == result[f"{direction}_results"]["latency"]["total_samples"]
            assert all(numbers == list(range(len(numbers))) for numbers in measured)
    assert not found


def test_a_row_of_csv_has_what_its_direction_ran_with(ipcmark):
    """A window is one of round trips, a batch one of a stream."""
    ipcmark.measure("-m", "uds", "-i", 500, "--window", 16, "--batch", 8, "--csv", "r.csv")
    with (ipcmark.folder / "r.csv").open() as file:
        rows = {row["direction"]: (row["window"], row["batch"]) for row in csv.DictReader(file)}
    assert sorted(rows.values()) == [("1", "8"), ("16", "1")]


def test_rows_of_csv_that_differ_in_an_option_alone_are_told_apart(ipcmark):
    tests = [{"module-option": [f"nodelay={value}"]} for value in ("true", "false")]
    suite = ipcmark.folder / "suite.json"
    suite.write_text(json.dumps({"mechanism": "tcp", "count": 200, "warmup": 10, "round-trip": True, "tests": tests}))
    done = ipcmark("run", "--suite", suite, "-q", "--csv", "r.csv")
    assert done.returncode == 0, done.stderr
    with (ipcmark.folder / "r.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["options"] for row in rows] == ["nodelay=true", "nodelay=false"]
    assert {(row["sent"], row["received"], row["duplicated"], row["corrupted"]) for row in rows} == {
        ("200", "200", "0", "0")
    }
    assert rows[0]["timestamp"] < rows[1]["timestamp"]


def test_the_table_has_the_percentiles_that_were_asked(ipcmark):
    table = ipcmark("run", "-m", "uds", "-i", 200, "--round-trip", "--percentiles", "90,99.99").stdout
    assert table.split("\n")[0].split() == ["mechanism", "direction", "size", "p90", "p99.99", "max", "msg/s", "MB/s"]


def test_a_warning_is_of_just_the_tests_that_it_names(ipcmark):
    """Two of three tests have a send delay, and all of its kind a warning for each direction."""
    tests = [{"concurrency": [1, 2], "send-delay": "10us"}, {"count": 100}]
    suite = ipcmark.folder / "suite.json"
    suite.write_text(json.dumps({"mechanism": "uds", "count": 50, "warmup": 10, "tests": tests}))
    table = " ".join(ipcmark("run", "--suite", suite).stdout.split())
    for direction in ("one-way", "round trip"):
        said = f"warning: {direction} of uds, 1 KiB, (.{{0,80}}): the throughput is what the send delay allows"
        (names,) = re.findall(said, table)
        assert "conc 1" in names and "conc 2" in names and "delay 10.0 us" in names
        assert "0 ns" not in names


def test_samples_that_are_missing_are_told_where_no_table_is(ipcmark):
    """A stream that is faster than its file, as this one is but under a sanitizer: the file itself does not show it."""
    done = ipcmark(
        *["run", "-m", "shm", "-s", 64, "-d", "500ms", "--one-way", "-q", "-o", "r.json"],
        *["--streaming-output-csv", "s.csv"],
    )
    assert done.returncode == 0
    measured = json.loads((ipcmark.folder / "r.json").read_text())["results"][0]["one_way_results"]
    with (ipcmark.folder / "s.csv").open() as file:
        missing = measured["latency"]["total_samples"] - (sum(1 for _ in file) - 1)
    told = re.search(r"shm, 64 bytes: one-way: (\d+) samples did not fit", done.stderr)
    assert missing == (int(told[1]) if told else 0)


def test_without_a_peer_one_side_alone_has_used_anything(ipcmark):
    """One thread plays both: its time is not counted twice."""
    result = ipcmark.measure("-m", "null", "-i", 300_000)["results"][0]
    for name in ("one_way_results", "round_trip_results"):
        server, client = result[name]["server"], result[name]["client"]
        assert client["cpu_time_ns"] > 0
        assert server["cpu_time_ns"] == 0
        assert server["cpus_used"] == []

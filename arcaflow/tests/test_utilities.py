#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Parsing of outputs, averages over runs, and the scripts as users call them."""

import csv
import json
import os
import subprocess
import sys
import unittest

from plugin_support import TIMEOUT_S, UTILS, PluginTest
from sample_documents import (
    direction,
    direction_summary,
    engine_output,
    ipcmark_document,
    ipcmark_result,
    rusty_document,
    rusty_result,
)

import documents
import parse_arcaflow_output as parse
import run_comprehensive

COLUMNS = [
    "test_type",
    "mode",
    "communication_method",
    "mechanism",
    "message_size",
    "total_messages_sent",
    "average_throughput_mb_s",
    "ow_min_ns",
    "ow_max_ns",
    "ow_mean_ns",
    "ow_p99_ns",
    "rt_min_ns",
    "rt_max_ns",
    "rt_mean_ns",
    "rt_p99_ns",
    "filename",
    "command",
]


def run(script: str, *arguments, **kwargs) -> subprocess.CompletedProcess:
    program = [str(UTILS / script)] if script.endswith(".sh") else [sys.executable, str(UTILS / "python" / script)]
    return subprocess.run(
        [*program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHON": sys.executable, **kwargs},
    )


class Parse(PluginTest):
    def write(self, text: str | dict, name: str = "run1.out"):
        path = self.folder / name
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    def rows(self, *results: dict) -> list[dict]:
        return parse.build_rows({"results": list(results)}, "arcaflow", "x")

    def test_columns(self):
        self.assertEqual(parse.CSV_COLUMNS, COLUMNS)

    def test_three_spellings_of_the_predecessor_and_ours(self):
        for document in (*map(rusty_document, documents.SPELLINGS), ipcmark_document()):
            for text in (engine_output(document), document):
                rows = parse.build_rows(documents.load(self.write(text)), "arcaflow", "x")
                self.assertEqual(len(rows), 1)
                self.assertEqual(rows[0]["average_throughput_mb_s"], 204.8)
                self.assertEqual((rows[0]["mechanism"], rows[0]["total_messages_sent"]), ("uds", 1000))
                self.assertEqual((rows[0]["ow_p99_ns"], rows[0]["rt_p99_ns"]), (10_000, 25_000))

    def test_what_the_plugin_prints_by_itself(self):
        import yaml

        text = yaml.safe_dump(
            {"output_id": "success", "output_data": ipcmark_document(), "debug_logs": "a\nb"}, sort_keys=False
        )
        self.assertEqual(len(documents.load(self.write(text))["results"]), 1)

    def test_output_of_a_sweep(self):
        import yaml

        items = [{"benchmark_result": ipcmark_document()} for _ in range(3)]
        text = yaml.safe_dump({"output_data": {"benchmark_results": items}}) + "output_id: success\n"
        self.assertEqual(len(documents.load(self.write(text))["results"]), 3)

    def test_log_lines_after_the_output(self):
        text = engine_output(ipcmark_document()) + "2026-01-02T03:04:09Z\tinfo\tdone\n"
        self.assertEqual(len(documents.load(self.write(text))["results"]), 1)

    def test_failures_are_left_out(self):
        failed = rusty_result(status={"Failure": "no"})
        also = rusty_result(status="Failure", failure_reason="no")
        self.assertEqual(len(self.rows(rusty_result(), failed, also)), 1)

    def test_methods_are_what_ran(self):
        config = ipcmark_result()["test_config"]
        for result, method in (
            # rusty-comms is asynchronous where nothing else is said, whatever its suites call that.
            (rusty_result(), "async"),
            (rusty_result(input_blocking=True), "blocking"),
            (rusty_result(input_blocking=False), "async"),
            (rusty_result(mechanism="SharedMemory", input_blocking=False, input_shm_direct=True), "shm-direct"),
            # Of a test with several mechanisms, which that input is noted on: only shm is direct, all are blocking.
            (rusty_result(input_blocking=False, input_shm_direct=True), "blocking"),
            (ipcmark_result(input_shm_direct=True), "blocking"),
            (ipcmark_result(test_config={**config, "mode": "asynchronous"}, input_blocking=True), "async"),
            (ipcmark_result(test_config={**config, "access": "direct"}), "shm-direct"),
        ):
            self.assertEqual(parse.communication_method(result), method)

    def test_types(self):
        config = rusty_result()["test_config"]
        for duration, kind in (
            (None, "iter"),
            ({"secs": 5, "nanos": 0}, "dur"),
            ({"secs": 0, "nanos": 5000}, "dur"),
            ({"secs": 0, "nanos": 0}, "iter"),
        ):
            self.assertEqual(
                self.rows(rusty_result(test_config={**config, "duration": duration}))[0]["test_type"], kind
            )

    def test_percentile_that_was_not_asked_comes_from_the_summary(self):
        result = ipcmark_result(round_trip_results=None)
        result["one_way_results"]["latency"]["percentiles"] = [{"percentile": 90.0, "value_ns": 5}]
        result["summary"].update(one_way=direction_summary(95, 99, 999), round_trip=None)
        (row,) = self.rows(result)
        self.assertEqual((row["ow_p99_ns"], row["rt_p99_ns"]), (99, ""))

    def test_a_low_throughput_is_not_0(self):
        """One byte a second, and a message of 16 in 50 ms."""
        for throughput in (1e-6, 0.00032, 12.3456):
            result = ipcmark_result()
            result["summary"]["average_throughput_mbps"] = throughput
            rows = self.rows(result)
            self.assertEqual(rows[0]["average_throughput_mb_s"], throughput)
            self.assertEqual(run_comprehensive.average_rows([rows, rows])[0]["average_throughput_mb_s"], throughput)
        rows[0]["average_throughput_mb_s"] = 0.00032
        self.assertIn(" 0.00032", parse.preview(rows))

    def test_third_party_mechanism_by_its_id(self):
        module = {**ipcmark_result()["module"], "id": "pipe"}
        self.assertEqual(self.rows(ipcmark_result(mechanism="NamedPipe", module=module))[0]["mechanism"], "pipe")

    def test_order(self):
        results = [
            rusty_result(mechanism=name, size=size, input_blocking=blocking)
            for name in ("PosixMessageQueue", "TcpSocket", "Other", "UnixDomainSocket")
            for size in (1024, 64)
            for blocking in (True, False)
        ]
        rows = self.rows(*results)
        parse.sort_rows(rows)
        found = [(row["mechanism"], row["communication_method"], row["message_size"]) for row in rows]
        expected = [
            (name, method, size)
            for name in ("uds", "tcp", "pmq", "Other")
            for method in ("async", "blocking")
            for size in (64, 1024)
        ]
        self.assertEqual(found, expected)

    def test_script(self):
        path = self.write(engine_output(ipcmark_document()))
        done = run("parse_arcaflow_output.py", "-i", path, "-m", "container")
        self.assertEqual(done.returncode, 0, done.stderr)
        with (self.folder / "run1.csv").open() as file:
            rows = list(csv.DictReader(file))
        self.assertEqual((rows[0]["mode"], rows[0]["filename"], list(rows[0])), ("container", "run1.out", COLUMNS))
        other = self.folder / "other.csv"
        self.assertEqual(run("parse_arcaflow_output.py", "-i", path, "-o", other).returncode, 0)
        self.assertTrue(other.exists())

    def test_a_mode_that_is_not_known_is_a_warning(self):
        for document, warned in ((rusty_document(), True), (ipcmark_document(), False)):
            done = run("parse_arcaflow_output.py", "-i", self.write(document, "doc.json"))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual("warning" in done.stderr and "--blocking" in done.stderr, warned, done.stderr)

    def test_in_a_pipe_that_ends_early(self):
        path = self.write(engine_output(ipcmark_document()))
        for script, arguments in (("parse_arcaflow_output.py", ["-i", path]), ("report.py", [path])):
            with self.subTest(script):
                target = self.folder / f"{script}.written"
                ended_reader, writer = os.pipe()
                os.close(ended_reader)
                with os.fdopen(writer, "wb") as stdout:
                    done = subprocess.run(
                        [sys.executable, str(UTILS / "python" / script), *map(str, arguments), "-o", str(target)],
                        stdout=stdout,
                        stderr=subprocess.PIPE,
                        timeout=TIMEOUT_S,
                    )
                self.assertEqual(done.stderr, b"")
                self.assertGreater(target.stat().st_size, 0)

    def test_bad_files_are_one_line_each(self):
        failed = engine_output({"error": "Test 1 timed out"}, "benchmark_error", "error")
        for text, words in (
            ("nothing here\n", "neither a result document nor an output"),
            ("{broken", "cannot be read"),
            ('{"results": 3}', "no list of results"),
            ("output_data:\n  a: [\n", "cannot be read"),
            (failed, "the run failed: Test 1 timed out"),
            (engine_output(rusty_document(results=[])), "no result succeeded"),
        ):
            with self.subTest(words):
                done = run("parse_arcaflow_output.py", "-i", self.write(text))
                self.assertEqual(done.returncode, 1)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn("cannot be read", run("parse_arcaflow_output.py", "-i", self.folder / "none").stderr)


class Average(PluginTest):
    def setUp(self) -> None:
        super().setUp()
        self.out = self.folder / "out"
        self.csv = self.folder / "averaged.csv"
        self.documents = []
        for number, mean in enumerate((4000.0, 6000.0), start=1):
            result = ipcmark_result()
            result["one_way_results"] = direction("OneWay", mean, 100_000.0)
            path = self.folder / f"document{number}.out"
            path.write_text(engine_output(ipcmark_document([result])))
            self.documents.append(path)

    def averaged(self) -> list[dict]:
        with self.csv.open() as file:
            return list(csv.DictReader(file))

    def engine(self, script: str):
        path = self.folder / "arcaflow"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return path

    def test_runs_and_averages(self):
        counter = self.folder / "counter"
        engine = self.engine(f'echo x >> {counter}; cat {self.folder}/document$(wc -l < {counter}).out; echo "$@" >&2')
        done = run("run_comprehensive.py", "-n", 2, "-o", self.csv, "--engine", engine, "--out-dir", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        row = self.averaged()[0]
        self.assertEqual((row["ow_mean_ns"], row["filename"]), ("5000", "avg_2_runs"))
        said = (self.out / "run1.out").read_text()
        for words in ("--input", "comprehensive-ipcmark-testing.yaml", "--config", "--workflow"):
            self.assertIn(words, said)

    def test_skip_runs(self):
        self.out.mkdir()
        for number, path in enumerate(self.documents, start=1):
            path.rename(self.out / f"run{number}.out")
        for script in ("run_comprehensive.py", "run_benchmarks.sh"):
            skip = "--skip" if script.endswith(".sh") else "--skip-runs"
            done = run(script, skip, "-o", self.csv, "--out-dir", self.out)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.averaged()[0]["ow_mean_ns"], "5000")
            self.csv.unlink()

    def test_failures_are_named(self):
        options = ("-o", self.csv, "--out-dir", self.out)
        for arguments, words in (
            (("--skip-runs",), "no run*.out"),
            (("--engine", "/nowhere/arcaflow"), "the Arcaflow engine was not found (/nowhere/arcaflow)"),
            (("--engine", self.engine("echo broken; exit 3")), "run 1: the engine exited with code 3"),
            (("-n", 0), "must be at least 1"),
        ):
            with self.subTest(words):
                done = run("run_comprehensive.py", *arguments, *options)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(words, done.stderr)
                self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(run("run_benchmarks.sh", "many").returncode, 2)

    def test_different_tests_are_not_mixed(self):
        """As the command tells them apart, with every option that was given."""
        buffers = []
        for size in (8192, 1 << 20):
            options = [{"name": "buffer-size", "value": str(2 * size), "given": True}]
            buffers.append(ipcmark_result(module={**ipcmark_result()["module"], "options": options}))
            buffers[-1]["test_config"]["buffer_size"] = size
        one_way = ipcmark_result()
        one_way["test_config"]["round_trip_enabled"] = False
        different = [ipcmark_result(), one_way, *buffers]
        runs = [parse.build_rows({"results": [result]}, "a", "f") for result in [*different, *different]]
        averaged = run_comprehensive.average_rows(runs)
        self.assertEqual([row["filename"] for row in averaged], len(different) * ["avg_2_runs"])


if __name__ == "__main__":
    unittest.main()

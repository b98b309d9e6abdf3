#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the comprehensive suite several times on the Arcaflow engine and writes a CSV of the averages."""

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import console
import documents
from digits import significant
from parse_arcaflow_output import CSV_COLUMNS, build_rows, sort_rows, write_csv

PLUGIN_ROOT = Path(__file__).resolve().parents[2]
OUT = PLUGIN_ROOT / "utils" / "out"
INPUT = PLUGIN_ROOT / "comprehensive-ipcmark-testing.yaml"

AVERAGED = ["total_messages_sent", "average_throughput_mb_s", *(name for name in CSV_COLUMNS if name.endswith("_ns"))]
# Runs with the same values here measured the same thing.
IDENTITY = ["test_type", "mode", "communication_method", "mechanism", "message_size", "command"]


def find_engine(named: str | None) -> str | None:
    """The engine: as named, or arcaflow beside the workflow (as in the published plugin), or on PATH."""
    beside = PLUGIN_ROOT / "arcaflow"
    candidates = [named] if named else [str(beside), "arcaflow"]
    return next((found for found in map(shutil.which, candidates) if found), None)


def run_engine(engine: str, arguments: argparse.Namespace, output: Path) -> int:
    """One run. Returns the exit code of the engine; its output goes to a file."""
    command = [engine, "--input", arguments.input, "--config", arguments.config, "--workflow", arguments.workflow]
    partial = output.with_name(output.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        ended = subprocess.run([str(part) for part in command], stdout=file, stderr=subprocess.STDOUT, cwd=PLUGIN_ROOT)
    partial.replace(output)
    return ended.returncode


def average_rows(runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One row for each thing that was measured, with the mean of every figure over the runs that have it."""
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for rows in runs:
        for row in rows:
            groups.setdefault(tuple(row[name] for name in IDENTITY), []).append(row)
    return [_average(rows) for rows in groups.values()]


def _average(rows: list[dict[str, Any]]) -> dict[str, Any]:
    averaged = {**rows[0], "filename": f"avg_{len(rows)}_runs"}
    for name in AVERAGED:
        values = [float(row[name]) for row in rows if row[name] not in ("", None)]
        averaged[name] = _rounded(name, statistics.fmean(values)) if values else ""
    return averaged


def _rounded(name: str, mean: float) -> float:
    """Counts and nanoseconds are whole."""
    return significant(mean) if name == "average_throughput_mb_s" else round(mean)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", "-n", type=int, default=5, help="runs of the suite; default: %(default)s")
    parser.add_argument("--skip-runs", action="store_true", help="only average the outputs in utils/out")
    parser.add_argument("--output", "-o", type=Path, default=OUT / "comprehensive_averaged.csv", help="the CSV")
    parser.add_argument("--input", type=Path, default=INPUT, help="the suite; default: %(default)s")
    parser.add_argument("--config", type=Path, default=PLUGIN_ROOT / "config.yaml", help="settings of the engine")
    parser.add_argument("--workflow", type=Path, default=PLUGIN_ROOT / "workflow.yaml", help="the workflow")
    parser.add_argument("--engine", help="the program arcaflow; default: beside the workflow, or on PATH")
    parser.add_argument("--out-dir", type=Path, default=OUT, help="where the outputs of the runs are kept")
    arguments = parser.parse_args()
    if arguments.iterations < 1:
        parser.error(f"--iterations {arguments.iterations}: must be at least 1")
    try:
        arguments.out_dir.mkdir(parents=True, exist_ok=True)
        outputs = _existing(arguments) if arguments.skip_runs else _run_all(arguments)
        runs = []
        for path in outputs:
            rows = build_rows(documents.load(path), "arcaflow", path.name)
            print(f"{path.name}: {len(rows)} results")
            runs.append(rows)
        averaged = average_rows(runs)
        sort_rows(averaged)
        write_csv(averaged, arguments.output)
    except (documents.NoResults, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(averaged)} averages over {len(runs)} runs written to {arguments.output}")
    return 0


def _existing(arguments: argparse.Namespace) -> list[Path]:
    found = sorted(arguments.out_dir.glob("run*.out"))
    if not found:
        raise documents.NoResults(f"{arguments.out_dir}: no run*.out in it; run without --skip-runs first")
    return found


def _run_all(arguments: argparse.Namespace) -> list[Path]:
    engine = find_engine(arguments.engine)
    if engine is None:
        raise documents.NoResults(
            f"the Arcaflow engine was not found ({arguments.engine or 'arcaflow'}); put it on PATH or give --engine"
        )
    for stale in arguments.out_dir.glob("run*.out"):  # of an earlier call: --skip-runs must not mix them in
        stale.unlink()
    outputs = []
    for number in range(1, arguments.iterations + 1):
        output = arguments.out_dir / f"run{number}.out"
        begin = time.monotonic()
        print(f"run {number} of {arguments.iterations} …", flush=True)
        code = run_engine(engine, arguments, output)
        if code != 0:
            raise documents.NoResults(f"run {number}: the engine exited with code {code}; see {output}")
        print(f"  {time.monotonic() - begin:.0f} s")
        outputs.append(output)
    return outputs


if __name__ == "__main__":
    console.end_quietly_with_the_reader()
    sys.exit(main())

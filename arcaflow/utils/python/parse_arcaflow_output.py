#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a CSV with one line for each result in an output of the Arcaflow engine, or in a result document."""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import console
import documents
from digits import decimal_text, significant
from rerun import command

CSV_COLUMNS = [
    "test_type",
    "mode",
    "communication_method",
    "mechanism",
    "message_size",
    "total_messages_sent",
    "average_throughput_mb_s",
    *(f"{direction}_{figure}_ns" for direction in ("ow", "rt") for figure in ("min", "max", "mean", "p99")),
    "filename",
    "command",
]
MECHANISM_ORDER = ["uds", "tcp", "shm", "pmq"]
METHOD_ORDER = ["async", "blocking", "shm-direct"]
TYPE_ORDER = ["iter", "dur"]


def build_rows(document: dict[str, Any], mode: str, filename: str) -> list[dict[str, Any]]:
    """One row for each result that succeeded."""
    return [_row(result, mode, filename) for result in document["results"] if documents.failure_of(result) is None]


def _row(result: dict[str, Any], mode: str, filename: str) -> dict[str, Any]:
    config = result.get("test_config") or {}
    one_way, round_trip = (result.get(name) or {} for name in ("one_way_results", "round_trip_results"))
    return {
        "test_type": "dur" if documents.duration_ns(config) else "iter",
        "mode": mode,
        "communication_method": communication_method(result),
        "mechanism": documents.mechanism_of(result),
        "message_size": config.get("message_size", ""),
        "total_messages_sent": (one_way or round_trip).get("throughput", {}).get("total_messages", ""),
        "average_throughput_mb_s": _throughput(result),
        **_latency_columns(result, "one_way", "ow"),
        **_latency_columns(result, "round_trip", "rt"),
        "filename": filename,
        "command": command(result),
    }


def _throughput(result: dict[str, Any]) -> float | str:
    value = documents.throughput_mb_s(result.get("summary") or {})
    return "" if value is None else significant(value)


def communication_method(result: dict[str, Any]) -> str:
    """async, blocking or shm-direct: as it ran."""
    if documents.is_direct(result):
        return "shm-direct"
    return "blocking" if documents.is_blocking(result) else "async"


def _latency_columns(result: dict[str, Any], direction: str, prefix: str) -> dict[str, Any]:
    latency = (result.get(f"{direction}_results") or {}).get("latency") or {}
    figures = {name: latency.get(f"{name}_ns") for name in ("min", "max", "mean")}
    figures["p99"] = documents.percentiles(result, direction).get(99)
    return {f"{prefix}_{name}_ns": _or_empty(_rounded(value)) for name, value in figures.items()}


def _rounded(nanoseconds: float | None) -> float | None:
    """To no more digits than any measurement has."""
    return None if nanoseconds is None else round(nanoseconds, 1)


def _or_empty(value: Any) -> Any:
    return "" if value is None else value


def sort_rows(rows: list[dict[str, Any]]) -> None:
    """By type, mechanism, method and size."""

    def place(order: list[str], value: str) -> tuple[int, str]:
        return (order.index(value), "") if value in order else (len(order), value)

    rows.sort(
        key=lambda row: (
            place(TYPE_ORDER, row["test_type"]),
            place(MECHANISM_ORDER, row["mechanism"]),
            place(METHOD_ORDER, row["communication_method"]),
            int(row["message_size"] or 0),
        )
    )


def write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    """Whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, CSV_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)


def preview(rows: list[dict[str, Any]], lines: int = 15) -> str:
    """The first rows as a table."""
    columns = ["test_type", "communication_method", "mechanism", "message_size", "average_throughput_mb_s"]
    columns += ["ow_mean_ns", "ow_p99_ns", "rt_mean_ns", "rt_p99_ns"]
    cells = [columns, *([_cell(row[column]) for column in columns] for row in rows[:lines])]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    text = "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
    return text + (f"\n… and {len(rows) - lines} more" if len(rows) > lines else "")


def _cell(value: Any) -> str:
    return decimal_text(value, 1) if isinstance(value, float) else str(value) or "-"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", "-i", required=True, type=Path, help="output of the engine, or a result document")
    parser.add_argument("--output", "-o", type=Path, help="the CSV; default: the input's name with .csv")
    parser.add_argument("--mode", "-m", default="arcaflow", help="what the column mode says; default: %(default)s")
    arguments = parser.parse_args()
    source = arguments.input.expanduser()
    target = (arguments.output or source.with_suffix(".csv")).expanduser()
    try:
        document = documents.load(source)
        rows = build_rows(document, arguments.mode, source.name)
        if not rows:
            raise documents.NoResults(f"{source}: no result succeeded")
        if not documents.says_its_modes(document):
            print(f"warning: {source}: {documents.MODE_UNSAID}", file=sys.stderr)
        sort_rows(rows)
        write_csv(rows, target)
    except (documents.NoResults, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(rows)} results written to {target}\n\n{preview(rows)}")
    return 0


if __name__ == "__main__":
    console.end_quietly_with_the_reader()
    sys.exit(main())

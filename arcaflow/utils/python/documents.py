# SPDX-License-Identifier: Apache-2.0
"""Reads results from wherever they are: result documents and outputs of the engine, of ipcmark and of rusty-comms."""

import json
from pathlib import Path
from typing import Any

import yaml

# The three spellings that rusty-comms has had for 10^6 bytes a second.
SPELLINGS = ("mbps", "mb_s", "megabytes_per_sec")
SHORT_NAMES = {"UnixDomainSocket": "uds", "TcpSocket": "tcp", "SharedMemory": "shm", "PosixMessageQueue": "pmq"}


class NoResults(Exception):
    """The message says what the file is instead."""


def load(path: Path) -> dict[str, Any]:
    """The result document in a file: JSON, or what the engine or the plugin printed. Raises NoResults."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NoResults(f"{path}: cannot be read: {error}") from error
    try:
        found = _document_in(_parse(text, path), path)
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise NoResults(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(found.get("results"), list):
        raise NoResults(f"{path}: has no list of results")
    return found


def _parse(text: str, path: Path) -> Any:
    if text.lstrip().startswith("{"):
        return json.loads(text)
    lines = text.splitlines(keepends=True)
    begin = next((i for i, line in enumerate(lines) if line.startswith(("output_data:", "output_id:"))), None)
    if begin is None:
        if any(line.startswith("metadata:") for line in lines):
            return yaml.safe_load(text)
        raise NoResults(f"{path}: neither a result document nor an output of the engine (no 'output_data:')")
    # Log lines of the engine come before, and may come after.
    end = begin + 1
    while end < len(lines) and (lines[end][:1] in " \n" or lines[end].startswith(("output_", "debug_logs:"))):
        end += 1
    return yaml.load("".join(lines[begin:end]), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _document_in(data: Any, path: Path) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise NoResults(f"{path}: holds no results")
    output = data.get("output_data", data)
    if isinstance(output, dict):
        for error in (output.get("benchmark_error"), output):
            if isinstance(error, dict) and isinstance(error.get("error"), str):
                raise NoResults(f"{path}: the run failed: {error['error']}")
        # The published workflow calls it benchmark_result; other workflows may call it anything.
        for candidate in (output, output.get("benchmark_result"), *output.values()):
            if isinstance(candidate, dict) and "results" in candidate:
                return candidate
            if isinstance(candidate, list):  # of a workflow with foreach
                parts = [_document_in(item, path) for item in candidate]
                if parts:
                    return {**parts[0], "results": [result for part in parts for result in part["results"]]}
    raise NoResults(f"{path}: holds no results")


def throughput_mb_s(summary: dict[str, Any], which: str = "average") -> float | None:
    """10^6 bytes a second, under whichever of its names. `which`: average or peak."""
    for spelling in SPELLINGS:
        value = summary.get(f"{which}_throughput_{spelling}")
        if value is not None:
            return value
    return None


def failure_of(result: dict[str, Any]) -> str | None:
    """Why a result is a failure, or None where it is a success."""
    status = result.get("status")
    if status == "Success":
        return None
    if isinstance(status, dict):
        return str(status.get("Failure", status))
    return str(result.get("failure_reason") or status)


def mechanism_of(result: dict[str, Any]) -> str:
    """uds, tcp, shm, pmq, or the id of another module."""
    name = result.get("mechanism", "unknown")
    return SHORT_NAMES.get(name) or (result.get("module") or {}).get("id") or name


_IN_SUMMARY = {50.0: "p50_latency_ns", 95.0: "p95_latency_ns", 99.0: "p99_latency_ns", 99.9: "p999_latency_ns"}


def percentiles(result: dict[str, Any], direction: str) -> dict[float, int]:
    """Those that were asked for, and those that the summary of that direction has anyway.

    `direction`: one_way or round_trip.
    """
    latency = (result.get(f"{direction}_results") or {}).get("latency")
    if not latency:
        return {}
    summary = (result.get("summary") or {}).get(direction) or {}
    found = {percentile: summary[name] for percentile, name in _IN_SUMMARY.items() if summary.get(name) is not None}
    return found | {float(entry["percentile"]): entry["value_ns"] for entry in latency.get("percentiles") or []}


def is_direct(result: dict[str, Any]) -> bool:
    """Written and read in place: as it ran; where nothing says that, as it was asked for, which is for shm only."""
    access = (result.get("test_config") or {}).get("access")
    if access is not None:
        return access == "direct"
    return bool(result.get("input_shm_direct")) and mechanism_of(result) == "shm"


def is_blocking(result: dict[str, Any]) -> bool:
    """As it ran; asynchronous, the default of rusty-comms, where nothing says it (see says_its_modes)."""
    mode = (result.get("test_config") or {}).get("mode")
    if mode is not None:
        return mode == "blocking"
    # Of the predecessor's run with --shm-direct all mechanisms are blocking.
    return bool(result.get("input_blocking") or result.get("input_shm_direct"))


def says_its_modes(document: dict[str, Any]) -> bool:
    """Whether it is known of all results if they are blocking.

    ipcmark writes it down, and the plugin of rusty-comms notes its input in outputs, which have aggregates. rusty-comms
    itself leaves no trace of --blocking in a document.
    """
    return "iteration_aggregates" in document or all(
        "mode" in (result.get("test_config") or {}) or any(name.startswith("input_") for name in result)
        for result in document["results"]
    )


MODE_UNSAID = "does not say whether it was measured with --blocking; taken as asynchronous, the default of rusty-comms"


def duration_ns(config: dict[str, Any]) -> int | None:
    """Of a run by duration; None of a run by count."""
    duration = config.get("duration")
    if isinstance(duration, dict):
        return int(duration.get("secs", 0)) * 10**9 + int(duration.get("nanos", 0)) or None
    if isinstance(duration, int | float):
        return int(duration * 1e9) or None
    return None

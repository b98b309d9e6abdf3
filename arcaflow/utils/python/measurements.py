# SPDX-License-Identifier: Apache-2.0
"""Result documents as a flat list of what was measured in one direction, for plots and tables."""

import re
from dataclasses import dataclass, field
from typing import Any

import axes
import documents
from asked import BUFFERS, options_asked

# Where the two ends meet changes no figure, and is the system's choice where the one given is 0.
_ADDRESSES = ("port", "path")

DIRECTIONS = {"one_way": "One way", "round_trip": "Round trip"}


@dataclass
class Measurement:
    """One direction of one result. Times in nanoseconds."""

    source: str  # which of the documents
    mechanism: str
    direction: str  # a key of DIRECTIONS
    size: int
    concurrency: int
    method: str  # blocking, async or direct
    offered_rate: float | None  # messages a second, of an open loop
    details: dict[str, str]  # every other input that is not as usual
    latency: dict[str, Any]
    messages_per_second: float
    bytes_per_second: float
    histogram: list[tuple[int, int, int]] = field(default_factory=list)  # lowest, highest, count
    halvings: list[int] = field(default_factory=list)  # values at the quantiles 0, 1/2, 3/4, 7/8, …, 1
    percentiles: dict[float, int] = field(default_factory=dict)  # what the document has of them
    reached: bool = True  # false: an open loop that could not keep to its rate

    @property
    def megabytes_per_second(self) -> float:
        return self.bytes_per_second / 1e6

    def key(self) -> tuple:
        """The same for measurements of the same thing in different documents."""
        return (
            self.mechanism,
            self.direction,
            self.size,
            self.concurrency,
            self.method,
            self.offered_rate,
            tuple(sorted(self.details.items())),
        )

    def label(self) -> str:
        """What it is, in few words, without the document."""
        return f"{self.mechanism} {self.setting()}"

    def setting(self, *without: str) -> str:
        """What it is but for the mechanism and, as `without` says, size, concurrency or rate."""
        parts = [] if "size" in without else [size_text(self.size)]
        parts.append(self.method)
        parts += [f"×{self.concurrency}"] if "concurrency" not in without and self.concurrency != 1 else []
        parts += [f"{self.offered_rate:,.0f}/s"] if "rate" not in without and self.offered_rate else []
        return " ".join(parts + [f"{name} {value}" for name, value in sorted(self.details.items())])

    def streams(self) -> bool:
        """One way, as fast as the transport takes the messages."""
        paced = self.offered_rate or any(name.startswith("delay") for name in self.details)
        return self.direction == "one_way" and not paced

    def percentile(self, asked: float) -> float | None:
        """Of those that the document has, else of the histogram."""
        reported = self.percentiles.get(asked)
        if reported is not None or not self.histogram:
            return reported
        remaining = sum(count for _, _, count in self.histogram) * asked / 100
        for _lowest, highest, count in self.histogram:
            remaining -= count
            if remaining <= 0:
                return min(highest, self.latency["max_ns"])
        return self.latency["max_ns"]

    def curve(self) -> list[tuple[float, float]]:
        """(percentile, latency), rising, as fine as the document allows."""
        if self.histogram:
            total = sum(count for _, _, count in self.histogram)
            seen, points = 0, [(0.0, float(self.latency["min_ns"]))]
            for _lowest, highest, count in self.histogram:
                seen += count
                if seen < total:  # a percentile of 100 has no place on this axis
                    points.append((100 * seen / total, float(highest)))
            return [*points, (points[-1][0], float(self.latency["max_ns"]))]
        points = {percentile: float(value) for percentile, value in self.percentiles.items()}
        points[0.0] = float(self.latency["min_ns"])
        points |= {100 * (1 - 0.5**i): float(value) for i, value in enumerate(self.halvings[:-1])}
        return sorted(points.items())


def size_text(size: int) -> str:
    """1 KiB for 1024."""
    for unit, name in ((2**20, "MiB"), (2**10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def measurements_of(document: dict[str, Any], source: str) -> list[Measurement]:
    """Everything in a document that has figures."""
    found = []
    files: dict[str, set[str]] = {}
    for result in document["results"]:
        files.setdefault(documents.mechanism_of(result), set()).add(_file_of(result))
    for result in document["results"]:
        if documents.failure_of(result) is not None:
            continue
        for direction in DIRECTIONS:
            metrics = result.get(f"{direction}_results")
            if metrics and metrics.get("latency") and metrics.get("throughput"):
                found.append(_measurement(result, direction, metrics, source))
                # Only then: in another document, the same module may have another place.
                if len(files[documents.mechanism_of(result)]) > 1:
                    found[-1].details["module"] = _file_of(result)
                if str((document.get("metadata") or {}).get("format", "")).startswith("ipcmark"):
                    found[-1].halvings = metrics["latency"].get("histogram_data") or []
    return found


def _file_of(result: dict[str, Any]) -> str:
    """The file of its module, and which version that is."""
    module = result.get("module") or {}
    return f"{module.get('path', '')} {module.get('version', '')}".strip()


def _measurement(result: dict[str, Any], direction: str, metrics: dict[str, Any], source: str) -> Measurement:
    config = result.get("test_config") or {}
    direct, blocking = documents.is_direct(result), documents.is_blocking(result)
    return Measurement(
        source=source,
        mechanism=documents.mechanism_of(result),
        direction=direction,
        size=int(config.get("message_size", 0)),
        concurrency=int(config.get("concurrency", 1)),
        method="direct" if direct else "blocking" if blocking else "async",
        offered_rate=config.get("rate_per_second"),
        details=_details(result, config),
        latency=metrics["latency"],
        messages_per_second=metrics["throughput"]["messages_per_second"],
        bytes_per_second=metrics["throughput"]["bytes_per_second"],
        histogram=[tuple(bucket) for bucket in metrics["latency"].get("histogram") or []],
        percentiles=documents.percentiles(result, direction),
        reached=not any(
            check.get("id") in ("offered-rate", "delivered-rate") and check.get("verdict") == "suspicious"
            for check in metrics.get("audit") or []
        ),
    )


def _details(result: dict[str, Any], config: dict[str, Any]) -> dict[str, str]:
    """What is not as usual."""
    usual = {"wait_policy": "block", "window": 1, "batch": 1, "server_cpus": [], "client_cpus": []}
    names = {"wait_policy": "wait", "server_cpus": "server on", "client_cpus": "client on"}
    details = {
        names.get(name, name): ",".join(map(str, config[name])) if isinstance(config[name], list) else str(config[name])
        for name, value in usual.items()
        if config.get(name, value) not in (value, None)
    }
    if config.get("send_delay_ns"):
        details["delay"] = axes.time_text(config["send_delay_ns"])
    elif "send_delay_ns" not in config and result.get("input_send_delay"):
        details["delay"] = re.sub(r"(?<=\d)(?=[a-z])", " ", str(result["input_send_delay"])).replace("us", "µs")
    clock = (result.get("system_info") or {}).get("clock") or {}
    if clock.get("reason") == "asked for":
        details["clock"] = clock["source"]
    if (result.get("module") or {}).get("checked"):
        details["checked"] = "by --debug-module"
    for name, value in options_asked(result).items():
        if name not in _ADDRESSES:
            details[name] = size_text(int(value)) if name in BUFFERS else value
    return details


def label_of(result: dict[str, Any]) -> str:
    """What a result is, in few words, also where nothing was measured."""
    nothing = {"latency": {}, "throughput": {"messages_per_second": 0.0, "bytes_per_second": 0.0}}
    return _measurement(result, "one_way", nothing, "").label()

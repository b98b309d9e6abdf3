# SPDX-License-Identifier: Apache-2.0
"""From a result to the command that measures the same again."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import documents
from asked import options_asked

# What both programs report where nothing is said.
_USUAL_PERCENTILES = [50.0, 95.0, 99.0, 99.9]
# Options that have a flag of their own, which both programs know.
_FLAGS = {"host": "--host", "port": "--port", "priority": "--pmq-priority"}
# Where modules are found without being asked for: in an installation, and in a build tree.
_USUAL_MODULE = re.compile(r"/ipcmark/modules-\d+/[^/]+$|/modules/([^/]+)/\1\.so$")


def command(result: dict[str, Any]) -> str:
    """By what ran, as test_config says; where that does not, by what the plugin was asked for."""
    config = result.get("test_config") or {}
    parts = ["ipc-benchmark", "-m", _mechanism(result, config), "-s", str(config.get("message_size", ""))]
    return shlex.join(
        [*parts, *_length(config), *_mode(result, config), *_load(result, config), *_rest(result, config)]
    )


def _mechanism(result: dict[str, Any], config: dict[str, Any]) -> str:
    """Its id, or the file, where it was asked for by that."""
    path = (result.get("module") or {}).get("path")
    return path if path and "/" in (config.get("mechanism_id") or "") else documents.mechanism_of(result)


def _length(config: dict[str, Any]) -> Iterator[str]:
    nanoseconds = documents.duration_ns(config)
    if nanoseconds:
        yield from ("-d", _time(nanoseconds))
    elif config.get("msg_count") is not None:
        yield from ("-i", str(config["msg_count"]))
    if config.get("warmup_iterations") is not None:
        yield from ("-w", str(config["warmup_iterations"]))
    if config.get("first_message") == "keep":
        yield "--include-first-message"
    if config.get("timeout_ns"):
        yield from ("--timeout", _time(config["timeout_ns"]))


def _mode(result: dict[str, Any], config: dict[str, Any]) -> Iterator[str]:
    concurrency = config.get("concurrency") or result.get("input_concurrency") or 1
    if concurrency > 1:
        yield from ("-c", str(concurrency))
    if documents.is_blocking(result):
        yield "--blocking"
    if documents.is_direct(result):
        yield "--shm-direct" if documents.mechanism_of(result) == "shm" else "--direct"
    one_way, round_trip = (
        config.get(f"{direction}_enabled", result.get(f"input_{direction}")) for direction in ("one_way", "round_trip")
    )
    if bool(one_way) != bool(round_trip):  # both are measured where neither is said
        yield "--one-way" if one_way else "--round-trip"


def _load(result: dict[str, Any], config: dict[str, Any]) -> Iterator[str]:
    if config.get("send_delay_ns"):
        yield from ("--send-delay", _time(config["send_delay_ns"]))
    elif "send_delay_ns" not in config and result.get("input_send_delay"):
        yield from ("--send-delay", result["input_send_delay"])
    if config.get("rate_per_second"):
        yield from ("--rate", f"{config['rate_per_second']:.12g}")
    for field in ("window", "batch"):
        if (config.get(field) or 1) > 1:
            yield from (f"--{field}", str(config[field]))


def _rest(result: dict[str, Any], config: dict[str, Any]) -> Iterator[str]:
    wait = config.get("wait_policy", "block")
    if wait != "block":
        yield from ("--wait", f"{wait}:{_time(config['spin_ns'])}" if wait == "adaptive" else wait)
    for side in ("server", "client"):
        if config.get(f"{side}_cpus"):
            yield from (f"--{side}-affinity", ",".join(map(str, config[f"{side}_cpus"])))
    for name, value in sorted(options_asked(result).items()):
        if name == "buffer-size" and str(config.get("buffer_size")) == value:
            yield from ("--buffer-size", value)
        else:
            yield from (_FLAGS[name], value) if name in _FLAGS else ("-O", f"{name}={value}")
    percentiles = config.get("percentiles") or _USUAL_PERCENTILES
    if percentiles != _USUAL_PERCENTILES:
        yield from ("--percentiles", *(f"{each:.12g}" for each in percentiles))
    clock = (result.get("system_info") or {}).get("clock") or {}
    if clock.get("reason") == "asked for":
        yield from ("--clock", clock["source"])
    module = result.get("module") or {}
    path = module.get("path") or ""
    if path and "/" not in (config.get("mechanism_id") or "") and not _USUAL_MODULE.search(path):
        yield from ("--module-path", path.rpartition("/")[0] or "/")
    if module.get("checked"):
        yield "--debug-module"


def _time(nanoseconds: int) -> str:
    """1.5s for 1500000000, exactly."""
    for unit, name in ((10**9, "s"), (10**6, "ms"), (10**3, "us")):
        if nanoseconds >= unit and nanoseconds % (unit // 10) == 0:
            return f"{nanoseconds / unit:.12g}{name}"
    return f"{nanoseconds}ns"

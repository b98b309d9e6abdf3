# SPDX-License-Identifier: Apache-2.0
"""Where and how a document was measured, as lines for a table."""

from typing import Any

# Said better by another field.
_LEFT_OUT = {"memory_bytes", "boot_id"}
_NAMES = {
    "os": "system",
    "cpu_cores": "CPUs online",
    "cpu_model": "CPU model",
    "cpus_allowed": "CPUs allowed",
    "memory_gb": "memory",
    "memory_limit_bytes": "memory limit",
    "cpu_limit": "CPU limit",
    "numa_nodes": "NUMA nodes",
    "governor": "frequency governor",
    "benchmark_version": "benchmark version",
    "clock frequency_hz": "clock frequency",
    "clock overhead_ns": "clock: cost of a reading",
    "clock resolution_ns": "clock: smallest step",
    "clock reason": "clock: why this one",
}


def environment_of(document: dict[str, Any]) -> dict[str, str]:
    """Names and values, with units."""
    metadata = document.get("metadata") or {}
    found = _system(metadata.get("system_info") or {})
    # Of the other of two machines, in what it differs; its clock has timed nothing.
    for name, value in _system(metadata.get("server_system_info") or {}).items():
        if not name.startswith("clock") and value != found.get(name):
            found[f"server: {name}"] = value
    if metadata.get("control_address"):
        found["connected to"] = metadata["control_address"]
    found["began"] = str(metadata.get("timestamp", ""))
    command = " ".join(metadata.get("command_line") or [])
    if command:
        several = len({result.get("input_test") for result in document["results"]}) > 1
        found["command of the first test" if several else "command"] = command
    return found


def _system(system: dict[str, Any]) -> dict[str, str]:
    return {
        _NAMES.get(name, name.replace("_", " ")): _value(name, value)
        for name, value in _flat(system).items()
        if name not in _LEFT_OUT and not (name == "rust_version" and "compiler" in system)
    }


def _value(name: str, value: Any) -> str:
    if name == "memory_gb":
        return f"{value:.1f} GB"
    if name == "memory_limit_bytes":
        return f"{value / 1e9:.1f} GB"
    if name == "cpu_limit":
        return f"{value:g} CPUs"
    if name.endswith("_hz"):
        return f"{value / 1e6:,.1f} MHz"
    if name.endswith("_ns"):
        return f"{value:.1f} ns"
    if value == "":
        return "not readable"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, item in value.items():
        if isinstance(item, dict):
            flat.update(_flat(item, f"{prefix}{name} "))
        elif item is not None:
            flat[prefix + name] = item
    return flat

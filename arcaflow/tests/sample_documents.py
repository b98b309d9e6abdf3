# SPDX-License-Identifier: Apache-2.0
"""Small result documents: of ipcmark's own format, and of the three spellings that rusty-comms has had."""

import copy

RUSTY_SYSTEM = {
    "os": "linux",
    "architecture": "x86_64",
    "cpu_cores": 4,
    "memory_gb": 16.0,
    "rust_version": "1.70.0",
    "benchmark_version": "0.3.0",
}


def direction(kind: str, mean_ns: float, rate: float, size: int = 1024, samples: int = 1000) -> dict:
    """What one direction of a result holds, in the fields that both programs have."""
    percentiles = [(50.0, 0.9), (95.0, 1.5), (99.0, 2.5), (99.9, 4.0)]
    return {
        "latency": {
            "latency_type": kind,
            "min_ns": int(mean_ns / 2),
            "max_ns": int(mean_ns * 6),
            "mean_ns": mean_ns,
            "median_ns": mean_ns * 0.9,
            "std_dev_ns": mean_ns / 3,
            "percentiles": [{"percentile": p, "value_ns": int(mean_ns * factor)} for p, factor in percentiles],
            "total_samples": samples,
            "histogram_data": [int(mean_ns / 2), int(mean_ns), int(mean_ns * 6)],
        },
        "throughput": {
            "messages_per_second": rate,
            "bytes_per_second": rate * size,
            "total_messages": samples,
            "total_bytes": samples * size,
            "duration_ns": int(samples / rate * 1e9),
        },
        "timestamp": "2026-01-02T03:04:05Z",
    }


def direction_summary(p95_ns: int, p99_ns: int, p999_ns: int) -> dict:
    """What the summary of an ipcmark result holds of one direction, whatever percentiles were asked for."""
    names = "average_throughput_mbps peak_throughput_mbps average_latency_ns min_latency_ns p50_latency_ns"
    names += " messages bytes messages_per_second max_latency_ns"
    percentiles = {"p95_latency_ns": p95_ns, "p99_latency_ns": p99_ns, "p999_latency_ns": p999_ns}
    return dict.fromkeys(names.split(), 7) | percentiles


def rusty_result(spelling: str = "mbps", mechanism: str = "UnixDomainSocket", size: int = 1024, **changes) -> dict:
    """One result as rusty-comms writes it. `spelling`: mbps, mb_s or megabytes_per_sec."""
    result = {
        "mechanism": mechanism,
        "status": "Success",
        "test_config": {
            "message_size": size,
            "buffer_size": 8192,
            "concurrency": 1,
            "msg_count": 1000,
            "duration": None,
            "one_way_enabled": True,
            "round_trip_enabled": True,
            "warmup_iterations": 100,
            "percentiles": [50.0, 95.0, 99.0, 99.9],
        },
        "one_way_results": direction("OneWay", 4000.0, 200_000.0, size),
        "round_trip_results": direction("RoundTrip", 10_000.0, 90_000.0, size),
        "summary": {
            "total_messages_sent": 2000,
            "total_bytes_transferred": 2000 * size,
            f"average_throughput_{spelling}": 204.8,
            f"peak_throughput_{spelling}": 204.8,
            "average_latency_ns": 4000.0,
            "min_latency_ns": 2000,
            "max_latency_ns": 24_000,
            "p95_latency_ns": 6000,
            "p99_latency_ns": 10_000,
            "error_count": 0,
        },
        "timestamp": "2026-01-02T03:04:05Z",
        "test_duration": {"secs": 0, "nanos": 0},
        "system_info": RUSTY_SYSTEM,
    }
    result.update(changes)
    return result


def rusty_document(spelling: str = "mbps", results: list[dict] | None = None) -> dict:
    """A whole document as rusty-comms writes it."""
    results = [rusty_result(spelling)] if results is None else results
    return {
        "metadata": {
            "version": "0.3.0",
            "timestamp": "2026-01-02T03:04:05Z",
            "total_tests": len(results),
            "system_info": RUSTY_SYSTEM,
        },
        "results": results,
        "summary": {
            "total_messages": 2000 * len(results),
            "total_bytes": 2000 * 1024 * len(results),
            "total_errors": 0,
            "mechanisms": {
                "Unix Domain Socket": {
                    "mechanism": "UnixDomainSocket",
                    f"average_throughput_{spelling}": 204.8,
                    "p95_latency_ns": 6000,
                    "p99_latency_ns": 10_000,
                    "total_messages": 2000,
                }
            },
            "fastest_mechanism": "Unix Domain Socket",
            "lowest_latency_mechanism": "Unix Domain Socket",
        },
    }


def ipcmark_result(**changes) -> dict:
    """One result as ipcmark writes it, with the fields that the tests look at."""
    result = rusty_result()
    result["test_config"].update(
        mechanism_id="uds",
        mode="blocking",
        wait_policy="block",
        spin_ns=20_000,
        send_delay_ns=0,
        rate_per_second=None,
        window=1,
        batch=1,
        access="copy",
        first_message="drop",
        server_cpus=[],
        client_cpus=[],
        timeout_ns=0,
        repeat_index=0,
    )
    for name in ("one_way_results", "round_trip_results"):
        result[name]["partial"] = False
        mean = result[name]["latency"]["mean_ns"]
        result[name]["latency"]["histogram"] = [
            [int(mean * factor), int(mean * factor * 1.001), count]
            for factor, count in ((0.5, 100), (0.9, 500), (1.5, 350), (2.5, 40), (4.0, 9), (6.0, 1))
        ]
    result["module"] = {
        "id": "uds",
        "version": "0.1.0",
        "display_name": "Unix Domain Socket",
        "path": "/usr/lib/ipcmark/modules-1/uds.so",
        "abi": "1.0",
        "capabilities": ["reliable"],
        "checked": False,
        "options": [{"name": "type", "value": "stream", "given": False}],
    }
    result["warnings"] = []
    result["partial"] = False
    result.update(changes)
    return copy.deepcopy(result)


def ipcmark_document(results: list[dict] | None = None) -> dict:
    """A whole document as ipcmark writes it, with the fields that the tests look at."""
    document = rusty_document(results=[ipcmark_result()] if results is None else results)
    document["metadata"].update(format="ipcmark/1", command_line=["ipcmark", "run"], interrupted=False, warnings=[])
    document["summary"]["mechanisms"]["Unix Domain Socket"].update(
        average_throughput_megabytes_per_sec=204.8, average_latency_ns=4000.0, direction="OneWay", tests=1, failures=0
    )
    document["summary"]["direction"] = "OneWay"
    return copy.deepcopy(document)


def scaled(result: dict, factor: float) -> dict:
    """The same result, so many times slower."""
    result = copy.deepcopy(result)
    for name in ("one_way_results", "round_trip_results"):
        latency, throughput = result[name]["latency"], result[name]["throughput"]
        for field in ("min_ns", "max_ns", "mean_ns", "median_ns", "std_dev_ns"):
            latency[field] = type(latency[field])(latency[field] * factor)
        for entry in latency["percentiles"]:
            entry["value_ns"] = int(entry["value_ns"] * factor)
        latency["histogram"] = [[int(low * factor), int(high * factor), n] for low, high, n in latency["histogram"]]
        for field in ("messages_per_second", "bytes_per_second"):
            throughput[field] /= factor
        throughput["duration_ns"] = int(throughput["duration_ns"] * factor)
    return result


def engine_output(document: dict, output: str = "benchmark_result", output_id: str = "success") -> str:
    """What the engine prints: log lines, then YAML."""
    import yaml

    log = "2026-01-02T03:04:05Z\tinfo\tReading workflow...\n2026-01-02T03:04:06Z\tinfo\tRunning step\n"
    data = yaml.safe_dump({"output_data": {output: copy.deepcopy(document)}}, sort_keys=False)
    return f"{log}{data}output_id: {output_id}\n"

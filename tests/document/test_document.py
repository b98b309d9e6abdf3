# SPDX-License-Identifier: Apache-2.0
"""The result document against its JSON Schema, and the strict subset against what the predecessor's plugin takes."""

import copy
import csv
import io
import json

import jsonschema
import pytest
from sample import document, text

# Facts: the keys of each object that the published plugin (rusty-comms, 964fe32) accepts, with the types that it wants.
# It refuses any key beside these.
INT, FLOAT, STR, BOOL = "int", "float", "str", "bool"
SYSTEM_INFO = {
    "os": STR,
    "architecture": STR,
    "cpu_cores": INT,
    "memory_gb": FLOAT,
    "rust_version": STR,
    "benchmark_version": STR,
}
DURATION = {"secs": INT, "nanos": INT}
PERFORMANCE = {
    "latency": {
        "latency_type": STR,
        "min_ns": INT,
        "max_ns": INT,
        "mean_ns": FLOAT,
        "median_ns": FLOAT,
        "std_dev_ns": FLOAT,
        "percentiles": [{"percentile": FLOAT, "value_ns": INT}],
        "total_samples": INT,
        "histogram_data": [INT],
    },
    "throughput": {
        "messages_per_second": FLOAT,
        "bytes_per_second": FLOAT,
        "total_messages": INT,
        "total_bytes": INT,
        "duration_ns": INT,
    },
    "timestamp": STR,
}
PUBLISHED = {
    "metadata": {"version": STR, "timestamp": STR, "total_tests": INT, "system_info": SYSTEM_INFO},
    "results": [
        {
            "mechanism": STR,
            "status": STR,
            "test_config": {
                "message_size": INT,
                "buffer_size": INT,
                "concurrency": INT,
                "msg_count": (INT,),
                "duration": (DURATION,),
                "one_way_enabled": BOOL,
                "round_trip_enabled": BOOL,
                "warmup_iterations": INT,
                "percentiles": [FLOAT],
            },
            "one_way_results": (PERFORMANCE,),
            "round_trip_results": (PERFORMANCE,),
            "summary": {
                "total_messages_sent": INT,
                "total_bytes_transferred": INT,
                "average_throughput_mbps": FLOAT,
                "peak_throughput_mbps": FLOAT,
                "average_latency_ns": (FLOAT,),
                "min_latency_ns": (INT,),
                "max_latency_ns": (INT,),
                "p95_latency_ns": (INT,),
                "p99_latency_ns": (INT,),
                "error_count": INT,
            },
            "timestamp": STR,
            "test_duration": DURATION,
            "system_info": SYSTEM_INFO,
        }
    ],
    "summary": {
        "total_messages": INT,
        "total_bytes": INT,
        "total_errors": INT,
        "mechanisms": {
            "*": {
                "mechanism": STR,
                "average_throughput_mbps": FLOAT,
                "p95_latency_ns": (INT,),
                "p99_latency_ns": (INT,),
                "total_messages": INT,
            }
        },
        "fastest_mechanism": (STR,),
        "lowest_latency_mechanism": (STR,),
    },
}


def differences(value, wanted, path="$"):
    """Where a value has other keys or types than the fact sheet: (X,) may be null, [X] is a list, "*" any key."""
    if isinstance(wanted, tuple):
        return [] if value is None else differences(value, wanted[0], path)
    if isinstance(wanted, list):
        if not isinstance(value, list):
            return [f"{path}: not a list"]
        return [d for i, item in enumerate(value) for d in differences(item, wanted[0], f"{path}[{i}]")]
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            return [f"{path}: not an object"]
        if set(wanted) == {"*"}:
            return [d for key, item in value.items() for d in differences(item, wanted["*"], f"{path}.{key}")]
        found = [f"{path}: missing {key}" for key in wanted.keys() - value.keys()]
        found += [f"{path}: has {key} beside" for key in value.keys() - wanted.keys()]
        return found + [
            d for key in wanted.keys() & value.keys() for d in differences(value[key], wanted[key], f"{path}.{key}")
        ]
    types = {INT: int, FLOAT: float, STR: str, BOOL: bool}
    return [] if type(value) is types[wanted] else [f"{path}: {value!r} is no {wanted}"]


def with_plain_status(value):
    """As the plugin does before it validates: {"Failure": reason} becomes "Failure"."""
    value = copy.deepcopy(value)
    for result in value["results"]:
        if isinstance(result["status"], dict):
            assert list(result["status"]) == ["Failure"]
            result["status"] = "Failure"
    return value


def test_the_strict_subset_has_the_published_keys_and_no_others():
    assert differences(with_plain_status(document("rusty-comms")), PUBLISHED) == []


@pytest.mark.parametrize("arguments", [[], ["-d", "0.2s", "--round-trip"], ["--blocking", "--one-way"]])
def test_the_drop_in_writes_the_published_keys(ipc_benchmark, tmp_path, arguments):
    done = ipc_benchmark("-m", "uds", "shm", "-i", "300", "-w", "10", "-q", "-o", "r.json", *arguments)
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "r.json").read_text())
    assert differences(with_plain_status(written), PUBLISHED) == []
    assert set(written["summary"]["mechanisms"]) == {"Unix Domain Socket", "Shared Memory"}


def test_the_fact_sheet_finds_a_key_too_many_and_one_too_few():
    strict = with_plain_status(document("rusty-comms"))
    strict["results"][0]["more"] = 1
    del strict["summary"]["total_bytes"]
    assert sorted(differences(strict, PUBLISHED)) == ["$.results[0]: has more beside", "$.summary: missing total_bytes"]


def subset(small, large, path="$"):
    """What `small` has and `large` has not, or has otherwise."""
    if isinstance(small, dict):
        return [
            d
            for key in small
            for d in (subset(small[key], large[key], f"{path}.{key}") if key in large else [f"{path}.{key}"])
        ]
    if isinstance(small, list) and len(small) == len(large):
        return [d for i, item in enumerate(small) for d in subset(item, large[i], f"{path}[{i}]")]
    return [] if small == large else [path]


def test_the_full_document_has_everything_of_the_strict_one_with_the_same_values():
    assert subset(document("rusty-comms"), document("json")) == []


@pytest.mark.parametrize(("form", "schema"), [("json", "schema"), ("rusty-comms", "schema-rusty-comms")])
def test_the_document_fits_its_schema(form, schema):
    jsonschema.Draft202012Validator.check_schema(document(schema))
    jsonschema.Draft202012Validator(document(schema)).validate(document(form))


def objects(schema):
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


@pytest.mark.parametrize("form", ["schema", "schema-rusty-comms"])
def test_the_schema_is_closed_complete_and_described(form):
    assert document(form)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for schema in objects(document(form)):
        assert "additionalProperties" in schema
        if "properties" in schema:
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
    for name, schema in document(form)["$defs"].items():
        for field, described in schema["properties"].items():
            assert described["description"].endswith("."), f"{name}.{field}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("results", 0, "status"), "Fine"),
        (("results", 0, "test_config", "mode"), "sometimes"),
        (("results", 0, "one_way_results", "latency", "histogram", 0), [1, 2]),
        (("results", 0, "one_way_results", "throughput", "total_bytes"), -1),
        (("results", 0, "more"), 1),
        (("metadata", "system_info", "clock", "overhead_ns"), None),
    ],
)
def test_the_schema_refuses_what_is_wrong(path, value):
    broken = document("json")
    spot = broken
    for step in path[:-1]:
        spot = spot[step]
    spot[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(document("schema")).validate(broken)


def test_the_text_is_for_people_too():
    assert text("json").endswith("}\n")
    assert max(len(line) for line in text("json").splitlines()) <= 200


def test_csv_has_a_line_for_each_test_and_direction():
    rows = list(csv.DictReader(io.StringIO(text("csv"))))
    results = document("json")["results"]
    assert [(row["module"], row["direction"]) for row in rows] == [
        ("uds", "OneWay"),
        ("uds", "RoundTrip"),
        ("tcp", "RoundTrip"),
        ("shm", "OneWay"),
        ("pmq", ""),
    ]
    assert all(None not in row and None not in row.values() for row in rows), "every row has every column"
    assert float(rows[0]["p99_ns"]) == results[0]["summary"]["one_way"]["p99_latency_ns"]
    assert (
        float(rows[1]["messages_per_second"]) == results[0]["round_trip_results"]["throughput"]["messages_per_second"]
    )
    assert rows[3]["status"] == "Failure"
    assert rows[3]["partial"] == "true"
    assert rows[4]["failure_reason"] == results[3]["status"]["Failure"]

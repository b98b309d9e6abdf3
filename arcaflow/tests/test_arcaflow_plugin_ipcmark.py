#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The schema: every type survives serialization, every field is described, the published names are all there."""

import dataclasses
import enum
import types
import typing
import unittest

import plugin_support  # noqa: F401
from arcaflow_plugin_sdk import plugin, schema

from arcaflow_plugin_ipcmark import ipcmark_plugin, ipcmark_schema

STEPS = ipcmark_plugin.SCHEMA.steps


def example_of(kind: typing.Any, filled: bool) -> typing.Any:
    """A value of a type of the schema; `filled`: with all that is optional."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        # A pattern or a minimum may say more than the type.
        return example_of(typing.get_args(kind)[0], filled)
    if origin in (typing.Union, types.UnionType):
        return example_of(typing.get_args(kind)[0], filled)
    if origin is list:
        return [example_of(typing.get_args(kind)[0], filled)]
    if origin is dict:
        return {"key": example_of(typing.get_args(kind)[1], filled)}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = [field for field in dataclasses.fields(kind) if filled or field.default is dataclasses.MISSING]
        return kind(**{field.name: _valid(field.name, hints[field.name], filled) for field in fields})
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    return {str: "text", int: 1, float: 1.5, bool: True}[kind]


def _valid(name: str, hint: typing.Any, filled: bool) -> typing.Any:
    if name in ("server_cpus", "client_cpus") and "list" not in str(hint):
        return "0-1,3"  # text with a pattern
    return example_of(hint, filled)


def types_of_the_schema() -> list[type]:
    return [
        value for value in vars(ipcmark_schema).values() if isinstance(value, type) and dataclasses.is_dataclass(value)
    ]


class Serialization(unittest.TestCase):
    def test_every_type_bare_and_filled(self):
        kinds = types_of_the_schema()
        self.assertGreater(len(kinds), 25)
        for kind in kinds:
            for filled in (False, True):
                with self.subTest(kind.__name__, filled=filled):
                    plugin.test_object_serialization(example_of(kind, filled))

    def test_whole_schema_can_be_sent_to_the_engine(self):
        sent = schema.SCHEMA_SCHEMA.serialize(ipcmark_plugin.SCHEMA)
        self.assertEqual(set(sent["steps"]), {"run-benchmark", "serve", "connect"})
        schema.SCHEMA_SCHEMA.unserialize(sent)


class Description(unittest.TestCase):
    def test_every_field_has_a_name_and_a_description(self):
        for step in STEPS.values():
            scopes = [step.input, *(output.schema for output in step.outputs.values())]
            for scope in scopes:
                for name, thing in scope.objects.items():
                    for field, details in thing.properties.items():
                        with self.subTest(step=step.id, object=name, field=field):
                            self.assertTrue(details.display.name)
                            self.assertTrue(details.display.description)

    def test_every_step_takes_the_cancel_signal(self):
        for step in STEPS.values():
            self.assertEqual(list(step.signal_handlers), ["cancel"], step.id)


class PublishedNames(unittest.TestCase):
    """What a user of the rusty-comms plugin has in inputs and reads from outputs."""

    INPUTS: typing.ClassVar = {  # name: (type, default as JSON)
        "mechanisms": ("list", None),
        "message_size": ("integer", None),
        "msg_count": ("integer", None),
        "duration": ("string", None),
        "concurrency": ("integer", None),
        "blocking": ("bool", "true"),
        "buffer_size": ("integer", None),
        "warmup_iterations": ("integer", None),
        "percentiles": ("list", None),
        "one_way": ("bool", None),
        "round_trip": ("bool", None),
        "send_delay": ("string", None),
        "server_affinity": ("integer", None),
        "client_affinity": ("integer", None),
        "shm_direct": ("bool", None),
        "continue_on_error": ("bool", None),
        "quiet": ("bool", None),
        "include_first_message": ("bool", None),
        "host": ("string", None),
        "port": ("integer", None),
        "pmq_priority": ("integer", None),
        "iterations": ("integer", "1"),
        "timeout": ("integer", "3600"),
        "extra_args": ("list", None),
    }
    OUTPUTS: typing.ClassVar = {
        "SuccessOutput": "metadata results summary iteration_aggregates",
        "BenchmarkMetadata": "version timestamp total_tests system_info",
        "BenchmarkResult": "mechanism status failure_reason test_config one_way_results round_trip_results summary"
        " timestamp test_duration system_info input_blocking input_shm_direct input_one_way input_round_trip"
        " input_send_delay input_concurrency",
        "TestConfiguration": "message_size buffer_size concurrency msg_count duration one_way_enabled"
        " round_trip_enabled warmup_iterations percentiles",
        "PerformanceMetrics": "latency throughput timestamp",
        "LatencyMetrics": "latency_type min_ns max_ns mean_ns median_ns std_dev_ns percentiles total_samples"
        " histogram_data",
        "PercentileValue": "percentile value_ns",
        "ThroughputMetrics": "messages_per_second bytes_per_second total_messages total_bytes duration_ns",
        "BenchmarkSummary": "total_messages_sent total_bytes_transferred average_throughput_mbps peak_throughput_mbps"
        " error_count average_latency_ns min_latency_ns max_latency_ns p95_latency_ns p99_latency_ns",
        "SystemInfo": "os architecture cpu_cores memory_gb rust_version benchmark_version",
        "OverallSummary": "total_messages total_bytes total_errors mechanisms fastest_mechanism"
        " lowest_latency_mechanism",
        "MechanismSummary": "mechanism average_throughput_mbps total_messages p95_latency_ns p99_latency_ns",
        "IterationAggregates": "tests",
        "TestIterationAggregate": "mechanism message_size direction iterations_completed throughput_mbps"
        " mean_latency_ns p95_latency_ns p99_latency_ns",
        "MetricStatistics": "mean stddev min_value max_value sample_count",
    }

    def test_inputs_have_their_types_and_defaults(self):
        objects = schema.SCHEMA_SCHEMA.serialize(ipcmark_plugin.SCHEMA)["steps"]["run-benchmark"]["input"]["objects"]
        fields = objects["TestRunConfig"]["properties"]
        for name, (kind, default) in self.INPUTS.items():
            with self.subTest(name):
                self.assertEqual(fields[name]["type"]["type_id"], kind)
                self.assertEqual(fields[name].get("default"), default)
                self.assertEqual(fields[name]["required"], name == "mechanisms")
        self.assertEqual(objects["InputParams"]["properties"]["tests"]["type"]["min"], 1)

    def test_no_input_has_a_maximum(self):
        """The engine fails (nil pointer) on a workflow with a copied schema that, as the published one, has none."""
        objects = schema.SCHEMA_SCHEMA.serialize(ipcmark_plugin.SCHEMA)["steps"]["run-benchmark"]["input"]["objects"]
        for name, field in objects["TestRunConfig"]["properties"].items():
            if name in self.INPUTS:
                self.assertNotIn("max", {key for key, value in field["type"].items() if value is not None}, name)

    def test_outputs_have_their_fields(self):
        objects = STEPS["run-benchmark"].outputs["success"].schema.objects
        for name, fields in self.OUTPUTS.items():
            with self.subTest(name):
                self.assertLessEqual(set(fields.split()), set(objects[name].properties))
        error = STEPS["run-benchmark"].outputs["error"].schema.objects["ErrorOutput"]
        self.assertTrue(error.properties["error"].required)


class BadInput(unittest.TestCase):
    def refused(self, **changes) -> str:
        with self.assertRaises(schema.InvalidInputException) as caught:
            ipcmark_plugin.SCHEMA.unserialize_step_input(
                "run-benchmark", {"tests": [{"mechanisms": ["uds"], **changes}]}
            )
        return str(caught.exception)

    def test_out_of_range(self):
        for field, value in {
            "message_size": 0,
            "msg_count": 0,
            "concurrency": 0,
            "warmup_iterations": -1,
            "iterations": 0,
            "timeout": 0,
            "port": 0,
            "server_affinity": -1,
            "window": 0,
            "batch": 0,
            "server_cpus": "0-",
            "wait": "sometimes",
            "clock": "sundial",
        }.items():
            with self.subTest(field):
                self.assertTrue(self.refused(**{field: value}))

    def test_no_mechanism_and_no_test(self):
        self.refused(mechanisms=[])
        self.refused(mechanisms=["--help"])
        with self.assertRaises(schema.InvalidInputException):
            ipcmark_plugin.SCHEMA.unserialize_step_input("run-benchmark", {"tests": []})

    def test_unknown_field(self):
        self.assertIn("mesage_size", self.refused(mesage_size=1))


if __name__ == "__main__":
    unittest.main()

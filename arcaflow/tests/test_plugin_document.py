#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One source of truth: what ipcmark writes, what it says of it, and what the plugin takes, field by field."""

import dataclasses
import json
import subprocess
import sys
import typing
import unittest

import jsonschema
from plugin_support import TIMEOUT_S, UTILS, PluginTest

from arcaflow_plugin_ipcmark import command, document
from arcaflow_plugin_ipcmark.ipcmark_schema import ResultDocument, TestRunConfig, WaitPolicy

# Every mode that leaves different fields in the document.
MODES: dict[str, dict] = {
    "both directions": {},
    "one way": {"one_way": True},
    "round trip": {"round_trip": True},
    "by duration": {"duration": "50ms"},
    "asynchronous": {"blocking": False},
    "spinning": {"wait": WaitPolicy.spin},
    "adaptive": {"wait": WaitPolicy.adaptive, "spin": "50us"},
    "paced": {"rate": 2000.0},
    "send delay": {"send_delay": "10us"},
    "several endpoints": {"concurrency": 2},
    "window": {"window": 4, "round_trip": True},
    "batch": {"batch": 8, "one_way": True},
    "repeated": {"repeat": 2},
    "first message": {"include_first_message": True, "warmup_iterations": 0},
    "no percentiles but one": {"percentiles": [12.5]},
    "direct": {"mechanisms": ["shm"], "shm_direct": True},
    "options": {"module_options": {"type": "seqpacket"}},
    "buffers": {"buffer_size": 65536},
    "pinned": {"server_affinity": 0, "client_cpus": "0"},
    "all mechanisms": {"mechanisms": ["all"]},
}


class OneSourceOfTruth(PluginTest):
    def setUp(self) -> None:
        super().setUp()
        self.program = self.use_real_binary()
        self.schema = json.loads(self.ipcmark("schema").stdout)

    def ipcmark(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S)

    def check(self, text: str) -> ResultDocument:
        jsonschema.validate(json.loads(text), self.schema)
        parsed, unknown = document.parse(text)
        self.assertEqual(unknown, [], "the plugin does not know these fields")
        self.compare(parsed, json.loads(text), "")
        return parsed

    def compare(self, parsed: typing.Any, raw: typing.Any, path: str) -> None:
        """Nothing is lost, nothing is added, nothing changes on the way into the plugin."""
        if dataclasses.is_dataclass(parsed):
            for field in dataclasses.fields(parsed):
                own, value = getattr(parsed, field.name), raw.get(field.name)
                if field.name == "status" and isinstance(value, dict):
                    self.assertEqual((own, parsed.failure_reason), ("Failure", value["Failure"]))
                elif field.name.startswith("input_") or field.name == "failure_reason":
                    continue  # only the plugin's
                else:
                    self.compare(own, value, f"{path}.{field.name}")
        elif isinstance(parsed, list):
            self.assertEqual(len(parsed), len(raw), path)
            for own, value in zip(parsed, raw, strict=True):
                self.compare(own, value, f"{path}[]")
        elif isinstance(parsed, dict):
            self.assertEqual(set(parsed), set(raw), path)
            for name, own in parsed.items():
                self.compare(own, raw[name], f"{path}.{name}")
        else:
            self.assertEqual(parsed, raw, path)

    def test_every_mode(self):
        for mode, inputs in MODES.items():
            with self.subTest(mode):
                test = TestRunConfig(**{"mechanisms": ["uds"], "msg_count": 200, "warmup_iterations": 20, **inputs})
                done = self.ipcmark(*command.run_arguments(test))
                self.assertEqual(done.returncode, 0, done.stderr)
                parsed = self.check(done.stdout)
                self.assertEqual({result.status for result in parsed.results}, {"Success"})

    def test_failure(self):
        test = TestRunConfig(
            mechanisms=["tcp", "uds"], msg_count=50, continue_on_error=True, host="203.0.113.77", one_way=True
        )
        done = self.ipcmark(*command.run_arguments(test))
        self.assertEqual(done.returncode, 0, done.stderr)
        parsed = self.check(done.stdout)
        self.assertEqual([result.status for result in parsed.results], ["Failure", "Success"])
        self.assertIn("203.0.113.77", parsed.results[0].failure_reason)

    def test_defaults_are_ipcmark_s_own(self):
        said = json.loads(self.ipcmark(*command.run_arguments(TestRunConfig(mechanisms=["uds"]))).stdout)
        own = json.loads(self.ipcmark("run", "-m", "uds", "-o", "-").stdout)
        self.assertEqual(said["results"][0]["test_config"], own["results"][0]["test_config"])

    def test_generated_classes_are_up_to_date(self):
        generate = [sys.executable, str(UTILS / "python" / "generate_result_schema.py"), "--check", self.program]
        done = subprocess.run(generate, capture_output=True, text=True, timeout=TIMEOUT_S)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()

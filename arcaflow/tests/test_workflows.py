#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The workflow files and inputs: against the rules of the engine's language, and through the plugin itself."""

import re
import unittest
from pathlib import Path

import yaml
from plugin_support import PLUGIN_ROOT, PluginTest

from arcaflow_plugin_ipcmark import ipcmark_plugin

WORKFLOWS = sorted(PLUGIN_ROOT.glob("workflow*.yaml"))
INPUTS = [PLUGIN_ROOT / "inputs" / "example.yaml", *sorted(PLUGIN_ROOT.glob("*-ipcmark-testing.yaml"))]
IMAGE = "localhost/arcaflow-plugin-ipcmark:latest"
TYPES = {"string", "pattern", "integer", "float", "bool", "enum_string", "enum_integer", "list", "map", "object", "ref"}
TYPES |= {"scope", "any", "one_of_string", "one_of_int"}
PLUGIN_STEP = {"plugin", "step", "input", "deploy", "wait_for", "stop_if", "enabled", "closure_wait_timeout", "kind"}
FOREACH_STEP = {"kind", "items", "workflow", "parallelism", "wait_for", "enabled"}
OUTPUTS = {"success", "error"}


class Expression(str):
    """An !expr of a workflow."""

    def references(self) -> list[list[str]]:
        return [found.split(".") for found in re.findall(r"\$\.([A-Za-z0-9_.]+)", self)]


class Loader(yaml.SafeLoader):
    """YAML as the engine reads it: with !expr, without what it does not support."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("the engine does not support aliases")
        return super().compose_node(parent, index)


Loader.add_constructor("!expr", lambda loader, node: Expression(node.value))


def load(path: Path):
    return yaml.load(path.read_text(), Loader=Loader)


def walk(value):
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(item)


class WorkflowRules(unittest.TestCase):
    def each(self):
        self.assertGreaterEqual(len(WORKFLOWS), 6)
        for path in WORKFLOWS:
            with self.subTest(path.name):
                yield path, load(path)

    def test_sections_and_version(self):
        for _, workflow in self.each():
            self.assertEqual(set(workflow), {"version", "input", "steps", "outputs"})
            self.assertEqual(workflow["version"], "v0.2.0")
            self.assertIn("success", workflow["outputs"])

    def test_published_outputs(self):
        outputs = load(PLUGIN_ROOT / "workflow.yaml")["outputs"]
        self.assertEqual(list(outputs["success"]), ["benchmark_result"])
        self.assertEqual(list(outputs["error"]), ["benchmark_error"])

    def test_input_is_a_scope(self):
        for _, workflow in self.each():
            objects = workflow["input"]["objects"]
            self.assertIn(workflow["input"]["root"], objects)
            for name, definition in objects.items():
                self.assertEqual(definition["id"], name)
                for details in definition["properties"].values():
                    self.assertLessEqual(set(details), {"display", "type", "required", "default"})
                    self.assertIn("type_id", details["type"])
                    self.assertTrue(details["display"]["name"] and details["display"]["description"])

    def test_types_exist_and_references_are_imported(self):
        for _, workflow in self.each():
            for value in walk(workflow["input"]):
                if isinstance(value, dict) and "type_id" in value:
                    self.assertIn(value["type_id"], TYPES)
                    if value["type_id"] == "ref" and "namespace" in value:
                        step = value["namespace"].split(".")[2]
                        self.assertIn(step, workflow["steps"])
                    elif value["type_id"] == "ref":
                        self.assertIn(value["id"], workflow["input"]["objects"])

    def test_imported_types_are_the_plugin_s(self):
        for _, workflow in self.each():
            for value in walk(workflow["input"]):
                if not isinstance(value, dict) or "namespace" not in value:
                    continue
                step = workflow["steps"][value["namespace"].split(".")[2]]
                if step.get("plugin", {}).get("src") == IMAGE:
                    self.assertEqual(value["namespace"].split(".")[3:], ["starting", "inputs", "input"])
                    self.assertIn(value["id"], ipcmark_plugin.SCHEMA.steps[step["step"]].input.objects)

    def test_steps(self):
        for path, workflow in self.each():
            for step in workflow["steps"].values():
                if step.get("kind") == "foreach":
                    self.assertLessEqual(set(step), FOREACH_STEP)
                    self.assertTrue((path.parent / step["workflow"]).exists())
                    continue
                self.assertLessEqual(set(step), PLUGIN_STEP)
                self.assertEqual(set(step["plugin"]), {"deployment_type", "src"})
                if step["plugin"]["src"] == IMAGE:
                    self.assertIn(step["step"], ipcmark_plugin.SCHEMA.steps)
                    fields = ipcmark_plugin.SCHEMA.steps[step["step"]].input
                    properties = fields.objects[fields.root].properties
                    self.assertLessEqual(set(step["input"]), set(properties))
                    required = {name for name, details in properties.items() if details.required}
                    self.assertLessEqual(required, set(step["input"]))

    def test_expressions_refer_to_what_is_there(self):
        for _, workflow in self.each():
            root = workflow["input"]["objects"][workflow["input"]["root"]]["properties"]
            for value in walk(workflow):
                if not isinstance(value, Expression):
                    continue
                self.assertTrue(value.references(), value)
                for kind, name, *rest in value.references():
                    if kind == "input":
                        self.assertIn(name, root)
                    else:
                        self.assertEqual(kind, "steps")
                        self.assertIn(name, workflow["steps"])
                        if rest[0] == "outputs" and len(rest) > 1:
                            self.assertIn(rest[1], OUTPUTS)

    def test_a_failed_recording_does_not_lose_the_measurement(self):
        outputs = load(PLUGIN_ROOT / "workflow-pcp.yaml")["outputs"]
        self.assertEqual(outputs["pcp_error"]["benchmark_result"], outputs["success"]["benchmark_result"])
        self.assertIn("pcp.outputs.error", outputs["pcp_error"]["pcp_error"])

    def test_sweep_item_takes_what_foreach_gives(self):
        item = load(PLUGIN_ROOT / "workflow-sweep-item.yaml")["input"]
        self.assertEqual(set(item["objects"][item["root"]]["properties"]), {"item", "constant"})


class Settings(unittest.TestCase):
    def test_a_deployer_each(self):
        names = {"config.yaml": "podman", "config-docker.yaml": "docker", "config-kubernetes.yaml": "kubernetes"}
        for name, deployer in names.items():
            with self.subTest(name):
                self.assertEqual(load(PLUGIN_ROOT / name)["deployers"]["image"]["deployer_name"], deployer)
        python = load(PLUGIN_ROOT / "config-python.yaml")["deployers"]["python"]
        self.assertEqual(python["deployer_name"], "python")
        published = load(PLUGIN_ROOT / "config.yaml")["deployers"]["image"]
        self.assertEqual(published["deployment"]["imagePullPolicy"], "IfNotPresent")

    def test_containerfile_is_found_under_both_names(self):
        # A copy, as a symbolic link does not survive every way in which sources travel.
        self.assertEqual((PLUGIN_ROOT / "Dockerfile").read_text(), (PLUGIN_ROOT / "Containerfile").read_text())


class Inputs(PluginTest):
    def test_every_input_of_the_benchmark_is_valid(self):
        for path in INPUTS:
            with self.subTest(path.name):
                ipcmark_plugin.SCHEMA.unserialize_step_input("run-benchmark", load(path))
        for name in ("two-containers", "pcp"):
            tests = load(PLUGIN_ROOT / "inputs" / f"{name}.yaml")["tests"]
            ipcmark_plugin.SCHEMA.unserialize_step_input("run-benchmark", {"tests": tests})

    def test_suites_say_what_they_measure(self):
        for path in INPUTS[1:]:
            for test in load(path)["tests"]:
                with self.subTest(path.name, test=test):
                    self.assertIn("blocking", test)

    def test_headings_of_suites_say_the_mode_that_runs(self):
        """The predecessor's suites had asynchronous runs under the heading of blocking ones."""
        for path in INPUTS[1:]:
            heading, seen = "", set()
            for line in path.read_text().splitlines():
                if line.lstrip().startswith("#"):
                    heading = line.lower()
                elif line.lstrip().startswith("- "):
                    (test,) = yaml.safe_load(line)
                    for word, blocking in (("blocking", True), ("asynchronous", False)):
                        if word in heading:
                            seen.add(word)
                            self.assertEqual(test["blocking"], blocking, f"{path.name}: {heading.strip()}: {line}")
            self.assertEqual(seen, {"blocking", "asynchronous"}, path.name)

    def test_comprehensive_suite_is_the_whole_matrix(self):
        tests = load(PLUGIN_ROOT / "comprehensive-ipcmark-testing.yaml")["tests"]
        for field, values in {
            "blocking": {True, False},
            "message_size": {64, 512, 1024, 4096, 8192, 65536},
            "concurrency": {2, 4},
            "one_way": {True},
            "round_trip": {True},
            "shm_direct": {True},
        }.items():
            self.assertLessEqual(values, {test.get(field) for test in tests}, field)
        for field in ("duration", "msg_count", "send_delay", "rate", "wait"):
            self.assertTrue(any(field in test for test in tests), field)
        self.assertEqual({name for test in tests for name in test["mechanisms"]}, {"uds", "tcp", "shm", "pmq"})

    def test_suites_run(self):
        """The same tests with fewer messages, through the plugin and the real program."""
        self.use_real_binary()
        for path in INPUTS:
            with self.subTest(path.name):
                tests = [reduced(test) for test in load(path)["tests"]]
                expected = sum(len(test["mechanisms"]) for test in tests)
                output_id, output = ipcmark_plugin.SCHEMA("reduced", "run-benchmark", {"tests": tests})
                self.assertEqual(output_id, "success", output)
                self.assertNotIn("errors", output)
                failed = [
                    (each["mechanism"], each["failure_reason"])
                    for each in output["results"]
                    if each["status"] != "Success"
                ]
                self.assertEqual(failed, [])
                self.assertEqual(len(output["results"]), expected)


def reduced(test: dict) -> dict:
    test = {**test, "warmup_iterations": 5}
    if "duration" in test:
        test["duration"] = "50ms"
    else:
        test["msg_count"] = 20
    return test


if __name__ == "__main__":
    unittest.main()

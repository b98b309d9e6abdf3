#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The container image, built and driven by the engine's own protocol.

The base image is made once and cached outside the repository; the layers of the build are cached by podman.
"""

import json
import os
import subprocess
import time
import unittest
import uuid

import pytest
from arcaflow_plugin_sdk import atp
from plugin_support import PLUGIN_ROOT, TIMEOUT_S, environment

pytestmark = pytest.mark.image

IMAGE = "localhost/arcaflow-plugin-ipcmark:test"
SOURCE_URL = "https://example.org/ipcmark"
MAX_LAYERS_BYTES = 150_000_000
MECHANISMS = {"UnixDomainSocket", "TcpSocket", "SharedMemory", "PosixMessageQueue"}
READ_ONLY = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges")
BUILD_TIMEOUT_S = 3000
# The engine kills a container that takes longer to end.
ENGINE_PATIENCE_S = 5


def podman(*arguments: str, timeout: float = 300, **kwargs) -> subprocess.CompletedProcess:
    return subprocess.run(["podman", *arguments], capture_output=True, text=True, timeout=timeout, **kwargs)


def build_image() -> None:
    built = subprocess.run(
        [str(PLUGIN_ROOT / "build-image.sh")], capture_output=True, text=True, timeout=BUILD_TIMEOUT_S
    )
    if built.returncode != 0:
        raise AssertionError("the image was not built\n" + (built.stdout + built.stderr)[-6000:])


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        with environment({"IMAGE": IMAGE, "SOURCE_URL": SOURCE_URL}):
            build_image()
            printed = subprocess.check_output([str(PLUGIN_ROOT / "build-image.sh"), "--environment"], text=True)
        settings = dict(line.split("=", 1) for line in printed.splitlines())
        cls.enterClassContext(environment(settings))

    def setUp(self) -> None:
        self.name = f"ipcmark-test-{uuid.uuid4().hex[:8]}"
        self.addCleanup(podman, "rm", "-f", "-i", self.name)

    def start(self, *options: str, network: str = "none") -> atp.PluginClient:
        """The plugin as the engine starts it."""
        command = [
            "podman",
            "run",
            "-i",
            "--rm",
            f"--name={self.name}",
            f"--network={network}",
            *options,
            IMAGE,
            "--atp",
        ]
        self.container = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.container.stdout.close)
        client = atp.PluginClient(self.container.stdin, self.container.stdout)
        client.start_output()
        self.container.stdin.flush()
        client.read_hello()
        return client

    def finish(self, client: atp.PluginClient) -> None:
        """The plugin ends when the engine is done, and leaves neither container nor process."""
        client.send_client_done()
        self.container.stdin.close()
        self.assertEqual(self.container.wait(TIMEOUT_S), 0)
        self.assertEqual(podman("container", "exists", self.name).returncode, 1)
        self.assertEqual(ipcmark_processes(self.name), [])

    def run_step(self, tests: list[dict], *options: str) -> atp.StepResult:
        client = self.start(*options)
        client.start_work("one", "run-benchmark", {"tests": tests})
        result = client.read_single_result()
        self.finish(client)
        return result

    def wait_for_the_long_test(self) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not any("5m" in line for line in ipcmark_processes(self.name)):
            self.assertLess(time.monotonic(), deadline, "the long test did not start")
            time.sleep(0.1)

    def test_four_mechanisms_in_both_modes(self):
        for blocking in (True, False):
            test = {"mechanisms": ["all"], "msg_count": 500, "warmup_iterations": 50, "blocking": blocking}
            result = self.run_step([test])
            self.assertEqual(result.output_id, "success", result.output_data)
            measured = {each["mechanism"]: each for each in result.output_data["results"]}
            self.assertEqual(set(measured), MECHANISMS)
            for each in measured.values():
                self.assertEqual(each["status"], "Success", each.get("failure_reason"))
                self.assertGreater(each["one_way_results"]["latency"]["total_samples"], 0)
                self.assertGreater(each["round_trip_results"]["latency"]["total_samples"], 0)
                self.assertNotEqual(each["system_info"]["container"], "none")

    def test_large_messages_need_no_dev_shm(self):
        test = {"mechanisms": ["shm"], "message_size": 32 * 1024 * 1024, "msg_count": 5, "warmup_iterations": 1}
        result = self.run_step([test, {**test, "shm_direct": True}])
        self.assertEqual(result.output_id, "success", result.output_data)
        self.assertNotIn("errors", result.output_data)

    def test_read_only_root_any_user_no_rights(self):
        test = {"mechanisms": ["all"], "msg_count": 100, "warmup_iterations": 10}
        for user in ("1001:0", "123456:0"):
            result = self.run_step([test], *READ_ONLY, f"--user={user}")
            self.assertEqual(result.output_id, "success", result.output_data)
            self.assertNotIn("errors", result.output_data)
            self.assertEqual({each["mechanism"] for each in result.output_data["results"]}, MECHANISMS)

    def test_error(self):
        result = self.run_step([{"mechanisms": ["nonsense"]}])
        self.assertEqual(result.output_id, "error")
        self.assertIn("Test 1 failed", result.output_data["error"])
        self.assertIn("nonsense", result.output_data["error"])

    def test_cancel_in_the_middle(self):
        quick = {"mechanisms": ["uds"], "msg_count": 100, "one_way": True}
        least = ENGINE_PATIENCE_S
        for _ in range(3):
            client = self.start()
            tests = [quick, {"mechanisms": ["uds"], "duration": "5m"}, quick]
            client.start_work("one", "run-benchmark", {"tests": tests})
            self.wait_for_the_long_test()
            time.sleep(0.5)
            begin = time.monotonic()
            client.send_signal("one", "cancel", {})
            result = client.read_single_result()
            least = min(least, time.monotonic() - begin)
            self.assertEqual(result.output_id, "success", result.output_data)
            self.assertTrue(result.output_data["cancelled"])
            self.assertEqual(result.output_data["results"][0]["input_test"], 1)
            self.assertNotIn(3, [each["input_test"] for each in result.output_data["results"]])
            self.finish(client)
            # A busy machine may be late now and then; a plugin that waits for something is late each time.
            if least < ENGINE_PATIENCE_S:
                return
        self.fail("a cancelled run takes longer than the engine bears")

    def test_stop_of_the_container_in_the_middle(self):
        client = self.start()
        client.start_work("one", "run-benchmark", {"tests": [{"mechanisms": ["all"], "duration": "5m"}]})
        self.wait_for_the_long_test()
        stopped = podman("stop", "-t", "120", self.name)
        self.assertEqual(stopped.returncode, 0, stopped.stderr)
        self.assertEqual(self.container.wait(TIMEOUT_S), 128 + 15)
        self.container.stdin.close()
        self.assertEqual(ipcmark_processes(self.name), [])

    def test_from_a_file_and_its_schemas(self):
        text = "tests: [{mechanisms: [uds], msg_count: 100}]"
        done = podman("run", "-i", "--rm", "--network=none", IMAGE, "-s", "run-benchmark", "-f", "-", input=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("output_id: success", done.stdout)
        for kind in ("input", "output"):
            done = podman("run", "--rm", IMAGE, "-s", "run-benchmark", "--json-schema", kind)
            self.assertIn("mechanisms", json.dumps(json.loads(done.stdout)))

    def test_labels_and_user(self):
        config = json.loads(podman("image", "inspect", IMAGE).stdout)[0]
        labels = config["Labels"]
        for name in ("source", "licenses", "vendor", "authors", "title"):
            self.assertTrue(labels[f"org.opencontainers.image.{name}"], name)
        self.assertEqual(labels["org.opencontainers.image.source"], SOURCE_URL)
        self.assertEqual(labels["io.github.arcalot.arcaflow.plugin.version"], "1")
        self.assertEqual(labels["org.opencontainers.image.licenses"], "Apache-2.0")
        self.assertNotIn(config["User"].split(":")[0], ("", "0", "root"))
        self.assertFalse(config["Config"].get("Cmd"))

    def test_source_label_is_that_of_the_last_build(self):
        """Not of an earlier one, whose layers are all taken from the cache."""
        image = f"localhost/{self.name}"
        self.addCleanup(podman, "rmi", "-f", image)
        with environment({"IMAGE": image, "SOURCE_URL": f"{SOURCE_URL}/moved"}):
            build_image()
        labels = json.loads(podman("image", "inspect", image).stdout)[0]["Labels"]
        self.assertEqual(labels["org.opencontainers.image.source"], f"{SOURCE_URL}/moved")

    def test_size(self):
        history = json.loads(podman("history", "--format=json", IMAGE).stdout)
        layers = [int(each["size"]) for each in history]
        base = max(layers)  # the base is one layer here, and by far the largest
        if base < MAX_LAYERS_BYTES // 2:
            self.fail(f"no base layer among {layers}")
        self.assertLess(sum(layers) - base, MAX_LAYERS_BYTES, layers)


def ipcmark_processes(container: str) -> list[str]:
    """Command lines of what runs in a container; of anything of ours that is left where it is gone."""
    listed = podman("top", container, "args")
    if listed.returncode == 0:
        return listed.stdout.splitlines()[1:]
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cgroup", "rb") as file:
                if container.encode() in file.read():
                    found.append(pid)
        except OSError:
            continue
    return found


if __name__ == "__main__":
    unittest.main()

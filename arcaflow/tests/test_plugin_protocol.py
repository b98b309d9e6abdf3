#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The plugin as a program: by the engine's protocol, by files, and when it is killed."""

import ctypes
import io
import json
import os
import signal
import subprocess
import sys
import unittest

import yaml
from arcaflow_plugin_sdk import atp
from plugin_support import PLUGIN_ROOT, TIMEOUT_S, PluginTest
from sample_documents import ipcmark_document

ONE_TEST = {"tests": [{"mechanisms": ["uds"]}]}


class Protocol(PluginTest):
    def setUp(self) -> None:
        super().setUp()
        self.document = self.folder / "document.json"
        self.document.write_text(json.dumps(ipcmark_document()))
        self.ready = self.folder / "ready"

    def waits_for_term(self, then: str) -> None:
        self.use_fake_binary(f"trap '{then}' TERM; : > {self.ready}; while :; do sleep 0.05; done")

    def connect(self, plugin: subprocess.Popen) -> atp.PluginClient:
        # Buffered in both directions, as PluginClient expects.
        client = atp.PluginClient(plugin.stdin, plugin.stdout)
        client.start_output()
        plugin.stdin.flush()
        hello = client.read_hello()
        self.assertEqual(set(hello.schema.steps), {"run-benchmark", "serve", "connect"})
        return client

    def test_a_run_by_the_engine_s_protocol(self):
        self.use_fake_binary(f"echo said >&2; cat {self.document}")
        plugin = self.start_plugin("--atp")
        client = self.connect(plugin)
        client.start_work("one", "run-benchmark", ONE_TEST)
        result = client.read_single_result()
        self.assertEqual((result.run_id, result.output_id), ("one", "success"))
        self.assertEqual(len(result.output_data["results"]), 1)
        self.assertIn("said", result.debug_logs)
        client.send_client_done()
        plugin.stdin.close()
        self.assertEqual(plugin.wait(TIMEOUT_S), 0)

    def test_an_error_by_the_engine_s_protocol(self):
        self.use_fake_binary("echo broken >&2; exit 1")
        client = self.connect(self.start_plugin("--atp"))
        client.start_work("one", "run-benchmark", ONE_TEST)
        result = client.read_single_result()
        self.assertEqual(result.output_id, "error")
        self.assertIn("broken", result.output_data["error"])

    def test_cancel_by_the_engine_s_protocol(self):
        self.waits_for_term(f"cat {self.document}; exit 143")
        client = self.connect(self.start_plugin("--atp"))
        client.start_work("one", "run-benchmark", {"tests": ONE_TEST["tests"] * 3})
        self.wait_for(self.ready.exists, "the run")
        client.send_signal("one", "cancel", {})
        result = client.read_single_result()
        self.assertEqual(result.output_id, "success")
        self.assertTrue(result.output_data["cancelled"])
        self.assertEqual(len(result.output_data["results"]), 1)

    def test_cancel_of_serve(self):
        self.waits_for_term("exit 143")
        client = self.connect(self.start_plugin("--atp"))
        client.start_work("one", "serve", {"address": "tcp:127.0.0.1:1"})
        self.wait_for(self.ready.exists, "the run")
        client.send_signal("one", "cancel", {})
        result = client.read_single_result()
        self.assertEqual((result.output_id, result.output_data["cancelled"]), ("success", True))

    def test_the_end_of_the_engine_ends_the_run_and_the_plugin(self):
        """Which may be killed, with its container or its machine, and then cancels nothing."""
        done = self.folder / "done"
        self.waits_for_term(f": > {done}; exit 143")
        plugin = self.start_plugin("--atp")
        self.connect(plugin).start_work("one", "run-benchmark", ONE_TEST)
        self.wait_for(self.ready.exists, "the run")
        plugin.stdin.close()
        plugin.wait(TIMEOUT_S)
        self.assertTrue(done.exists())

    def test_an_engine_that_is_done_is_none_that_is_gone(self):
        go = self.folder / "go"
        self.use_fake_binary(f": > {self.ready}; while [ ! -e {go} ]; do sleep 0.05; done; cat {self.document}")
        plugin = self.start_plugin("--atp")
        client = self.connect(plugin)
        client.start_work("one", "run-benchmark", ONE_TEST)
        self.wait_for(self.ready.exists, "the run")
        client.send_client_done()
        plugin.stdin.close()
        go.touch()
        result = client.read_single_result()
        self.assertEqual(result.output_id, "success")
        self.assertNotIn("cancelled", result.output_data)

    def test_steps_measure_one_after_the_other(self):
        alone, together = self.folder / "alone", self.folder / "together"
        self.use_fake_binary(
            f"mkdir {alone} || : > {together}; sleep 0.3; rmdir {alone}; cat {self.document}",
        )
        client = self.connect(self.start_plugin("--atp"))
        names = ["one", "two", "three"]
        for name in names:
            client.start_work(name, "run-benchmark", ONE_TEST)
        results = [client.read_single_result() for _ in names]
        self.assertEqual({(result.run_id, result.output_id) for result in results}, {(n, "success") for n in names})
        self.assertFalse(together.exists())

    def test_cancel_of_a_step_that_waits_for_another(self):
        self.waits_for_term(f"cat {self.document}; exit 143")
        client = self.connect(self.start_plugin("--atp"))
        client.start_work("one", "run-benchmark", ONE_TEST)
        self.wait_for(self.ready.exists, "the run")
        client.start_work("two", "run-benchmark", ONE_TEST)
        for name, output_id in (("two", "error"), ("one", "success")):
            client.send_signal(name, "cancel", {})
            result = client.read_single_result()
            self.assertEqual((result.run_id, result.output_id), (name, output_id))

    def test_signals_end_the_run_and_the_plugin(self):
        done, said = self.folder / "done", self.folder / "said"
        self.waits_for_term(f": > {done}; exit 143")
        from_file = ("-s", "run-benchmark", "-f", "-")
        for arguments, number in (
            (("--atp",), signal.SIGTERM),  # of Ctrl-C the engine decides what it means
            (from_file, signal.SIGTERM),
            (from_file, signal.SIGINT),
        ):
            with self.subTest(arguments, signal=number), said.open("w") as stderr:
                plugin = self.start_plugin(*arguments, stderr=stderr)
                if arguments == ("--atp",):
                    self.connect(plugin).start_work("one", "run-benchmark", ONE_TEST)
                else:
                    plugin.stdin.write(yaml.safe_dump(ONE_TEST).encode())
                    plugin.stdin.close()
                self.wait_for(self.ready.exists, "the run")
                plugin.send_signal(number)
                self.assertEqual(plugin.wait(TIMEOUT_S), 128 + number)
                self.assertTrue(done.exists(), "the signal was not passed on")
                self.assertNotIn("Traceback", said.read_text())
                self.assert_nothing_runs()
                self.ready.unlink()
                done.unlink()

    def test_signals_leave_what_was_measured(self):
        self.use_fake_binary(
            f'case "$*" in *"-s 13 "*) trap "cat {self.document}; exit 143" TERM; : > {self.ready};'
            f" while :; do sleep 0.05; done;; *) cat {self.document};; esac"
        )
        tests = [{"mechanisms": ["uds"], "message_size": size} for size in (12, 13, 14)]
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                plugin = self.start_plugin("-s", "run-benchmark", "-f", "-", stderr=subprocess.PIPE)
                plugin.stdin.write(yaml.safe_dump({"tests": tests}).encode())
                plugin.stdin.close()
                self.wait_for(self.ready.exists, "the second test")
                plugin.send_signal(number)
                printed = yaml.safe_load(plugin.stdout.read())
                said = plugin.stderr.read().decode()
                plugin.stderr.close()
                self.assertEqual(plugin.wait(TIMEOUT_S), 128 + number)
                self.assertEqual((printed["output_id"], printed["output_data"]["cancelled"]), ("success", True))
                self.assertEqual([each["input_test"] for each in printed["output_data"]["results"]], [1, 2])
                self.assertEqual(said, f"Ended by {number.name}; the output has what was measured by then.\n")
                self.ready.unlink()

    def test_sigterm_that_another_thread_takes_ends_the_plugin_too(self):
        """As one that comes just before the plugin waits for the engine, it does not end that wait."""
        self.waits_for_term("exit 143")
        plugin = self.start_plugin("--atp")
        self.connect(plugin).start_work("one", "run-benchmark", ONE_TEST)
        self.wait_for(self.ready.exists, "the run")
        thread = max(map(int, os.listdir(f"/proc/{plugin.pid}/task")))
        self.assertNotEqual(thread, plugin.pid)
        self.assertEqual(ctypes.CDLL(None).tgkill(plugin.pid, thread, signal.SIGTERM), 0)
        self.assertEqual(plugin.wait(TIMEOUT_S), 128 + signal.SIGTERM)

    def test_kill_9_of_the_plugin_ends_the_run(self):
        done = self.folder / "done"
        self.waits_for_term(f": > {done}; exit 143")
        plugin = self.start_plugin("--atp")
        self.connect(plugin).start_work("one", "run-benchmark", ONE_TEST)
        self.wait_for(self.ready.exists, "the run")
        plugin.kill()
        plugin.wait(TIMEOUT_S)
        self.wait_for(done.exists, "the end of the run")
        self.assert_nothing_runs()


class Files(PluginTest):
    def plugin(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, str(PLUGIN_ROOT / "arcaflow_plugin_ipcmark" / "ipcmark_plugin.py"), *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )

    def test_a_run_from_standard_input(self):
        document = self.folder / "document.json"
        document.write_text(json.dumps(ipcmark_document()))
        self.use_fake_binary(f"cat {document}")
        done = self.plugin("-s", "run-benchmark", "-f", "-", text=yaml.safe_dump(ONE_TEST))
        self.assertEqual(done.returncode, 0, done.stderr)
        printed = yaml.safe_load(io.StringIO(done.stdout))
        self.assertEqual(printed["output_id"], "success")

    def test_bad_input(self):
        done = self.plugin("-s", "run-benchmark", "-f", "-", text="tests: []")
        self.assertEqual(done.returncode, 65)
        self.assertIn("tests", done.stderr)

    def test_schemas(self):
        for arguments in (
            ("--schema",),
            *(("-s", "run-benchmark", "--json-schema", kind) for kind in ("input", "output")),
        ):
            done = self.plugin(*arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("mechanisms", done.stdout)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every way in which a run can go wrong, with stand-ins that end in ways in which ipcmark does not end on demand."""

import json
import threading
import unittest

from plugin_support import TIMEOUTS_S, PluginTest, environment
from sample_documents import ipcmark_document, ipcmark_result

from arcaflow_plugin_ipcmark import binary, ipcmark_plugin
from arcaflow_plugin_ipcmark.ipcmark_schema import ErrorOutput, InputParams, ServeParams, SuccessOutput, TestRunConfig


class Errors(PluginTest):
    def run_tests(self, *tests: dict) -> tuple[str, SuccessOutput | ErrorOutput]:
        tests = tests or ({},)
        configs = [TestRunConfig(**{"mechanisms": ["uds"], **test}) for test in tests]
        self.step = ipcmark_plugin.RunBenchmark()
        return ipcmark_plugin.RunBenchmark.run_benchmark._handler(self.step, InputParams(configs))

    def error_of(self, script: str, **inputs) -> str:
        self.use_fake_binary(script)
        output_id, output = self.run_tests(inputs)
        self.assertEqual(output_id, "error")
        self.assertEqual(output.error, "\n".join(error.error for error in output.errors))
        return output.error

    def document_file(self, *results: dict, name: str = "document.json") -> str:
        path = self.folder / name
        path.write_text(json.dumps(ipcmark_document(list(results) or None)))
        return str(path)

    def test_exit_code_with_the_end_of_what_it_said(self):
        error = self.error_of("seq 1 9999 >&2; echo 'no such CPU: 99' >&2; exit 2")
        self.assertIn("Test 1 failed: ipcmark exited with code 2", error)
        self.assertIn("no such CPU: 99", error)
        self.assertNotIn("\n1\n", error)

    def test_crash(self):
        self.assertIn("Test 1 failed: ipcmark was killed by SIGSEGV (signal 11)", self.error_of("kill -SEGV $$"))

    def test_time_out(self):
        ready = self.folder / "ready"
        for timeout in TIMEOUTS_S:
            error = self.error_of(f"echo still measuring >&2; : > {ready}; exec sleep 600", timeout=timeout)
            self.assertIn(f"Test 1 timed out after {timeout} seconds", error)
            if ready.exists():
                break
        self.assertIn("still measuring", error)

    def test_time_out_keeps_what_was_measured(self):
        document, ready = self.document_file(), self.folder / "ready"
        self.use_fake_binary(f"trap 'cat {document}; exit 143' TERM; : > {ready}; while :; do sleep 0.05; done")
        for timeout in TIMEOUTS_S:
            output_id, output = self.run_tests({"timeout": timeout})
            if ready.exists():
                break
        self.assertEqual(output_id, "success")
        self.assertEqual(len(output.results), 1)
        self.assertIn(f"Test 1 timed out after {timeout} seconds; 1 of its results kept", output.errors[0].error)

    def test_no_document(self):
        self.assertIn("exited with code 0 but wrote no result document", self.error_of("exit 0"))

    def test_bad_json(self):
        for script, words in (
            ("echo '{\"metadata\": '", "not JSON"),
            ("echo 'Usage:'; echo ' ipcmark'; seq 999", "it begins with 'Usage: ipcmark 1 2 3 "),
            ("echo '[1]'", "a JSON object was expected"),
            ("echo '{}'", "metadata"),
            ('echo \'{"metadata": 1, "results": [], "summary": {}}\'', "metadata"),
        ):
            with self.subTest(script):
                error = self.error_of(script)
                self.assertIn("Test 1 failed: the result document of ipcmark cannot be read", error)
                self.assertIn(words, error)

    def test_missing_binary(self):
        with environment({"PATH": str(self.folder), binary.ENVIRONMENT: ""}):
            if any((folder / binary.NAME).exists() for folder in map(type(self.folder), binary._FOLDERS)):
                self.skipTest("ipcmark is installed where it is always found")
            output_id, output = self.run_tests()
        self.assertEqual(output_id, "error")
        self.assertIn("Could not find 'ipcmark' on PATH", output.error)

    def test_binary_that_is_named_but_not_there(self):
        with environment({binary.ENVIRONMENT: "/nowhere/ipcmark"}):
            output_id, output = self.run_tests()
        self.assertEqual(output_id, "error")
        self.assertIn("/nowhere/ipcmark", output.error)

    def test_binary_that_cannot_be_executed(self):
        program = self.use_fake_binary("exit 0")
        with open(program, "wb") as file:
            file.write(b"\x7fELF nonsense")
        output_id, output = self.run_tests()
        self.assertEqual(output_id, "error")
        self.assertIn("Test 1 failed", output.error)

    def test_contradicting_inputs(self):
        error = self.error_of("exit 0", server_affinity=0, server_cpus="1")
        self.assertIn("Test 1 was not run: server_affinity (0) and server_cpus (1)", error)

    def test_failed_test_keeps_the_results_of_the_others(self):
        document = self.document_file()
        self.use_fake_binary(f'case "$*" in *"-s 13 "*) echo unlucky >&2; exit 1;; *) cat {document};; esac')
        output_id, output = self.run_tests(
            {"message_size": 1}, {"message_size": 13, "iterations": 2}, {"message_size": 3}
        )
        self.assertEqual(output_id, "success")
        self.assertEqual([result.input_test for result in output.results], [1, 3])
        self.assertEqual(
            [(error.test, error.iteration, error.mechanisms) for error in output.errors],
            [(2, 1, ["uds"]), (2, 2, ["uds"])],
        )
        self.assertIn("Test 2 failed", output.errors[0].error)
        self.assertIn("Test 3 failed", output.errors[1].error)
        self.assertIn("unlucky", output.errors[1].error)

    def test_a_value_that_cannot_be_said_keeps_the_results_of_the_others(self):
        self.use_fake_binary(f"cat {self.document_file()}")
        output_id, output = self.run_tests({}, {"extra_args": ["a\0b"]}, {"host": "\ud800"}, {})
        self.assertEqual(output_id, "success")
        self.assertEqual([result.input_test for result in output.results], [1, 4])
        self.assertIn(r"Test 2 was not run: extra_args ('a\x00b')", output.errors[0].error)
        self.assertIn(r"Test 3 was not run: host ('\ud800')", output.errors[1].error)

    def test_a_time_out_of_a_month_is_one(self):
        self.use_fake_binary(f"cat {self.document_file()}")
        output_id, output = self.run_tests({"timeout": 30 * 24 * 3600})
        self.assertEqual((output_id, output.errors), ("success", None))

    def test_a_fault_that_nobody_thought_of_keeps_the_results_of_the_others(self):
        self.use_fake_binary(
            f'case "$*" in *"-s 13 "*) echo \'{{"results": 1}}\';; *) cat {self.document_file()};; esac'
        )
        output_id, output = self.run_tests({}, {"message_size": 13}, {"timeout": 10**400}, {})
        self.assertEqual(output_id, "success")
        self.assertEqual([result.input_test for result in output.results], [1, 4])
        self.assertIn("Test 2 failed: TypeError: ", output.errors[0].error)
        self.assertIn("Test 3 failed: OverflowError: ", output.errors[1].error)

    def test_exit_1_with_a_document_keeps_it(self):
        good, bad = ipcmark_result(), ipcmark_result(mechanism="TcpSocket", status={"Failure": "port taken"})
        document = self.document_file(good, bad)
        self.use_fake_binary(f"cat {document}; exit 1")
        output_id, output = self.run_tests()
        self.assertEqual(output_id, "success")
        self.assertEqual([result.status for result in output.results], ["Success", "Failure"])
        self.assertEqual(output.results[1].failure_reason, "port taken")
        self.assertEqual(len(output.errors), 1)

    def test_all_failed_under_continue_on_error_is_a_success_with_failures(self):
        document = self.document_file(ipcmark_result(status={"Failure": "port taken"}))
        self.use_fake_binary(f"cat {document}")
        output_id, output = self.run_tests({"continue_on_error": True})
        self.assertEqual(output_id, "success")
        self.assertEqual(output.results[0].failure_reason, "port taken")
        self.assertEqual(output.iteration_aggregates.tests, [])

    def test_unknown_fields_of_a_newer_ipcmark_are_a_warning(self):
        document = ipcmark_document()
        document["moon"] = "full"
        document["results"][0]["summary"]["tide"] = [1]
        path = self.folder / "document.json"
        path.write_text(json.dumps(document))
        self.use_fake_binary(f"cat {path}")
        output_id, output = self.run_tests()
        self.assertEqual(output_id, "success")
        self.assertEqual(len(output.warnings), 1)
        self.assertIn("moon, results[].summary.tide", output.warnings[0])

    def test_inputs_that_are_not_used_are_a_warning(self):
        self.use_fake_binary(f"cat {self.document_file()}")
        _, output = self.run_tests({"port": 9000})
        self.assertIn("port is only for tcp", output.warnings[0])

    def test_port_that_is_none(self):
        self.use_real_binary()
        output_id, output = self.run_tests({"mechanisms": ["tcp"], "port": 70_000})
        self.assertEqual(output_id, "error")
        self.assertIn("'70000' is not a port; write a number from 1 to 65535", output.error)

    def test_values_are_no_options(self):
        """Whatever they begin with: `duration: --help` printed the help."""
        self.use_real_binary()
        for name in ("duration", "send_delay", "host"):
            for value in ("--help", "--version"):
                with self.subTest(name, value=value):
                    output_id, output = self.run_tests({"mechanisms": ["tcp"], "msg_count": 10, name: value})
                    self.assertEqual(output_id, "error", output)
                    self.assertIn(f"--{name.replace('_', '-')} needs a value", output.error)
        for inputs, words in (
            ({"module_path": ["--help"]}, "--module-path needs a value"),
            ({"module_options": {"--help": "1"}}, "--module-option needs a value"),
            ({"percentiles": [-5.0]}, "'-5' is not a percentile"),
            ({"rate": -5.0}, "'-5' is negative"),
        ):
            with self.subTest(inputs):
                output_id, output = self.run_tests(inputs)
                self.assertEqual(output_id, "error", output)
                self.assertIn(words, output.error)

    def test_inputs_are_noted_on_results(self):
        self.use_fake_binary(f"cat {self.document_file()}")
        _, output = self.run_tests(
            {"blocking": False, "one_way": True, "send_delay": "1ms", "concurrency": 3, "iterations": 2}
        )
        result = output.results[1]
        self.assertEqual(
            (result.input_blocking, result.input_one_way, result.input_send_delay, result.input_concurrency),
            (False, True, "1ms", 3),
        )
        self.assertIsNone(result.input_round_trip)
        self.assertEqual((result.input_test, result.input_iteration), (1, 2))

    def test_histograms_are_returned_where_they_are_asked_for(self):
        self.use_fake_binary(f"cat {self.document_file()}")
        _, output = self.run_tests({}, {"histogram": True})
        self.assertIsNone(output.results[0].one_way_results.latency.histogram)
        self.assertEqual(len(output.results[1].one_way_results.latency.histogram), 6)

    def test_cancel_returns_what_was_measured(self):
        document, ready = self.document_file(), self.folder / "ready"
        self.use_fake_binary(
            f'case "$*" in *"-s 13 "*) trap "exit 130" TERM; : > {ready}; while :; do sleep 0.05; done;;'
            f" *) cat {document};; esac"
        )
        thread = threading.Thread(
            target=lambda: (self.wait_for(ready.exists, "the second test"), self.step.cancel.request())
        )
        thread.start()
        self.addCleanup(thread.join)
        output_id, output = self.run_tests({}, {"message_size": 13}, {})
        self.assertEqual(output_id, "success")
        self.assertTrue(output.cancelled)
        self.assertEqual(len(output.results), 1)
        self.assertIsNone(output.errors)

    def test_cancel_before_anything_was_measured(self):
        self.use_fake_binary("exec sleep 60")
        step = ipcmark_plugin.RunBenchmark()
        step.cancel.request()
        output_id, output = ipcmark_plugin.RunBenchmark.run_benchmark._handler(
            step, InputParams([TestRunConfig(mechanisms=["uds"])])
        )
        self.assertEqual((output_id, output.error), ("error", "Cancelled before anything was measured."))

    def test_cancel_with_a_document_that_has_no_figures(self):
        """As ipcmark writes it where it was ended before the first message."""
        result = ipcmark_result(status={"Failure": "interrupted"}, one_way_results=None, round_trip_results=None)
        document, ready = self.document_file(result), self.folder / "ready"
        self.use_fake_binary(f"trap 'cat {document}; exit 130' TERM; : > {ready}; while :; do sleep 0.05; done")
        thread = threading.Thread(target=lambda: (self.wait_for(ready.exists, "the test"), self.step.cancel.request()))
        thread.start()
        self.addCleanup(thread.join)
        output_id, output = self.run_tests()
        self.assertEqual((output_id, output.error), ("error", "Cancelled before anything was measured."))


class ServeErrors(PluginTest):
    def serve(self, script: str, **inputs):
        self.use_fake_binary(script)
        return ipcmark_plugin.Serve.serve._handler(ipcmark_plugin.Serve(), ServeParams(**inputs))

    def test_failure(self):
        output_id, output = self.serve("echo 'address in use' >&2; exit 1")
        self.assertEqual(output_id, "error")
        self.assertIn("ipcmark serve exited with code 1: address in use", output.error)

    def test_address_that_is_none(self):
        output_id, output = self.serve("exit 0", address="--help")
        self.assertEqual((output_id, output.error[:16]), ("error", "address (--help)"))

    def test_values_that_cannot_be_said(self):
        output_id, output = self.serve("exit 0", address="tcp:\0:1")
        self.assertEqual(output_id, "error")
        self.assertIn(r"address ('tcp:\x00:1')", output.error)
        output_id, output = self.serve("exit 0", timeout=10**400)
        self.assertEqual(output_id, "error")
        self.assertIn("ipcmark serve failed: OverflowError: ", output.error)

    def test_a_time_out_of_a_month_is_one(self):
        self.assertEqual(self.serve("exit 0", timeout=30 * 24 * 3600)[0], "success")

    def test_time_out_is_an_end_like_another(self):
        ready = self.folder / "ready"
        for timeout in TIMEOUTS_S:
            output_id, output = self.serve(f"echo ready >&2; : > {ready}; exec sleep 600", timeout=timeout)
            if ready.exists():
                break
        self.assertEqual(output_id, "success")
        self.assertTrue(output.timed_out)
        self.assertEqual(output.log, ["ready"])


if __name__ == "__main__":
    unittest.main()

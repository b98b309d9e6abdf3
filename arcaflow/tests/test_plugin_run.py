#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The steps with the real program."""

import shutil
import socket
import threading
import unittest
from pathlib import Path

from plugin_support import TIMEOUT_S, TIMEOUTS_S, PluginTest, free_port

from arcaflow_plugin_ipcmark import ipcmark_plugin
from arcaflow_plugin_ipcmark.ipcmark_schema import ConnectParams, InputParams, ServeParams, TestRunConfig

# In the order of 'all'.
NAMES = {"uds": "UnixDomainSocket", "shm": "SharedMemory", "tcp": "TcpSocket", "pmq": "PosixMessageQueue"}


class RealRun(PluginTest):
    def setUp(self) -> None:
        super().setUp()
        self.program = Path(self.use_real_binary())

    def run_benchmark(self, *tests: dict, step=None):
        configs = [
            TestRunConfig(**{"mechanisms": ["uds"], "msg_count": 200, "warmup_iterations": 20, **test})
            for test in tests
        ]
        return ipcmark_plugin.RunBenchmark.run_benchmark._handler(
            step or ipcmark_plugin.RunBenchmark(), InputParams(configs)
        )

    def test_four_mechanisms_in_both_modes(self):
        output_id, output = self.run_benchmark({"mechanisms": ["all"]}, {"mechanisms": list(NAMES), "blocking": False})
        self.assertEqual(output_id, "success", output)
        self.assertIsNone(output.errors)
        self.assertEqual([result.mechanism for result in output.results], 2 * list(NAMES.values()))
        self.assertEqual(
            [result.test_config.mode for result in output.results], 4 * ["blocking"] + 4 * ["asynchronous"]
        )
        self.assertEqual(len(output.iteration_aggregates.tests), 16)
        self.assertEqual(output.metadata.total_tests, 8)
        self.assertEqual(output.summary.total_messages, sum(r.summary.total_messages_sent for r in output.results))

    def test_iterations_are_counted_together(self):
        _, output = self.run_benchmark({"iterations": 3, "one_way": True}, {"repeat": 2, "one_way": True})
        (aggregate,) = output.iteration_aggregates.tests
        self.assertEqual((aggregate.iterations_completed, aggregate.direction), (5, "one_way"))
        rates = [result.one_way_results.throughput.bytes_per_second / 1e6 for result in output.results]
        self.assertAlmostEqual(aggregate.throughput_mbps.mean, sum(rates) / 5)
        self.assertEqual(
            (aggregate.throughput_mbps.min_value, aggregate.throughput_mbps.max_value), (min(rates), max(rates))
        )

    def test_iterations_of_every_mechanism_are_counted_together(self):
        """Whatever the system chose in each: a port, the sizes of buffers, a NUMA node."""
        _, output = self.run_benchmark({"mechanisms": ["all"], "iterations": 2}, {"mechanisms": ["tcp"], "repeat": 2})
        found = {
            (each.mechanism, each.direction): each.iterations_completed for each in output.iteration_aggregates.tests
        }
        runs = {"UnixDomainSocket": 2, "SharedMemory": 2, "TcpSocket": 4, "PosixMessageQueue": 2}
        self.assertEqual(
            found, {(name, way): count for name, count in runs.items() for way in ("one_way", "round_trip")}
        )
        self.assertEqual(len(output.iteration_aggregates.tests), len(found))

    def test_a_failed_test_keeps_the_results_of_the_others(self):
        output_id, output = self.run_benchmark({}, {"mechanisms": ["usd"]}, {"message_size": 64})
        self.assertEqual(output_id, "success")
        self.assertEqual([result.input_test for result in output.results], [1, 3])
        self.assertIn("usd", output.errors[0].error)
        self.assertIn("uds", output.errors[0].error)  # the nearest name

    def test_a_failed_mechanism_keeps_the_others_of_its_test(self):
        taken = self.enterContext(socket.socket())
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        test = {"mechanisms": ["uds", "tcp", "shm"], "port": taken.getsockname()[1]}
        for go_on, mechanisms in ((True, ["uds", "tcp", "shm"]), (False, ["uds", "tcp"])):
            with self.subTest(continue_on_error=go_on):
                output_id, output = self.run_benchmark({**test, "continue_on_error": go_on})
                self.assertEqual(output_id, "success", output)
                self.assertEqual([result.mechanism for result in output.results], [NAMES[name] for name in mechanisms])
                self.assertEqual(output.results[1].status, "Failure")
                self.assertIn(str(test["port"]), output.results[1].failure_reason)
                self.assertEqual(bool(output.errors), not go_on)

    def test_a_mechanism_that_cannot_do_a_test_does_not_cost_it_the_others(self):
        too_big = int(Path("/proc/sys/fs/mqueue/msgsize_max").read_text()) + 1
        output_id, output = self.run_benchmark(
            {"mechanisms": ["pmq", "uds"], "message_size": too_big, "msg_count": 20, "continue_on_error": True}
        )
        self.assertEqual(output_id, "success", output)
        self.assertEqual([result.status for result in output.results], ["Failure", "Success"])
        self.assertIn(str(too_big), output.results[0].failure_reason)

    def test_mechanisms_that_all_cannot_do_a_test_are_its_results(self):
        too_big = int(Path("/proc/sys/fs/mqueue/msgsize_max").read_text()) + 1
        output_id, output = self.run_benchmark(
            {"mechanisms": ["pmq"], "message_size": too_big, "msg_count": 20, "continue_on_error": True}
        )
        self.assertEqual(output_id, "success", output)
        self.assertEqual([result.status for result in output.results], ["Failure"])
        self.assertIn(str(too_big), output.results[0].failure_reason)
        self.assertFalse(output.errors)

    def test_extra_arguments_are_all_that_is_measured(self):
        _, output = self.run_benchmark({"extra_args": ["-s", "64", "-c", "2", "--round-trip"]})
        (result,) = output.results
        self.assertEqual((result.test_config.message_size, result.test_config.concurrency), (64, 2))
        self.assertIsNone(result.one_way_results)
        self.assertIsNotNone(result.round_trip_results)

    def test_no_cpu_of_that_number(self):
        output_id, output = self.run_benchmark({"server_affinity": 4095})
        self.assertEqual(output_id, "error")
        self.assertIn("4095", output.error)

    def test_third_party_module_by_name(self):
        found = sorted(self.program.parent.parent.glob("modules/null/*.so"))
        if not found:
            self.skipTest("an installed ipcmark has its modules elsewhere")
        folder = self.folder / "modules"
        folder.mkdir(mode=0o755)
        shutil.copy(found[0], folder)
        output_id, output = self.run_benchmark({"mechanisms": ["null"], "module_path": [str(folder)], "one_way": True})
        self.assertEqual(output_id, "success", output)
        self.assertTrue(output.results[0].module.path.startswith(str(folder)), output.results[0].module.path)

    def test_time_out_keeps_what_was_measured(self):
        for timeout in TIMEOUTS_S:
            output_id, output = self.run_benchmark({"duration": "5m", "one_way": True, "timeout": timeout})
            if output_id == "success":
                break  # otherwise nothing was measured by then
        self.assertEqual(output_id, "success", output)
        self.assertIn(f"Test 1 timed out after {timeout} seconds", output.errors[0].error)
        self.assertTrue(output.results[0].partial)
        self.assertGreater(output.results[0].one_way_results.latency.total_samples, 0)
        self.assertEqual(output.iteration_aggregates.tests, [])

    def test_cancel_keeps_what_was_measured(self):
        step = ipcmark_plugin.RunBenchmark()

        def cancel() -> None:
            self.wait_for(lambda: self.moves_messages("5m"), "the long test")
            step.cancel.request()

        thread = threading.Thread(target=cancel)
        thread.start()
        self.addCleanup(thread.join)
        output_id, output = self.run_benchmark({}, {"duration": "5m", "round_trip": True}, {}, step=step)
        self.assertEqual(output_id, "success", output)
        self.assertTrue(output.cancelled)
        self.assertEqual([result.input_test for result in output.results], [1, 2])
        self.assertTrue(output.results[1].partial)
        self.assert_nothing_runs()


class TwoEnds(PluginTest):
    def test_serve_and_connect(self):
        self.use_real_binary()
        address = f"tcp:127.0.0.1:{free_port()}"
        server, served = ipcmark_plugin.Serve(), []
        thread = threading.Thread(
            target=lambda: served.append(ipcmark_plugin.Serve.serve._handler(server, ServeParams(address=address)))
        )
        thread.start()
        try:
            tests = [
                TestRunConfig(mechanisms=[name], msg_count=100, warmup_iterations=10) for name in ("tcp", "uds", "shm")
            ]
            output_id, output = ipcmark_plugin.Connect.connect._handler(
                ipcmark_plugin.Connect(), ConnectParams(address=address, tests=tests)
            )
        finally:
            server.cancel.request()
            thread.join(TIMEOUT_S)
        self.assertEqual(output_id, "success", output)
        self.assertIsNone(output.errors)
        self.assertEqual(len(output.results), 3)
        self.assertEqual(served[0][0], "success", served)
        self.assertTrue(served[0][1].cancelled)

    def test_connect_to_nobody(self):
        self.use_real_binary()
        output_id, output = ipcmark_plugin.Connect.connect._handler(
            ipcmark_plugin.Connect(),
            ConnectParams(address="tcp:127.0.0.1:1", tests=[TestRunConfig(mechanisms=["uds"])], retry="200ms"),
        )
        self.assertEqual(output_id, "error")
        self.assertIn("127.0.0.1:1", output.error)


if __name__ == "__main__":
    unittest.main()

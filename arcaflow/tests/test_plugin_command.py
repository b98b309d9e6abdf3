#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From inputs to the command line."""

import unittest

import plugin_support  # noqa: F401

from arcaflow_plugin_ipcmark import command
from arcaflow_plugin_ipcmark.ipcmark_schema import Clock, ConnectParams, ServeParams, TestRunConfig, WaitPolicy


def arguments(*mechanisms: str, **inputs) -> str:
    return " ".join(command.run_arguments(TestRunConfig(mechanisms=list(mechanisms or ("uds",)), **inputs)))


class RunArguments(unittest.TestCase):
    def test_defaults_are_all_said(self):
        self.assertEqual(
            arguments(),
            "run -m uds -s 1024 -i 10000 -c 1 --blocking -w 1000 --percentiles=50 --percentiles=95 --percentiles=99"
            " --percentiles=99.9 --one-way --round-trip"
            " --schema ipcmark --output-file -",
        )

    def test_every_published_input_arrives(self):
        line = arguments(
            "uds",
            "tcp",
            "shm",
            "pmq",
            message_size=64,
            msg_count=5,
            concurrency=2,
            blocking=True,
            buffer_size=4096,
            warmup_iterations=0,
            percentiles=[50.0, 99.99],
            one_way=True,
            send_delay="10us",
            server_affinity=0,
            client_affinity=1,
            shm_direct=True,
            continue_on_error=True,
            quiet=True,
            include_first_message=True,
            host="127.0.0.2",
            port=9000,
            pmq_priority=3,
            extra_args=["--debug-module"],
        )
        for part in (
            "-m uds tcp shm pmq -s 64 -i 5 -c 2 --blocking -w 0 --percentiles=50 --percentiles=99.99 --one-way",
            "--send-delay=10us",
            "--server-affinity 0 --client-affinity 1",
            "--buffer-size=4096",
            "--host=127.0.0.2 --port=9000",
            "--pmq-priority=3",
            "--shm-direct --include-first-message --continue-on-error --quiet",
            "--debug-module --schema",
        ):
            self.assertIn(part, line)
        self.assertNotIn("--round-trip", line)

    def test_everything_that_ipcmark_adds_arrives(self):
        line = arguments(
            rate=2500.5,
            wait=WaitPolicy.adaptive,
            spin="50us",
            window=8,
            batch=4,
            repeat=3,
            server_cpus="0-1",
            client_cpus="2,3",
            clock=Clock.monotonic,
            module_options={"type": "seqpacket", "tcp.nodelay": "false"},
            module_path=["/a", "/b"],
        )
        for part in (
            "--server-affinity 0-1 --client-affinity 2,3 --wait adaptive:50us --rate=2500.5 --window=8 --batch=4"
            " --repeat=3 --clock=monotonic",
            "--module-option=tcp.nodelay=false --module-option=type=seqpacket --module-path=/a --module-path=/b",
        ):
            self.assertIn(part, line)

    def test_extra_arguments_have_no_default_beside_them(self):
        """A default beside `-s 64` would be a second size to measure, and beside --one-way the other direction."""
        line = arguments(extra_args=["-s", "64", "--one-way"]).split()
        self.assertEqual(line[:4], ["run", "-m", "uds", "--blocking"])
        self.assertEqual(line.count("-s"), 1)
        for flag in ("-i", "-c", "-w", "--percentiles=50", "--round-trip"):
            self.assertNotIn(flag, line)
        self.assertIn("-i 7", arguments(msg_count=7, extra_args=["-v"]))

    def test_duration_wins_over_count(self):
        line = arguments(duration="3s", msg_count=5)
        self.assertIn("--duration=3s", line)
        self.assertNotIn("-i", line.split())

    def test_mode_is_always_said(self):
        self.assertIn("--blocking", arguments().split())
        self.assertIn("--blocking", arguments(blocking=None).split())
        self.assertIn("--async", arguments(blocking=False).split())
        self.assertIn("--blocking", arguments("shm", blocking=False, shm_direct=True).split())
        self.assertIn("--async", arguments("uds", blocking=False, shm_direct=True).split())  # it is ignored there

    def test_large_rates_have_no_exponent(self):
        self.assertIn("--rate=15000000 ", arguments(rate=1.5e7))

    def test_inputs_for_other_mechanisms_are_left_out_and_named(self):
        test = TestRunConfig(mechanisms=["uds"], port=9000, pmq_priority=1, shm_direct=True)
        line = command.run_arguments(test)
        for flag in ("--port", "--pmq-priority", "--shm-direct"):
            self.assertNotIn(flag, " ".join(line))
        self.assertEqual(len(command.not_for_these_mechanisms(test)), 3)
        every = TestRunConfig(mechanisms=["all"], port=9000, pmq_priority=1, shm_direct=True)
        self.assertEqual(command.not_for_these_mechanisms(every), [])

    def test_contradictions_are_named(self):
        for inputs, words in (
            ({"server_affinity": 0, "server_cpus": "1"}, ("server_affinity", "server_cpus")),
            ({"spin": "1us"}, ("spin", "adaptive")),
            ({"spin": "1us", "wait": WaitPolicy.block}, ("spin", "adaptive")),
        ):
            with self.subTest(inputs), self.assertRaises(command.InputError) as caught:
                arguments(**inputs)
            for word in words:
                self.assertIn(word, str(caught.exception))

    def test_texts_that_no_command_line_can_hold_are_named(self):
        for bad in ("a\0b", "\ud800", "\udcff"):
            for name, value in (
                ("extra_args", ["-v", bad]),
                ("host", bad),
                ("module_options", {"type": bad}),
                ("module_options", {bad: "1"}),
                ("module_path", [bad]),
            ):
                with self.subTest(name, bad=ascii(bad)), self.assertRaises(command.InputError) as caught:
                    arguments("tcp", **{name: value})
                self.assertIn(f"{name} ({bad!r})", str(caught.exception))


class OtherSteps(unittest.TestCase):
    def test_texts_that_no_command_line_can_hold_are_named(self):
        tests = [TestRunConfig(mechanisms=["uds"])]
        for inputs in ({"address": "tcp:\0:1"}, {"address": "unix:a", "retry": "\ud800"}):
            params = ConnectParams(tests=tests, **inputs)
            with self.subTest(inputs), self.assertRaises(command.InputError) as caught:
                command.connect_arguments(params, tests[0])
            self.assertIn(f"{list(inputs)[-1]} (", str(caught.exception))
        with self.assertRaises(command.InputError) as caught:
            command.serve_arguments(ServeParams(extra_args=["\0"]))
        self.assertIn(r"extra_args ('\x00')", str(caught.exception))

    def test_an_address_is_no_option(self):
        params = ConnectParams(address="--help", tests=[TestRunConfig(mechanisms=["uds"])])
        for arguments in (
            lambda: command.serve_arguments(ServeParams(address="--help")),
            lambda: command.connect_arguments(params, params.tests[0]),
        ):
            with self.assertRaises(command.InputError) as caught:
                arguments()
            self.assertIn("address (--help)", str(caught.exception))

    def test_serve(self):
        params = ServeParams(address="unix:@here", server_cpus="0", once=True, module_path=["/a"], extra_args=["-v"])
        self.assertEqual(
            command.serve_arguments(params),
            ["serve", "unix:@here", "--once", "--server-affinity", "0", "--module-path=/a", "-v"],
        )

    def test_connect(self):
        params = ConnectParams(address="tcp:127.0.0.1:1", tests=[TestRunConfig(mechanisms=["uds"])], retry="5s")
        line = command.connect_arguments(params, params.tests[0])
        self.assertEqual(line[:3], ["connect", "tcp:127.0.0.1:1", "--retry=5s"])
        self.assertIn("--blocking", line)


if __name__ == "__main__":
    unittest.main()

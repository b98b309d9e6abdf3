#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From a result to the command that measures the same again, and whether it does."""

import json
import shlex
import shutil
import subprocess
import unittest

from plugin_support import TIMEOUT_S, PluginTest, free_port
from sample_documents import ipcmark_result, rusty_result

from rerun import command


class Command(unittest.TestCase):
    def test_of_rusty_comms(self):
        """What its documents do not hold is in the inputs that its plugin notes."""
        self.assertEqual(command(rusty_result()), "ipc-benchmark -m uds -s 1024 -i 1000 -w 100")
        config = {**rusty_result()["test_config"], "msg_count": None, "duration": {"secs": 1, "nanos": 500_000_000}}
        config |= {"concurrency": 4, "one_way_enabled": False}
        result = rusty_result(test_config=config, input_blocking=True, input_round_trip=True, input_send_delay="1ms")
        self.assertEqual(
            command(result),
            "ipc-benchmark -m uds -s 1024 -d 1.5s -w 100 -c 4 --blocking --round-trip --send-delay 1ms",
        )

    def test_what_ran_wins_over_what_was_asked(self):
        result = ipcmark_result(input_one_way=True, input_send_delay="1ms", input_blocking=False)
        self.assertEqual(command(result), "ipc-benchmark -m uds -s 1024 -i 1000 -w 100 --blocking")

    def test_only_shared_memory_is_direct(self):
        """Of a test with shm_direct and several mechanisms; `-m uds --shm-direct` cannot run."""
        for result in (ipcmark_result(input_shm_direct=True), rusty_result(input_shm_direct=True)):
            self.assertEqual(command(result), "ipc-benchmark -m uds -s 1024 -i 1000 -w 100 --blocking")
        self.assertIn("--blocking --shm-direct", command(rusty_result(mechanism="SharedMemory", input_shm_direct=True)))

    def test_modules_that_are_not_found_by_themselves(self):
        for path, said in (
            ("/usr/lib/ipcmark/modules-1/uds.so", ""),
            ("/home/me/ipcmark/build/modules/uds/uds.so", ""),
            ("/tmp/my modules/uds.so", " --module-path '/tmp/my modules'"),
            ("/uds.so", " --module-path /"),
        ):
            result = ipcmark_result(module={**ipcmark_result()["module"], "path": path})
            self.assertEqual(command(result), f"ipc-benchmark -m uds -s 1024 -i 1000 -w 100 --blocking{said}")
        result["test_config"]["mechanism_id"] = "./uds.so"
        self.assertEqual(command(result), "ipc-benchmark -m /uds.so -s 1024 -i 1000 -w 100 --blocking")


class Again(PluginTest):
    def setUp(self) -> None:
        super().setUp()
        self.program = self.use_real_binary()

    def measured(self, name: str, *arguments: str) -> list[dict]:
        """`name`: as which the program is started, which decides on defaults."""
        done = subprocess.run(
            [name, *arguments, "--schema", "ipcmark", "-o", "-"],
            executable=self.program,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["results"]

    def same(self, result: dict) -> tuple:
        options = {option["name"]: option["value"] for option in result["module"]["options"] if option["given"]}
        options.pop("port", None)  # in the document, that of a connection
        clock = result["system_info"]["clock"]["source"]
        # A file that is asked for by another path is the same; what it is, module says.
        config = {**result["test_config"], "mechanism_id": None}
        return result["mechanism"], config, options, clock, result["module"]["path"], result["module"]["checked"]

    def test_the_command_measures_the_same(self):
        modules = self.folder / "modules"
        modules.mkdir(mode=0o755)
        (used,) = self.measured("ipcmark", "run", "-m", "uds", "-i", "10", "--one-way")
        shutil.copy(used["module"]["path"], modules / "uds.so")
        for arguments in (
            f"-m uds -i 50 --module-path {modules}",
            f"-m {modules}/uds.so -i 50",
            "-m uds -i 50 --debug-module",
            "-m uds shm tcp pmq -s 64 200 -c 1 2 -i 50",
            "-m uds tcp -i 50 -w 0 --async --round-trip --window 4",
            "-m uds -d 1234567ns --one-way --batch 3 --include-first-message --percentiles 50 12.5",
            "-m uds -i 50 --wait adaptive:1500ns --clock monotonic --timeout 90s",
            "-m uds -i 50 --wait spin --rate 12345.678",
            "-m uds -i 5 --send-delay 1500us --server-affinity 0 --client-affinity 0",
            "-m shm -i 50 --shm-direct -O numa-node=0",
            "-m uds tcp shm -i 50 --buffer-size 8192",
            "-m uds -i 50 -O type=seqpacket -O buffer-size=32K -O send-buffer=20K",
            "-m pmq -i 50 -s 64 --pmq-priority 3 -O depth=5",
            f"-m tcp -i 50 --host 127.0.0.2 --port {free_port()} -O nodelay=false",
        ):
            for result in self.measured("ipcmark", "run", *arguments.split()):
                line = command(result)
                with self.subTest(arguments, command=line):
                    (again,) = self.measured(*shlex.split(line))
                    self.assertEqual(self.same(again), self.same(result))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How the base image is found or made. What would take minutes or the network is replaced by scripts."""

import os
import signal
import subprocess
import unittest

from plugin_support import TIMEOUT_S, UTILS, PluginTest

PODMAN = 'echo "$@" >> "$LOG"; [ "$1" != image ] && [ "$1" != pull ]'
DEBOOTSTRAP = 'echo debootstrap >> "$LOG"; mkdir -p "$3/var/cache/apt/x" "$3/etc"; echo content > "$3/etc/file"'
APT = "echo 'Debian trixie-updates http://wrong'; echo 'Debian trixie http://mirror'"


class BaseImage(PluginTest):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.folder / "log"
        self.cache = self.folder / "cache" / "ipcmark"
        self.programs = self.folder / "bin"
        self.programs.mkdir()
        for name, script in (("podman", PODMAN), ("debootstrap", DEBOOTSTRAP), ("apt-get", APT), ("id", "echo 0")):
            self.program(name, script)

    def program(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def start(self) -> subprocess.Popen:
        script = f'set -euo pipefail; source {UTILS}/containers.sh; base=$(base_image); echo "$base"'
        environment = {name: value for name, value in os.environ.items() if name != "BASE_IMAGE"}
        return subprocess.Popen(
            ["bash", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={
                **environment,
                "PATH": f"{self.programs}:{os.environ['PATH']}",
                "LOG": str(self.log),
                "XDG_CACHE_HOME": str(self.cache.parent),
            },
        )

    def find(self) -> str:
        process = self.start()
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 0, stderr)
        return stdout.strip()

    def logged(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def test_made_on_a_fresh_machine(self):
        self.assertEqual(self.find(), "localhost/debian:trixie-slim")
        self.assertEqual(sorted(os.listdir(self.cache)), ["debian-trixie-slim.tar", "lock"])
        listed = subprocess.check_output(["tar", "-tf", self.cache / "debian-trixie-slim.tar"], text=True)
        self.assertIn("./etc/file", listed)
        self.assertIn("import -q", self.logged())

    def test_kept_for_the_next_time(self):
        self.find()
        self.assertEqual(self.find(), "localhost/debian:trixie-slim")
        self.assertEqual(self.logged().count("debootstrap"), 1)

    def test_two_at_the_same_time_make_it_once(self):
        both = [self.start(), self.start()]
        for process in both:
            process.communicate(timeout=TIMEOUT_S)
        self.assertEqual([process.returncode for process in both], [0, 0])
        self.assertEqual(self.logged().count("debootstrap"), 1)

    def test_what_a_killed_one_left_is_removed(self):
        self.program("debootstrap", 'mkdir -p "$3"; echo begun >> "$LOG"; exec sleep 300')
        process = self.start()
        self.wait_for(lambda: "begun" in self.logged(), "debootstrap")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=TIMEOUT_S)
        self.assertTrue(list(self.cache.glob("bootstrap.*")))
        self.program("debootstrap", DEBOOTSTRAP)
        self.find()
        self.assertEqual(sorted(os.listdir(self.cache)), ["debian-trixie-slim.tar", "lock"])

    def test_failure_says_what_it_said(self):
        self.program("debootstrap", "echo no such suite; exit 1")
        process = self.start()
        _, stderr = process.communicate(timeout=TIMEOUT_S)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("no such suite", stderr)
        self.assertIn("debootstrap failed", stderr)
        self.assertEqual(os.listdir(self.cache), ["lock"])


if __name__ == "__main__":
    unittest.main()

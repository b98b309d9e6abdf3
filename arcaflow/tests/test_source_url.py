#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The image's label says where its sources are, or nothing."""

import os
import subprocess
import unittest

from plugin_support import UTILS, PluginTest


class SourceUrl(PluginTest):
    def source_url(self, **kwargs: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "SOURCE_URL"}
        script = f'set -euo pipefail; source {UTILS}/source_url.sh; source_url "$1"'
        command = ["bash", "-c", script, "-", str(self.folder)]
        return subprocess.check_output(command, text=True, env={**environment, **kwargs}).strip()

    def test_of_a_clone(self):
        subprocess.check_call(["git", "init", "-q", self.folder])
        self.assertEqual(self.source_url(), "")
        subprocess.check_call(["git", "-C", self.folder, "remote", "add", "origin", "x"])
        for origin, url in {
            "https://example.org/group/ipcmark.git": "https://example.org/group/ipcmark",
            "https://example.org/group/ipcmark": "https://example.org/group/ipcmark",
            "https://user:secret@example.org/ipcmark.git": "https://example.org/ipcmark",
            "http://example.org:8080/ipcmark": "http://example.org:8080/ipcmark",
            "git@example.org:group/ipcmark.git": "https://example.org/group/ipcmark",
            "ssh://git@example.org/group/ipcmark.git": "https://example.org/group/ipcmark",
            "ssh://git@example.org:2222/ipcmark": "https://example.org/ipcmark",
            "/srv/ipcmark": "",
            "../ipcmark": "",
            "file:///srv/ipcmark.git": "",
        }.items():
            with self.subTest(origin):
                subprocess.check_call(["git", "-C", self.folder, "remote", "set-url", "origin", origin])
                self.assertEqual(self.source_url(), url)

    def test_as_named(self):
        self.assertEqual(self.source_url(SOURCE_URL="https://example.org/x"), "https://example.org/x")

    def test_outside_of_a_clone(self):
        self.assertEqual(self.source_url(GIT_CEILING_DIRECTORIES=str(self.folder.parent)), "")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""Every command of docs/writing-a-module.md, in its order, in one shell, in an empty folder."""

import re
import subprocess

from out_of_tree import installation, needs_plain_build  # noqa: F401
from support import SOURCE_ROOT

pytestmark = needs_plain_build
GUIDE = SOURCE_ROOT / "docs" / "writing-a-module.md"


def commands():
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(), re.M | re.S))


def test_the_guide(installation, leftovers, tmp_path):  # noqa: F811
    script = commands()
    assert script.count("ipcmark") > 8
    # `meson install` goes to where this installed host looks: the module folder that pkg-config names has the
    # sysroot in front with some pkg-configs, and not with others.
    moduledir = installation.run("pkg-config", "--variable=moduledir", "ipcmark-module", cwd=tmp_path)
    destdir = "" if moduledir.startswith(str(installation.root)) else str(installation.root)
    environment = {**installation.environment(), **leftovers.environment(), "DESTDIR": destdir}
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "my-pipe" in done.stdout


def test_every_test_that_the_guide_names_is_there(ipcmark):
    ids = {line.split()[0] for line in ipcmark("check", "--list").stdout.splitlines() if line and line[0] != " "}
    named = set(
        re.findall(r"`((?:interrupt|peer_death|messages|sizes|lifecycle|threads|leaks)\.\w+)`", GUIDE.read_text())
    )
    assert named and named <= ids, named - ids

# SPDX-License-Identifier: Apache-2.0
"""An installation of this build in a folder of its own, and modules built against nothing but that."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support import BUILD_ROOT, Tool, build_options


class Installation:
    def __init__(self, folder):
        self.root = folder
        self.prefix = folder / build_options()["prefix"].lstrip("/")
        subprocess.run(
            ["meson", "install", "-C", BUILD_ROOT, "--no-rebuild", "--quiet", "--destdir", folder],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        self.pkg_config = next(self.prefix.rglob("ipcmark-module.pc")).parent

    def tool(self, leftovers, folder):
        tool = Tool("ipcmark", leftovers, folder)
        tool.path = self.prefix / "bin" / "ipcmark"
        return tool

    def environment(self):
        """What another project needs to find it. The sysroot stands for the DESTDIR, which no real user has."""
        return {
            **os.environ,
            "PATH": f"{self.prefix / 'bin'}:{os.environ['PATH']}",
            "PKG_CONFIG_PATH": str(self.pkg_config),
            "PKG_CONFIG_SYSROOT_DIR": str(self.root),
        }

    def run(self, *command, cwd):
        done = subprocess.run(
            command, cwd=cwd, env=self.environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def meson_build(self, source, build):
        self.run("meson", "setup", build, source, cwd=source)
        self.run("ninja", "-C", build, cwd=source)
        return build

    def cargo_build(self, source, build):
        """Skips, saying so, where Cargo or its one crate is not to be had."""
        if shutil.which("cargo") is None:
            pytest.skip("cargo is not installed")
        target = ["--manifest-path", source / "Cargo.toml"]
        if subprocess.run(["cargo", "fetch", "--locked", *target], capture_output=True).returncode != 0:
            pytest.skip("the crate libc cannot be fetched")
        self.run("cargo", "build", "--release", "--locked", "--offline", *target, "--target-dir", build, cwd=source)
        return build / "release"


SANITIZED = build_options()["b_sanitize"] != "none"
needs_plain_build = pytest.mark.skipif(
    SANITIZED, reason="a module built apart has not the sanitizer that this host is built with"
)


@pytest.fixture(scope="session")
def installation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installation")
    yield Installation(folder)
    shutil.rmtree(folder, ignore_errors=True)


def only_module(folder):
    modules = [path for path in Path(folder).glob("*.so") if path.is_file()]
    assert len(modules) == 1, modules
    return modules[0]

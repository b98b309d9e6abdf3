# SPDX-License-Identifier: Apache-2.0
"""What `meson install` puts down works from there, moved to any folder, with nothing of the build tree."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from support import BUILD_ROOT, MECHANISMS, TIMEOUT_S, Tool


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installation")
    subprocess.run(
        ["meson", "install", "-C", BUILD_ROOT, "--no-rebuild", "--quiet", "--destdir", folder],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    options = json.loads((BUILD_ROOT / "meson-info" / "intro-buildoptions.json").read_text())
    prefix = next(option["value"] for option in options if option["name"] == "prefix")
    return folder, folder / prefix.lstrip("/")


def only(paths):
    paths = list(paths)
    assert len(paths) == 1, paths
    return paths[0]


@pytest.fixture
def installed(installation, leftovers, tmp_path):
    tool = Tool("ipcmark", leftovers, tmp_path)
    tool.path = installation[1] / "bin" / "ipcmark"
    return tool


def pkg_config(installation, *arguments):
    """Of an installation that was moved, as this one is: from where it was configured for to below a folder."""
    _, prefix = installation
    folder = only(prefix.rglob("ipcmark-module.pc")).parent
    return subprocess.run(
        ["pkg-config", *arguments],
        env={**os.environ, "PKG_CONFIG_PATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_everything_has_its_place(installation):
    _, prefix = installation
    for name in (
        "bin/ipcmark",
        "bin/ipc-benchmark",
        "include/ipcmark/module.h",
        "include/ipcmark/run.hpp",
        "share/bash-completion/completions/ipcmark",
        "share/zsh/site-functions/_ipcmark",
        "share/doc/ipcmark/LICENSE",
        "share/doc/ipcmark/writing-a-module.md",
        "share/doc/ipcmark/abi.md",
    ):
        assert (prefix / name).exists()
    modules = only(prefix.rglob("modules-1"))
    assert {path.name for path in modules.iterdir()} == {f"{name}.so" for name in [*MECHANISMS, "null"]}
    assert not [path for path in prefix.rglob("*") if "fixture" in path.name or "witness" in path.name]


def test_it_finds_its_own_modules_and_worker(installed, installation):
    done = installed("list")
    assert done.returncode == 0, done.stderr
    assert str(BUILD_ROOT) not in done.stdout
    document = installed.measure("-m", "all", "-s", 64, "-i", 200)
    assert [result["status"] for result in document["results"]] == ["Success"] * 4
    for result in document["results"]:
        assert Path(result["module"]["path"]).is_relative_to(installation[0])


def test_no_installed_file_points_into_the_build_tree(installation):
    for path in installation[1].rglob("*"):
        if path.is_file() and path.read_bytes()[:4] == b"\x7fELF":
            dynamic = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
            assert str(BUILD_ROOT) not in dynamic, path


def test_pkg_config_names_the_module_folder(installation):
    moduledir = pkg_config(installation, "--variable=moduledir", "ipcmark-module")
    assert os.path.samefile(moduledir, only(installation[1].rglob("modules-1")))


def test_a_program_builds_against_the_installed_library(installation, leftovers, tmp_path):
    """Another project's view: pkg-config, the installed headers, the library."""
    source = tmp_path / "embedding.cpp"
    source.write_text(
        "#include <ipcmark/run.hpp>\n#include <cstdio>\n"
        "int main() {\n    ipcmark::Plan plan;\n    plan.tests.emplace_back();\n"
        "    plan.tests[0].message_count = 500;\n    const auto document = ipcmark::run(plan);\n"
        '    std::printf("%zu\\n", document.results.size());\n'
        "    return document.results[0].failure ? 1 : 0;\n}\n"
    )
    flags = pkg_config(installation, "--cflags", "--libs", "ipcmark").split()
    program = tmp_path / "embedding"
    subprocess.run(["g++", "-std=c++20", "-o", program, source, *flags], check=True)
    library = only(installation[1].rglob("libipcmark.so")).parent
    done = subprocess.run(
        [program],
        env={**os.environ, **leftovers.environment(), "LD_LIBRARY_PATH": str(library)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr

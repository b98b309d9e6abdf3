# SPDX-License-Identifier: Apache-2.0
"""The example modules and those of `ipcmark new-module`: built apart, against an installation, checked and measured."""

import json
import shutil

import pytest
from out_of_tree import installation, needs_plain_build, only_module  # noqa: F401
from support import SOURCE_ROOT

EXAMPLES = SOURCE_ROOT / "examples" / "out-of-tree"
pytestmark = needs_plain_build


def build(installation, language, source, folder):  # noqa: F811
    make = installation.cargo_build if language == "rust" else installation.meson_build
    return make(source, folder)


def check(tool, module):
    done = tool("check", module, "--json", timeout=900)
    report = json.loads(done.stdout)
    failed = [test for test in report["tests"] if test["outcome"] not in ("pass", "skip")]
    assert not failed and done.returncode == 0, json.dumps(failed, indent=1)
    return report


@pytest.mark.parametrize(("example", "language"), [("pipe-c", "c"), ("eventfd-cpp", "cpp"), ("rust", "rust")])
def test_example_is_built_checked_and_run(installation, leftovers, tmp_path, example, language):  # noqa: F811
    source = tmp_path / example  # a copy, so that the repository stays clean
    shutil.copytree(EXAMPLES / example, source, ignore=shutil.ignore_patterns("target", "build"))
    built = build(installation, language, source, tmp_path / "build")
    tool = installation.tool(leftovers, tmp_path)
    module = only_module(built)
    report = check(tool, module)
    assert report["passed"] > 130
    described = json.loads(tool("inspect", module, "--json").stdout)
    document = tool.measure("-m", f"{described['id']},uds", "-s", "64,4K", "-i", 2000, "--module-path", built)
    assert [result["status"] for result in document["results"]] == ["Success"] * 4
    assert {result["mechanism"] for result in document["results"]} == {described["result_name"], "UnixDomainSocket"}


@pytest.mark.parametrize("language", ["c", "cpp", "rust"])
def test_new_module_builds_loads_and_is_measured(installation, leftovers, tmp_path, language):  # noqa: F811
    tool = installation.tool(leftovers, tmp_path)
    done = tool("new-module", "fast-ring", "--lang", language)
    assert done.returncode == 0, done.stderr
    assert "ipcmark check" in done.stdout
    source = tmp_path / "fast-ring"
    built = build(installation, language, source, source / "build")
    done = tool("check", only_module(built), "--only", "loading.*", "options.*", "lifecycle.*", timeout=900)
    assert done.returncode == 0, done.stdout
    document = tool.measure("-m", "fast-ring", "-i", 1000, "--module-path", built)
    assert document["results"][0]["mechanism"] == "FastRing"
    left = [path for path in source.rglob("*") if path.is_file() and "build" not in path.relative_to(source).parts]
    for path in left:
        if path.suffix in (".toml", ".build") or path.name == "Cargo.lock":
            assert "fast-ring" in path.read_text()


@pytest.mark.parametrize("name", ["", "Pipe", "9pipe", "a b", "../up", "x" * 64])
def test_new_module_refuses_a_bad_name(ipcmark, tmp_path, name):
    done = ipcmark("new-module", name)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_new_module_writes_over_nothing(ipcmark, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.c").write_text("int x;")
    done = ipcmark("new-module", "mine")
    assert done.returncode == 2 and "mine" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["precious.c"]
    done = ipcmark("new-module", "mine", "--lang", "cobol", "--dir", tmp_path / "other")
    assert done.returncode == 2 and "cobol" in done.stderr

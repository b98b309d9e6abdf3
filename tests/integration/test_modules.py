# SPDX-License-Identifier: Apache-2.0
"""What `ipcmark list` and `ipcmark inspect` say of modules, for people and for programs."""

import json
import shutil

import pytest
from support import BUILD_ROOT, FIXTURES, MECHANISMS


def module_file(name):
    return BUILD_ROOT / "modules" / name / f"{name}.so"


def folders(ipcmark, *arguments, **kwargs):
    done = ipcmark("list", "--json", *arguments, **kwargs)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["folders"]


def test_the_build_tree_lists_its_own_modules(ipcmark):
    usable = {f["id"] for folder in folders(ipcmark) for f in folder["files"] if f["usable"]}
    assert {*MECHANISMS, "null"} <= usable
    text = ipcmark("list").stdout
    assert all(f"{name} " in text for name in MECHANISMS)
    assert "build tree" in text


def test_every_file_that_was_refused_says_why(ipcmark):
    """Plain text, a library that is no module, a damaged one, one of another ABI."""
    folder = ipcmark.folder / "modules"
    folder.mkdir(mode=0o755)
    (folder / "text.so").write_text("not a library")
    (folder / "empty.so").touch()
    (folder / "half.so").write_bytes(module_file("uds").read_bytes()[:3000])
    shutil.copy(next(FIXTURES.glob("*wrong-major*.so")), folder / "major.so")
    shutil.copy(module_file("uds"), folder / "good.so")
    for path in folder.iterdir():
        path.chmod(0o644)
    listed = {f["path"].rpartition("/")[2]: f for f in folders(ipcmark, "--module-path", folder)[0]["files"]}
    assert set(listed) == {"text.so", "empty.so", "half.so", "major.so", "good.so"}
    assert listed["good.so"]["usable"] and listed["good.so"]["id"] == "uds"
    for name in ("text.so", "empty.so", "half.so", "major.so"):
        assert not listed[name]["usable"] and listed[name]["rejected"], name
    assert "ABI" in listed["major.so"]["rejected"]
    text = ipcmark("list", "--module-path", folder).stdout
    assert text.count("refused: ") >= 4


def test_the_first_of_two_modules_with_one_id_wins(ipcmark):
    folder = ipcmark.folder / "modules"
    folder.mkdir(mode=0o755)
    shutil.copy(module_file("uds"), folder / "mine.so")
    (folder / "mine.so").chmod(0o644)
    all_files = [f for f2 in folders(ipcmark, "--module-path", folder) for f in f2["files"] if f["id"] == "uds"]
    assert [f["usable"] for f in all_files] == [True, False]
    assert all_files[1]["shadowed_by"].endswith("mine.so")


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_that_others_can_write_to_is_refused(ipcmark, mode):
    folder = ipcmark.folder / "modules"
    folder.mkdir()
    folder.chmod(mode)
    shutil.copy(module_file("uds"), folder / "mine.so")
    listed = folders(ipcmark, "--module-path", folder)[0]
    assert listed["rejected"] or all(not f["usable"] for f in listed["files"])


@pytest.mark.parametrize("name", [*MECHANISMS, "null"])
def test_inspect(ipcmark, name):
    for module in (name, module_file(name)):
        done = ipcmark("inspect", module, "--json")
        assert done.returncode == 0, done.stderr
        described = json.loads(done.stdout)
        assert described["id"] == name
        assert described["abi_major"] == 1
        assert described["licence"] and described["description"] and described["result_name"]
        assert described["max_message_size_bytes"] > 0
        text = ipcmark("inspect", module).stdout
        assert text.startswith(f"{name} ")
        for option in described["options"]:
            assert option["help"], option
            assert f"\n  {option['name']} (" in text
            assert all(choice["help"] for choice in option["choices"])


def test_inspect_survives_a_module_that_crashes(ipcmark):
    done = ipcmark("inspect", "fixture-crash-at-load", "--module-path", FIXTURES)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "crash-at-load" in done.stderr


def test_the_tools_own_cost_is_no_warning_where_it_is_what_is_measured(ipcmark):
    document = ipcmark.measure("-m", "null", "-s", 64, "-i", 20_000)
    for name in ("one_way_results", "round_trip_results"):
        verdicts = {check["id"]: check["verdict"] for check in document["results"][0][name]["audit"]}
        assert verdicts["clock-overhead"] == verdicts["harness-overhead"] == "not_applicable"

# SPDX-License-Identifier: Apache-2.0
"""`ipcmark list` and `ipcmark inspect`: what is found, what is refused and why, with the modules as files on a disk."""

import json
import os
import shutil
import subprocess

import pytest
from support import BUILD_ROOT, TIMEOUT_S, Tool, build_options, private_folder

LOADING_FIXTURES = BUILD_ROOT / "tests" / "unit" / "fixtures"


@pytest.fixture
def folder(tmp_path):
    """A folder that only we can write to."""
    path = tmp_path / "modules"
    path.mkdir(mode=0o755)
    return path


def put(folder, fixture, name=None, mode=0o755):
    path = folder / f"{name or fixture}.so"
    shutil.copyfile(LOADING_FIXTURES / f"{fixture}.so", path)
    path.chmod(mode)
    return path


def folders_of(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["folders"]


def one_line(text):
    return text.strip() != "" and "\n" not in text.strip()


def test_list_shows_every_file_and_why_it_was_refused(ipcmark, folder):
    put(folder, "none", "good")
    put(folder, "wrong-major")
    put(folder, "exports-more")
    put(folder, "none", "writable", mode=0o757)
    (folder / "text.so").write_text("not a library")
    done = ipcmark("list", "--module-path", folder)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert "is built for version 2 of the module ABI, this host has version 1" in text
    assert "exports more than ipcmark_module_entry: " in text and "helper_of_mine" in text
    assert "is writable by others (mode 0757)" in text
    assert "is not an ELF file" in text
    mine = folders_of(ipcmark("list", "--json", "--module-path", folder))[0]
    assert mine["origin"] == "--module-path"
    assert len(mine["files"]) == 5
    usable = [file for file in mine["files"] if file["usable"]]
    assert [(file["id"], file["version"]) for file in usable] == [("fixture", "1.2.3")]


def test_list_runs_no_code_of_a_module(ipcmark, folder):
    for fixture in ("crash-when-loaded", "hang-when-loaded", "exit-when-loaded"):
        put(folder, fixture)
    files = folders_of(ipcmark("list", "--json", "--module-path", folder))[0]["files"]
    assert len(files) == 3 and not any(file["rejected"] for file in files)


def test_the_search_order_and_shadowing(ipcmark, tmp_path):
    asked, from_environment = tmp_path / "asked", tmp_path / "environment"
    for path in (asked, from_environment):
        path.mkdir(mode=0o755)
        put(path, "none", "x")
    put(from_environment, "other-id", "y")
    done = ipcmark("list", "--json", "--module-path", asked, env={"IPCMARK_MODULE_PATH": str(from_environment)})
    first, second, third = folders_of(done)[:3]
    assert (first["origin"], second["origin"], third["origin"]) == (
        "--module-path",
        "IPCMARK_MODULE_PATH",
        "build tree",
    )
    assert first["files"][0]["usable"]
    assert second["files"][0]["shadowed_by"] == str(asked / "x.so")
    assert second["files"][1]["usable"]


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777], ids=oct)
def test_a_folder_that_others_can_write_to_is_refused(ipcmark, folder, mode):
    put(folder, "none", "good")
    folder.chmod(mode)
    assert "is writable by" in folders_of(ipcmark("list", "--json", "--module-path", folder))[0]["rejected"]
    done = ipcmark("inspect", "fixture", "--module-path", folder)
    assert done.returncode == 2
    assert str(folder) in done.stderr and "is writable by" in done.stderr and one_line(done.stderr)


def test_a_missing_folder_is_an_error_before_anything_runs(ipcmark, tmp_path):
    for verb in (["inspect", "null"], ["run", "-m", "null", "-i", 1]):
        done = ipcmark(*verb, "--module-path", tmp_path / "missing")
        assert done.returncode == 2
        assert str(tmp_path / "missing") in done.stderr and one_line(done.stderr)


def test_an_unknown_module_names_the_nearest(ipcmark):
    done = ipcmark("inspect", "usd")
    assert done.returncode == 2
    assert "did you mean 'uds'?" in done.stderr and "null" in done.stderr and one_line(done.stderr)


def test_only_allowed_modules_are_used(ipcmark):
    assert ipcmark("inspect", "null", "--allow-module", "null").returncode == 0
    done = ipcmark("inspect", "uds", "--allow-module", "null")
    assert done.returncode == 2
    assert "is not among the allowed modules (null)" in done.stderr and one_line(done.stderr)


@pytest.mark.parametrize("module", ["uds", "tcp", "shm", "pmq", "null"])
def test_inspect_shows_identity_limits_and_options(ipcmark, module):
    if not (BUILD_ROOT / "modules" / module / f"{module}.so").exists():
        pytest.skip(f"{module} is not built")
    done = ipcmark("inspect", module, "--json")
    assert done.returncode == 0, done.stderr
    described = json.loads(done.stdout)
    assert described["id"] == module
    assert (described["abi_major"], described["licence"]) == (1, "Apache-2.0")
    assert described["result_name"].isalnum()
    assert described["max_message_size_bytes"] > 1024 or described["limit_reason"]
    for option in described["options"]:
        assert option["help"] and option["type"]
        if option["type"] == "enum":
            assert option["default"] in [choice["name"] for choice in option["choices"]]
    text = ipcmark("inspect", module).stdout
    for option in described["options"]:
        assert option["name"] in text


def test_inspect_says_that_limits_are_not_known(ipcmark, folder):
    put(folder, "fails-in-limits")
    done = ipcmark("inspect", "./fails-in-limits.so", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "up to 0 bytes" not in done.stdout
    words = " ".join(done.stdout.split())
    assert "limits not known on this system: " in words and "unsupported" in words


def test_inspect_takes_a_path(ipcmark, folder):
    path = put(folder, "none", "good")
    done = ipcmark("inspect", path)
    assert done.returncode == 0, done.stderr
    assert "fixture 1.2.3" in done.stdout
    done = ipcmark("inspect", "./good.so", cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("fixture", "cause"),
    [
        ("crash-when-loaded", "crashed with signal 6 (Aborted) when it was loaded"),
        ("crash-in-limits", "crashed with signal 6 (Aborted) in limits"),
        ("exit-when-loaded", "ended its process with exit code 0 when it was loaded"),
        ("hang-when-loaded", "hangs when it was loaded"),
        ("undefined-symbol", "nobody_defines_this"),
        ("no-send", "has no function send"),
        ("changes-its-id", "changes its identity when it is loaded"),
    ],
)
def test_inspect_blames_a_module_that_fails(ipcmark, folder, fixture, cause):
    put(folder, fixture)
    done = ipcmark("inspect", f"./{fixture}.so", cwd=folder)
    assert done.returncode == 1
    assert f"{fixture}.so" in done.stderr and cause in done.stderr and one_line(done.stderr)


@pytest.mark.skipif("address" in build_options()["b_sanitize"], reason="a set-uid process cannot look for leaks")
def test_a_set_uid_program_ignores_the_environment(ipcmark, folder, tmp_path):
    """As a user who is neither root nor the owner, through a copy that has the set-uid bit and one that has not."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can make a program set-uid for another user")
    put(folder, "none", "good")
    owner, caller = 54321, 54322
    with open("/proc/self/mountinfo", encoding="ascii") as mounts:
        if any("nosuid" in line and line.split()[4] == "/tmp" for line in mounts):
            pytest.skip("/tmp is mounted nosuid")
    origins = {}
    with private_folder() as programs:
        programs.chmod(0o755)
        for name, mode in (("plain", 0o755), ("set-uid", 0o4755)):
            program = programs / name
            shutil.copyfile(BUILD_ROOT / "host" / "ipcmark", program)
            os.chown(program, owner, owner)
            program.chmod(mode)
            done = subprocess.run(
                ["setpriv", f"--reuid={caller}", f"--regid={caller}", "--clear-groups", program, "list", "--json"],
                env={**os.environ, "IPCMARK_MODULE_PATH": str(folder)},
                cwd="/",
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
            origins[name] = [entry["origin"] for entry in folders_of(done)]
    assert "IPCMARK_MODULE_PATH" in origins["plain"]
    assert "IPCMARK_MODULE_PATH" not in origins["set-uid"]


@pytest.mark.skipif(build_options()["b_sanitize"] != "none", reason="a sanitizer build has not all that is installed")
def test_a_moved_installation_finds_its_parts(leftovers, tmp_path):
    """Installed below one folder, then moved to another: nothing of it is where it was configured to be."""
    first, second = tmp_path / "first", tmp_path / "second"
    subprocess.run(
        ["meson", "install", "-C", BUILD_ROOT, "--no-rebuild", "--quiet", "--destdir", first],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    program = next(first.rglob("bin/ipcmark"))
    prefix = second / "any" / "where"
    prefix.parent.mkdir(parents=True)
    program.parent.parent.rename(prefix)
    moved = Tool("ipcmark", leftovers, tmp_path)
    moved.path = prefix / "bin" / "ipcmark"
    (installed,) = folders_of(moved("list", "--json"))
    assert installed["origin"] == "installed" and installed["path"].startswith(str(prefix))
    assert "null" in [file["id"] for file in installed["files"] if file["usable"]]
    # The worker is found too: it is what describes a module.
    done = moved("inspect", "null")
    assert done.returncode == 0, done.stderr
    # A module that is put into the folder that pkg-config names is there at once.
    put(next(prefix.rglob("modules-1")), "none", "third-party")
    assert moved("inspect", "fixture").returncode == 0
    # Without its worker, the error names where it should be.
    worker = next(prefix.rglob("ipcmark-worker"))
    worker.unlink()
    done = moved("inspect", "null")
    assert done.returncode == 1 and "ipcmark-worker" in done.stderr and one_line(done.stderr)

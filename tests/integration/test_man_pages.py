# SPDX-License-Identifier: Apache-2.0
"""The man pages tell the same options, in the same words, as the help of each verb."""

import re
import shutil
import subprocess

import pytest
from support import SOURCE_ROOT
from tools.man_options import as_roff, options_of_help


def plain(roff):
    return re.sub(r"\\f[BIR]", "", roff).replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")


def options_of_page(page, section):
    """The same of one section of a man page."""
    text = (SOURCE_ROOT / "man" / page).read_text()
    match = re.search(rf"^\.S[SH] {re.escape(section)}\n(.*?)(?=^\.S[SH] |\Z)", text, re.M | re.S)
    assert match, f"{page} has no section {section}"
    return {
        plain(heading): plain(" ".join(help.split("\n"))).strip()
        for heading, help in re.findall(r"^\.TP\n(.*)\n((?:[^.\n].*\n)+)", match[1], re.M)
        if plain(heading).startswith("-")
    }


def verbs_of(ipcmark):
    verbs = re.search(r"Verbs:\n(.*?)\n\n", ipcmark("--help").stdout, re.S)[1]
    return [line.split()[0] for line in verbs.splitlines() if line.startswith("  ") and line[2] != " "]


def test_every_verb(ipcmark):
    verbs = verbs_of(ipcmark)
    assert {"run", "list", "inspect", "serve", "connect", "schema"} <= set(verbs)
    run = options_of_help(ipcmark("run", "--help").stdout)
    for verb in verbs:
        done = ipcmark(verb, "--help")
        assert done.returncode == 0, done.stderr
        told = options_of_help(done.stdout)
        assert "-h, --help" in told
        if verb == "connect":
            told = {heading: help for heading, help in told.items() if heading not in run}
        assert options_of_page("ipcmark.1", verb) == told, f"write into the section {verb}:\n{as_roff(told)}"
        assert f".B ipcmark {verb}\n" in (SOURCE_ROOT / "man/ipcmark.1").read_text() or verb == "run"


def test_the_program_itself(ipcmark):
    assert options_of_page("ipcmark.1", "GENERAL OPTIONS") == options_of_help(ipcmark("--help").stdout)


def test_the_drop_in(ipcmark, ipc_benchmark):
    shared = options_of_help(ipcmark("run", "--help").stdout)
    told = options_of_help(ipc_benchmark("--help").stdout)
    assert shared.items() <= told.items()
    documented = options_of_page("ipc-benchmark.1", "STAND-ALONE ENDS")
    general = options_of_page("ipc-benchmark.1", "GENERAL OPTIONS")
    assert general.keys() == {"-h, --help", "-V, --version"}
    documented |= general
    assert documented == {k: v for k, v in told.items() if k not in shared or k in general}


def test_help_is_found_however_it_is_asked_for(ipcmark):
    assert ipcmark("help").stdout == ipcmark("--help").stdout == ipcmark("-h").stdout
    assert ipcmark("-hV").stdout == ipcmark("-qh").stdout == ipcmark("run", "-h").stdout
    for verb in verbs_of(ipcmark):
        assert ipcmark("help", verb).stdout == ipcmark(verb, "--help").stdout == ipcmark(verb, "-h").stdout
        assert all(len(line) <= 80 for line in ipcmark("help", verb).stdout.splitlines()), verb


def test_the_version_is_found_however_it_is_asked_for(ipcmark):
    told = ipcmark("--version").stdout
    assert told.startswith("ipcmark ")
    for arguments in (["-V"], ["-qV"], ["-q", "--version"], ["run", "-V"], ["-m", "nonsense", "--version"]):
        assert ipcmark(*arguments).stdout == told


@pytest.mark.parametrize("page", ["ipcmark.1", "ipc-benchmark.1"])
def test_the_pages_are_of_this_version(ipcmark, page):
    title = re.search(r"^\.TH .*", (SOURCE_ROOT / "man" / page).read_text(), re.M)[0]
    assert re.search(rf' 1 \d{{4}}-\d\d-\d\d "{ipcmark("--version").stdout.strip()}" ', title), title


@pytest.mark.parametrize("page", ["ipcmark.1", "ipc-benchmark.1"])
@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_the_pages_are_valid(page):
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", SOURCE_ROOT / "man" / page], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""

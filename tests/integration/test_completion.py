# SPDX-License-Identifier: Apache-2.0
"""The completions for bash and zsh offer verbs, options and modules as the program itself knows them."""

import os
import pty
import re
import select
import subprocess
import time

import pytest
from support import SOURCE_ROOT

BASH = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ipcmark; printf "%s\\n" "${COMPREPLY[@]}"'
# What zsh's completion system gets to see; it keeps those that begin like the word under the cursor.
ZSH = """
compadd() { [[ $1 == -- ]] && shift; print -rl -- $@ }
_files() { print -rl -- *(N) }
source "$1"; shift; words=("$@"); CURRENT=$#; _ipcmark
"""
SHELLS = {"bash": (["bash", "-c", BASH], "ipcmark"), "zsh": (["zsh", "-f", "-c", ZSH], "_ipcmark")}


@pytest.fixture(params=SHELLS)
def completed(request):
    command, file = SHELLS[request.param]

    def complete(tool, *words):
        done = subprocess.run(
            [*command, "shell", SOURCE_ROOT / "completions" / file, tool.path, *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return [word for word in done.stdout.split() if word.startswith(words[-1])]

    return complete


def options_in_help(tool, *verb):
    """Every long option that the help describes."""
    text = tool(*verb, "--help").stdout
    lines = [line for line in text.splitlines() if re.match(r" +-", line)]
    return {
        name for line in lines for name in re.findall(r"(?<=[ ,])--[a-z][-a-z]*", re.sub(r"  +[A-Z\[].*", "", line))
    }


def verbs_in_help(ipcmark):
    section = ipcmark("--help").stdout.split("Verbs:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in section.splitlines()]


def test_everything_in_the_help(ipcmark, completed):
    verbs = verbs_in_help(ipcmark)
    assert len(verbs) >= 9
    assert set(verbs) <= set(completed(ipcmark, ""))
    for verb in verbs:
        offered = set(completed(ipcmark, verb, "--"))
        assert "--help" in offered and options_in_help(ipcmark, verb) <= offered, verb


def test_verbs(ipcmark, completed):
    assert {"run", "list", "inspect"} <= set(completed(ipcmark, ""))
    assert completed(ipcmark, "ins") == ["inspect"]


@pytest.mark.parametrize("verb", [[], ["run"]])
def test_options_of_a_run(ipcmark, completed, verb):
    assert "--mechanism" in completed(ipcmark, *verb, "--m")
    assert completed(ipcmark, *verb, "--streaming-output-n") == ["--streaming-output-ndjson"]


def test_options_of_another_verb(ipcmark, completed):
    assert set(completed(ipcmark, "list", "--")) == {"--module-path", "--allow-module", "--json", "--help"}


def test_modules(ipcmark, completed):
    assert {"uds", "all"} <= set(completed(ipcmark, "-m", ""))
    assert completed(ipcmark, "-m", "null", "ud") == ["uds"]
    assert completed(ipcmark, "inspect", "ud") == ["uds"]
    assert completed(ipcmark, "check", "ud") == ["uds"]


def test_what_an_author_writes(ipcmark, completed):
    assert completed(ipcmark, "new-module", "mine", "--lang", "c") == ["c", "cpp"]
    assert completed(ipcmark, "check", "uds", "--only", "messages.or") == ["messages.order"]
    assert completed(ipcmark, "check", "uds", "--st") == ["--stop-at-first"]
    assert completed(ipcmark, "check", "--stop-at-first", "ud") == ["uds"]


def test_the_drop_in(ipc_benchmark, completed):
    assert completed(ipc_benchmark, "--serv") == ["--server-affinity", "--server"]


def typed(keys, done, folder, environment):
    """What a zsh on a terminal shows after these keys, up to the pattern `done`."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe("zsh", ["zsh", "-f", "-i"], environment)
    shown = ""
    try:
        deadline = time.monotonic() + 60
        for line in keys:
            os.write(terminal, line.encode())
        while not re.search(done, shown) and time.monotonic() < deadline:
            if select.select([terminal], [], [], 1)[0]:
                shown += os.read(terminal, 4096).decode(errors="replace")
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    return shown


def test_zsh_on_a_terminal(ipcmark, tmp_path):
    site = tmp_path / "site-functions"
    site.mkdir()
    (site / "_ipcmark").symlink_to(SOURCE_ROOT / "completions" / "_ipcmark")
    environment = {**os.environ, "PATH": f"{ipcmark.path.parent}:{os.environ['PATH']}", "TERM": "dumb", "PROMPT": "> "}
    setup = f"fpath=({site} $fpath); autoload -Uz compinit; compinit -u -D\n"
    # The completed line is run: nothing but a whole verb and a whole option make this output.
    shown = typed([setup, "ipcmark insp\tud\t--js\t\n"], r'"id": "uds"', tmp_path, environment)
    assert '"id": "uds"' in shown, shown

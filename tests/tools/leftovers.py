# SPDX-License-Identifier: Apache-2.0
"""Compares the machine before and after all tests: processes, unix sockets and names of ours that stayed."""

import contextlib
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from support import SOURCE_ROOT, names_of_ours


def processes():
    """Running programs out of this source tree's build folders."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                program = (entry / "exe").readlink()
                if program.is_relative_to(SOURCE_ROOT) and not program.is_relative_to(SOURCE_ROOT / ".venv"):
                    found.add(f"process {entry.name} {program}")
    return found


def sockets():
    lines = Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:]
    return {f"socket {line.split()[-1]}" for line in lines if "ipcmark" in line}


def present():
    return processes() | sockets() | {f"name {name}" for name in names_of_ours()}


def main():
    verb, path = sys.argv[1:]
    if verb == "remember":
        Path(path).write_text(json.dumps(sorted(present())))
        return 0
    before = set(json.loads(Path(path).read_text()))
    for _ in range(600):
        left = present() - before
        if not left:
            return 0
        time.sleep(0.1)
    for name in sorted(left):
        print(f"left behind: {name}")
    return 1


sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Runs the program and its workers under callgrind: instructions and calls, which are the same on every machine."""

import re
from collections import Counter

ALLOCATORS = re.compile(r"^(malloc|calloc|realloc|posix_memalign|aligned_alloc|operator new.*|mmap|brk|sbrk)$")

# Callgrind is some fifty times slower, and starts four processes.
TIMEOUT_S = 400


def profile(ipcmark, *arguments):
    """Instructions in the code of all workers together (not the module's), and how often they called each allocator."""
    folder = ipcmark.folder / "callgrind"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    done = ipcmark(
        *["run", *arguments, "-q", "--timeout", f"{TIMEOUT_S - 50}s"],
        timeout=TIMEOUT_S,
        wrapper=[
            "valgrind",
            "--tool=callgrind",
            "--vgdb=no",
            "--trace-children=yes",
            f"--callgrind-out-file={folder}/out.%p",
        ],
    )
    assert done.returncode == 0, done.stderr
    instructions, calls = 0, Counter()
    workers = 0
    for path in folder.iterdir():
        text = path.read_text()
        command = re.search(r"^cmd:\s*(\S*)", text, re.M)
        if not command or "worker" not in command.group(1):
            continue
        workers += 1
        instructions += own_instructions(text)
        calls += allocator_calls(text)
    assert workers > 0, "no worker was profiled"
    return instructions, calls


def own_instructions(text):
    """Those in the worker's own program: not in the module, not in libraries."""
    names, current, total = {}, "", 0
    lines = iter(text.splitlines())
    for line in lines:
        if found := re.match(r"ob=\((\d+)\)(?: (.*))?$", line):
            number, name = found.groups()
            if name:
                names[number] = name
            current = names[number]
        elif found := re.match(r"cob=\((\d+)\) (.*)$", line):
            names[found.group(1)] = found.group(2)
        elif line.startswith("calls="):
            next(lines)  # what the callee cost
        elif current.endswith("ipcmark-worker") and (found := re.match(r"[+\-*]?\d* (\d+)$", line)):
            total += int(found.group(1))
    return total


def allocator_calls(text):
    """Call counts by name. In the file a name is written out once, `(7) malloc`, and is `(7)` from then on."""
    names, calls, callee = {}, Counter(), ""
    for line in text.splitlines():
        if found := re.match(r"c?fn=\((\d+)\)(?: (.*))?$", line):
            number, name = found.groups()
            if name:
                names[number] = name.split("'")[0]
            if line.startswith("cfn="):
                callee = names[number]
        elif line.startswith("calls=") and ALLOCATORS.match(callee):
            calls[callee] += int(line[6:].split()[0])
    return calls

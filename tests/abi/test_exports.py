# SPDX-License-Identifier: Apache-2.0
"""What the built libraries let others see."""

import os
import subprocess
from pathlib import Path

import pytest
from support import BUILD_ROOT

MODULES = [Path(path) for path in os.environ["IPCMARK_BUILT_MODULES"].split(":") if path]


def exported(path, *flags):
    """(name, type letter) of every defined dynamic symbol, as nm sees it."""
    done = subprocess.run(
        ["nm", "-D", "--defined-only", *flags, path], capture_output=True, text=True, timeout=60, check=True
    )
    return [(line.split(maxsplit=2)[2], line.split(maxsplit=2)[1]) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_exports_its_entry_and_nothing_else(module):
    symbols = exported(module)
    assert [name for name, _ in symbols] == ["ipcmark_module_entry"]
    assert symbols[0][1] in "RDB", "the entry must be data"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_needs_nothing_of_the_host(module):
    """Every symbol that it leaves open comes from a library that it names itself."""
    done = subprocess.run(["ldd", "-r", module], capture_output=True, text=True, timeout=60, check=False)
    assert "undefined symbol" not in done.stdout + done.stderr


def test_libipcmark_exports_its_public_api_only():
    symbols = [name for name, _ in exported(BUILD_ROOT / "core" / "libipcmark.so", "-C")]
    of_others = [
        name
        for name in symbols
        if not name.removeprefix("typeinfo name for ")
        .removeprefix("typeinfo for ")
        .removeprefix("vtable for ")
        .startswith("ipcmark::")
    ]
    assert symbols and not of_others
    internals = ("ipcmark::Module::", "ipcmark::ElfFile", "ipcmark::kit::", "ipcmark::read_identity")
    assert not [name for name in symbols if name.startswith(internals)]

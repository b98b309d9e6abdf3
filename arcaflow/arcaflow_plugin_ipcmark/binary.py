# SPDX-License-Identifier: Apache-2.0
"""Where the program ipcmark is."""

import os
import shutil
from pathlib import Path

NAME = "ipcmark"
# Names the program itself, for tests and for installations in unusual places.
ENVIRONMENT = "IPCMARK_BINARY"
_FOLDERS = ("/usr/local/bin", "/usr/bin", "/app")


class BinaryNotFound(Exception):
    """The message says where was looked."""


def find() -> str:
    """The path of ipcmark. Raises BinaryNotFound."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        if _is_program(Path(named)):
            return named
        raise BinaryNotFound(f"{ENVIRONMENT} names '{named}', which is not a program that can be run.")
    found = shutil.which(NAME) or next(
        (str(path) for path in (Path(folder) / NAME for folder in _FOLDERS) if _is_program(path)), None
    )
    if not found:
        raise BinaryNotFound(
            f"Could not find '{NAME}' on PATH or in {', '.join(_FOLDERS)}; install it or name it in {ENVIRONMENT}."
        )
    return found


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)

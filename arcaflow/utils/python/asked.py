# SPDX-License-Identifier: Apache-2.0
"""The options of a module as they were asked for. A document has them as they were in force."""

import re
from typing import Any

# Linux gives a socket twice the buffer that it is asked for.
_DOUBLED = {"uds", "tcp"}
BUFFERS = ("buffer-size", "send-buffer", "recv-buffer")
_UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def options_asked(result: dict[str, Any]) -> dict[str, str]:
    """Those that were given. Sizes of buffers in bytes."""
    module = result.get("module") or {}
    asked = {option["name"]: str(option["value"]) for option in module.get("options") or [] if option.get("given")}
    for name in BUFFERS:
        size = _bytes(asked.get(name, ""))
        if size is not None:
            asked[name] = str(_buffer_asked(name, size, module.get("id"), result.get("test_config") or {}))
    return asked


def _buffer_asked(name: str, in_force: int, module: str | None, config: dict[str, Any]) -> int:
    # The field has what --buffer-size said; where that was not used, what is in force.
    if name == "buffer-size" and config.get("buffer_size") not in (None, in_force):
        return config["buffer_size"]
    return in_force // 2 if module in _DOUBLED else in_force


def _bytes(text: str) -> int | None:
    match = re.fullmatch(r"(\d+)([KMGT]iB)?", text)
    return match and int(match[1]) * _UNITS[match[2] or ""]

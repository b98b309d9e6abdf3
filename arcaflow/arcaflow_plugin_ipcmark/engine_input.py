# SPDX-License-Identifier: Apache-2.0
"""Standard input where the engine is at its other end."""

from typing import BinaryIO

from arcaflow_plugin_ipcmark import child


class EngineInput:
    """Its end, which comes when the engine is gone, cancels all steps: nobody is there to do it, or to get results.

    The SDK reads from it until the engine says that it is done; it does not read after that.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.buffer = self  # as the SDK takes sys.stdin
        self._file = file

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            child.cancel_all()
        return data

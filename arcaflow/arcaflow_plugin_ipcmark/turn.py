# SPDX-License-Identifier: Apache-2.0
"""One step measures at a time: two would compete for the CPUs, and both would measure that."""

import contextlib
import os
import select
from collections.abc import Iterator

from arcaflow_plugin_ipcmark.child import Cancel

_free = os.eventfd(1, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  # 1: nobody's turn


@contextlib.contextmanager
def turn(cancel: Cancel) -> Iterator[bool]:
    """Waits for the turn, which costs no processor time, and has it. False: `cancel` was requested before."""
    if not _take(cancel):
        yield False
        return
    try:
        yield True
    finally:
        os.eventfd_write(_free, 1)


def _take(cancel: Cancel) -> bool:
    poll = select.poll()
    poll.register(_free, select.POLLIN)
    poll.register(cancel.fileno(), select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if cancel.fileno() in ready:
            return False
        with contextlib.suppress(BlockingIOError):  # another was quicker
            os.eventfd_read(_free)
            return True

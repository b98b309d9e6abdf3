# SPDX-License-Identifier: Apache-2.0
"""How the utilities behave in a pipe."""

import signal


def end_quietly_with_the_reader() -> None:
    """In `utility | head -1`, head ends first: that is no error, and the files have been written by then."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)

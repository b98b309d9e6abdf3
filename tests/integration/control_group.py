# SPDX-License-Identifier: Apache-2.0
"""Control groups of a test, of version 1 or 2 as this machine has them."""

import contextlib
import uuid
from pathlib import Path

import pytest

CGROUPS = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def control_group(controller, set_limits, *, is_version_1):
    """As a wrapper that runs a command in it; skips where none can be made. set_limits(group) writes to its files."""
    group = (CGROUPS / controller if is_version_1 else CGROUPS) / f"ipcmark-test-{uuid.uuid4().hex[:8]}"
    try:
        if not is_version_1:
            (CGROUPS / "cgroup.subtree_control").write_text(f"+{controller}")
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        set_limits(group)
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
    finally:
        group.rmdir()

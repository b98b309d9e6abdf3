# SPDX-License-Identifier: Apache-2.0
"""The sample document in each of its text forms, as the build's write-document prints it."""

import functools
import json
import subprocess

from support import BUILD_ROOT, TIMEOUT_S


@functools.cache
def text(form):
    program = BUILD_ROOT / "tests" / "document" / "write-document"
    return subprocess.run([program, form], capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout


def document(form):
    return json.loads(text(form))

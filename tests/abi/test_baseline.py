# SPDX-License-Identifier: Apache-2.0
"""The types of the ABI against the recorded baseline, by abidiff.

A difference is either a mistake or a new minor version. In the second case: raise IPCMARK_ABI_MINOR, write in
docs/abi.md what was added, and record the baseline anew with

    python3 tests/abi/test_baseline.py build
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BASELINE = Path(__file__).parent / "ipcmark-abi-1.abi"
PROBE = Path("tests") / "abi" / "libprobe.so"
# Where the sources were and for which processor they were compiled is no part of the ABI: both are 64-bit
# little-endian with the same layout.
RECORD = ["abidw", "--no-show-locs", "--no-comp-dir-path", "--no-corpus-path", "--no-architecture"]
COMPARE = ["abidiff", "--no-show-locs", "--no-architecture"]


@pytest.mark.skipif(shutil.which("abidiff") is None, reason="abidiff is not installed (package abigail-tools)")
def test_no_type_has_changed():
    from support import BUILD_ROOT

    done = subprocess.run(
        [*COMPARE, BASELINE, BUILD_ROOT / PROBE], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"abidiff ended with {done.returncode}: {done.stdout}{done.stderr}\n{__doc__}"


@pytest.mark.skipif(shutil.which("abidiff") is None, reason="abidiff is not installed (package abigail-tools)")
def test_a_change_would_be_seen(tmp_path):
    """The test above can fail: one number of the baseline is changed, and abidiff sees it."""
    from support import BUILD_ROOT

    text = BASELINE.read_text()
    assert "size-in-bits='1024'" in text, "the entry of 128 bytes is not in the baseline"
    (tmp_path / "changed.abi").write_text(text.replace("size-in-bits='1024'", "size-in-bits='1088'"))
    done = subprocess.run(
        [*COMPARE, tmp_path / "changed.abi", BUILD_ROOT / PROBE], capture_output=True, timeout=120, check=False
    )
    assert done.returncode != 0


if __name__ == "__main__":
    subprocess.run([*RECORD, "--out-file", BASELINE, Path(sys.argv[1]) / PROBE], check=True)

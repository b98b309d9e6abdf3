# SPDX-License-Identifier: Apache-2.0
"""A control group with a CPU quota: it is in the document, and so is what it has done to a result."""

import pytest
from control_group import CGROUPS, control_group

PERIOD_US = 100_000


def cpu_group(cpus):
    """A control group with that quota; skips where none can be made."""
    version_1 = (CGROUPS / "cpu" / "cpu.shares").exists() or (CGROUPS / "cpu" / "cpu.stat").exists()

    def set_quota(group):
        quota_us = int(cpus * PERIOD_US)
        try:
            if version_1:
                (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
                (group / "cpu.cfs_quota_us").write_text(str(quota_us))
            else:
                (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        except OSError as error:
            pytest.skip(f"no CPU quota can be set here: {error}")

    return control_group("cpu", set_quota, is_version_1=version_1)


def warnings_of(document):
    return [warning for warning in document["results"][0]["warnings"] if warning["code"] == "cpu-throttled"]


def test_a_quota_that_is_used_up_is_told(ipcmark):
    with cpu_group(0.2) as wrapper:
        document = ipcmark.measure("-m", "uds", "-d", "1s", "--round-trip", "--wait", "spin", wrapper=wrapper)
    assert document["metadata"]["system_info"]["cpu_limit"] == 0.2
    (warning,) = warnings_of(document)
    assert warning["direction"] == "RoundTrip"
    assert " periods" in warning["cause"] and "CPUQuota" in warning["remedy"]


def test_a_quota_beyond_what_a_run_can_use_is_no_reason_to_warn(ipcmark):
    with cpu_group(200) as wrapper:
        document = ipcmark.measure("-m", "uds", "-i", 300, "--round-trip", wrapper=wrapper)
    assert document["metadata"]["system_info"]["cpu_limit"] == 200
    assert not warnings_of(document)

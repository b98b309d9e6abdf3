# SPDX-License-Identifier: Apache-2.0
"""Every module of this build, in each of its kinds and with every wait policy, keeps the contract."""

import json

import pytest
from support import BUILD_ROOT, build_options

VARIANTS = [
    ("uds", ()),
    ("uds", ("type=seqpacket",)),
    ("uds", ("type=datagram",)),
    ("tcp", ()),
    ("tcp", ("host=::1",)),
    ("shm", ()),
    ("pmq", ()),
    ("null", ()),
]
# Under a sanitizer all but the sizes, which are half of the time and no more code.
TESTS = [] if build_options()["b_sanitize"] == "none" else ["--only", "[!s]*", "short_structs.*", "sizes.[!el]*"]


def has_ipv6():
    try:
        with open("/proc/net/if_inet6") as file:
            return any(line.endswith("lo\n") for line in file)
    except OSError:
        return False


@pytest.mark.parametrize(
    ("name", "options"), VARIANTS, ids=lambda value: value if isinstance(value, str) else ",".join(value) or "default"
)
def test_module_keeps_the_contract(ipcmark, name, options):
    module = BUILD_ROOT / "modules" / name / f"{name}.so"
    if not module.exists():
        pytest.skip(f"the module {name} is not built")
    if "host=::1" in options and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    arguments = [word for option in options for word in ("-O", option)]
    done = ipcmark("check", module, "--json", *arguments, *TESTS, timeout=1100)
    report = json.loads(done.stdout)
    failed = [test for test in report["tests"] if test["outcome"] not in ("pass", "skip")]
    assert not failed and done.returncode == 0, json.dumps(failed, indent=1)
    assert report["passed"] > (20 if name == "null" else 110)

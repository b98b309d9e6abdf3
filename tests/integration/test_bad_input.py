# SPDX-License-Identifier: Apache-2.0
"""Bad input gets one clear line on standard error and exit code 2, and nothing is started."""

import json
import os
import socket
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from descriptors import takes_all_descriptors
from support import build_options, free_port

LIMIT = 1 << 60

# The arguments, and what the line must say: what was wrong, the value, what is allowed.
RUN = {
    "unknown mechanism": (["-m", "usd"], ["'usd'", "'uds'"]),
    "unknown mechanism among others": (["-m", "uds,tpc"], ["'tpc'", "'tcp'"]),
    "missing module file": (["-m", "./no/such.so"], ["./no/such.so"]),
    "unknown option": (["--mesage-size", "5"], ["'--mesage-size'", "'--message-size'"]),
    "unknown short option": (["-Z"], ["'-Z'"]),
    "help with a value": (["--help=run"], ["--help takes no value"]),
    "version with a value": (["--version=1"], ["--version takes no value"]),
    "name with underscores": (["--message_size", "5"], ["'--message_size'", "'--message-size'"]),
    "name of another tool": (["--iterations", "5"], ["'--iterations'", "'--msg-count' (-i)"]),
    "abbreviated name": (["--msg_size", "5"], ["'--msg_size'", "'--message-size'"]),
    "document as JSON": (["--json"], ["'--json'", "'-o -'"]),
    "option behind the options": (["--", "-m"], ["unexpected argument '-m'"]),
    "assignment without a name": (["-O", "=x"], ["'=x'", "NAME=VALUE"]),
    "stray word": (["-q", "word"], ["'word'", "--help"]),
    "stray mechanism": (["-q", "uds"], ["'uds'", "-m uds"]),
    "stray module": (["-q", "./mine.so"], ["'./mine.so'", "-m ./mine.so"]),
    "missing value": (["-m", "uds", "-s"], ["--size", "SIZE"]),
    "option for a value": (["-d", "-q"], ["--duration", "TIME"]),
    "option twice": (["-d", "1s", "-d", "2s"], ["--duration", "more than once"]),
    "size 0": (["-s", "0"], ["--size", "'0'", "1"]),
    "size beyond the limit": (["-m", "uds", "-s", str(LIMIT)], [str(LIMIT), "1099511627776"]),
    "negative size": (["-s", "-5"], ["--size", "'-5'"]),
    "ambiguous size": (["-s", "1KB"], ["--size", "'1KB'"]),
    "count 0": (["-i", "0"], ["--count", "'0'", "1"]),
    "malformed count": (["-i", "many"], ["--count", "'many'"]),
    "malformed duration": (["-d", "5 parsecs"], ["--duration", "'5 parsecs'"]),
    "negative duration": (["-d", "-5s"], ["--duration", "'-5s'", "negative"]),
    "empty duration": (["-d", ""], ["--duration", "''", "empty"]),
    "duration 0": (["-d", "0s"], ["--duration", "'0s'"]),
    "negative delay": (["--send-delay", "-1us"], ["--send-delay", "'-1us'"]),
    "concurrency 0": (["-c", "0"], ["--concurrency", "'0'"]),
    "rate 0": (["--rate", "0"], ["--rate", "'0'"]),
    "rate and delay": (["--rate", "5", "--send-delay", "1ms"], ["--rate", "--send-delay"]),
    "option of another module": (["-m", "uds,tcp", "-O", "nodelay=false"], ["'nodelay'", "; write tcp.nodelay=false"]),
    "size beyond the limit of one of several": (
        ["-m", "uds,pmq", "-s", "1000000"],
        ["1000000 bytes", "sysctl fs.mqueue.msgsize_max=1000000", "leave pmq out", "--continue-on-error"],
    ),
    "endpoints beyond the limit of all queues": (
        ["-m", "pmq", "-c", "1000", "-s", "4K"],
        ["1000 endpoints have 2000 message queues", "queues_max=2000", "fewer endpoints"],
    ),
    "buffer below a page": (["-m", "shm", "--buffer-size", "1"], ["module shm: --buffer-size 1 is too small", "4K"]),
    "buffer below a page, as module option": (["-m", "shm", "-O", "buffer-size=1"], ["module shm: buffer-size 1 is"]),
    "window beyond the depth": (["-m", "pmq", "--window", "16"], ["window 16", "10 messages", "ipcmark inspect pmq"]),
    "window and delay": (["--window", "4", "--send-delay", "1ms"], ["window of 4", "send delay"]),
    "batch and rate": (["--batch", "32", "--rate", "1000", "--one-way"], ["batches of 32", "rate"]),
    "batch and delay": (["--batch", "32", "--send-delay", "1ms", "--one-way"], ["batches of 32", "send delay"]),
    "CPU that is not there": (["-m", "uds", "--server-affinity", "99999"], ["99999", "0"]),
    "malformed CPU list": (["--client-affinity", "0-"], ["--client-affinity", "'0-'"]),
    "percentile beyond 100": (["--percentiles", "50", "101"], ["--percentiles", "'101'", "100"]),
    "unknown wait policy": (["--wait", "sleepy"], ["--wait", "'sleepy'", "block, spin, adaptive"]),
    "unknown clock": (["--clock", "sundial"], ["--clock", "'sundial'", "auto, tsc, monotonic"]),
    "unknown schema": (["--schema", "xml"], ["--schema", "'xml'", "ipcmark, rusty-comms"]),
    "port 0": (["-m", "tcp", "--port", "0"], ["--port", "'0'", "65535"]),
    "port of a mechanism without ports": (["-m", "uds", "--port", "9000"], ["--port", "uds"]),
    "unknown module option": (["-m", "uds", "-O", "tpye=stream"], ["tpye", "type"]),
    "bad value of a module option": (["-m", "uds", "-O", "type=strem"], ["type", "strem", "stream"]),
    "unknown mechanism, going on": (["-m", "usd", "--continue-on-error"], ["'usd'", "'uds'"]),
    "unknown module option, going on": (["-m", "uds", "-O", "tpye=x", "--continue-on-error"], ["tpye", "type"]),
    "option of a module that does not run": (["-m", "uds", "-O", "tcp.nodelay=true"], ["tcp.nodelay", "uds"]),
    "module option without a value": (["-O", "nodelay"], ["'nodelay'", "NAME=VALUE"]),
    "direct, asynchronous": (["-m", "shm", "--shm-direct", "--async"], ["--shm-direct", "--async"]),
    "both modes": (["--async", "--blocking"], ["--async", "--blocking", "give one of them"]),
    "module folder missing": (["--module-path", "/no/such/folder"], ["/no/such/folder"]),
    "module not allowed": (["-m", "uds", "--allow-module", "tcp"], ["uds"]),
    "suite missing": (["--suite", "/no/such/suite.yaml"], ["/no/such/suite.yaml"]),
    "two outputs, one file": (["-o", "x", "--csv", "x"], ["--output-file", "--csv", "x"]),
    "log file in no folder": (["--log-file", "/no/such/log"], ["/no/such/log"]),
}

# Values that can be read, and that no machine has room or time for: the arguments, what the line must say.
HUGE = {
    "size beyond the memory": (["-m", "uds", "-s", "1T"], ["1099511627776", "MiB", "available", "smaller"]),
    "size beyond the memory, asynchronous": (["-m", "tcp", "--async", "-s", "1T"], ["1099511627776", "available"]),
    "memory of a module without a peer": (["-m", "null", "-s", "1T"], ["1099511627776", "available"]),
    "size times endpoints": (["-m", "tcp", "-s", "1G", "-c", "4096"], ["1073741824", "4096", "available"]),
    "size times batch": (["-m", "uds", "-s", "1G", "--batch", "65536"], ["1073741824", "65536", "available"]),
    "endpoints": (["-c", "100000"], ["--concurrency", "'100000'", "4096"]),
    "window": (["--window", "1G"], ["--window", "'1G'", "65536"]),
    "batch": (["--batch", "1000000"], ["--batch", "'1000000'", "65536"]),
    "repeats": (["--repeat", "1G"], ["--repeat", "'1G'", "100000"]),
    "count": (["-i", "1000000000000000000"], ["1000000000000000000", "1000000000000000"]),
    "warm-up": (["-w", "1000000000000000000"], ["1000000000000000000", "1000000000000000"]),
    "duration": (["-d", "2000000h"], ["duration", "2000000h", "8760h"]),
    "time-out": (["--timeout", "2000000h"], ["time-out", "2000000h", "8760h"]),
    "send delay": (["--send-delay", "2000000h"], ["send delay", "2000000h", "8760h"]),
    "spin": (["--wait", "adaptive:2000000h"], ["spin", "2000000h", "8760h"]),
    "duration beyond the numbers": (["-d", "99999999999999999h"], ["--duration", "'99999999999999999h'"]),
    "rate": (["--rate", "5G"], ["rate", "5000000000", "1000000000"]),
    "rate beyond the numbers": (["--rate", "1" + "0" * 30], ["--rate", "too large"]),
    "rate in scientific notation": (["--rate", "1e30"], ["--rate", "'1e30'"]),
    "slow rate": (["--rate", "0.0000000000001"], ["rate", "1h"]),
    "rate that is no number": (["--rate", "nan"], ["--rate", "'nan'"]),
    "infinite rate": (["--rate", "inf"], ["--rate", "'inf'"]),
    "negative rate": (["--rate", "-5"], ["--rate", "'-5'", "negative"]),
    "percentiles": (["--percentiles", ",".join(str(1 + n / 100) for n in range(1001))], ["1001", "1000"]),
}

OUTPUTS = [
    "--output-file",
    "--csv",
    "--hdr-log",
    "--streaming-output-json",
    "--streaming-output-csv",
    "--streaming-output-ndjson",
]


def assert_refused(done, name, *parts):
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"{name}: ")
    for part in parts:
        assert part in lines[0]
    assert done.stdout == ""
    assert done.returncode == 2


@pytest.mark.parametrize("case", RUN)
def test_run(ipcmark, case):
    arguments, parts = RUN[case]
    assert_refused(ipcmark("run", *arguments), "ipcmark", *parts)
    assert list(ipcmark.folder.iterdir()) == []


@pytest.mark.parametrize("case", sorted(set(RUN) - {"port of a mechanism without ports"}))
def test_the_drop_in(ipc_benchmark, case):
    arguments, parts = RUN[case]
    assert_refused(ipc_benchmark(*arguments), "ipc-benchmark", *parts)


@pytest.mark.parametrize("case", HUGE)
def test_huge_values(ipcmark, case):
    arguments, parts = HUGE[case]
    assert_refused(ipcmark("run", *arguments), "ipcmark", *parts)


@pytest.mark.parametrize("case", ["size beyond the memory", "size times endpoints", "duration", "rate"])
def test_huge_values_of_the_other_programs(ipcmark, ipc_benchmark, case):
    arguments, parts = HUGE[case]
    assert_refused(ipc_benchmark(*arguments), "ipc-benchmark", *parts)
    # Found before the server is looked for.
    address = f"unix:{ipcmark.folder}/nobody"
    assert_refused(ipcmark("connect", address, *arguments), "ipcmark", *parts)


FREE_HUGE_PAGES = Path("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages")

RINGS = {
    "node": (["-O", "numa-node=1000"], ["no NUMA node 1000", "those of this machine"]),
    "size": (["-O", "buffer-size=900G", "-c", 2], ["2 endpoints", "MiB", "available", "buffer-size"]),
    "window": (["-O", "buffer-size=4K", "--window", 100, "--round-trip"], ["window 100", "2 messages in flight"]),
    **(
        {}
        if FREE_HUGE_PAGES.exists() and int(FREE_HUGE_PAGES.read_text())
        else {
            "huge pages": (
                ["-O", "huge-pages=1G", "-O", "buffer-size=64K"],
                ["1 huge pages of 1024 MiB", "nr_hugepages"],
            )
        }
    ),
}


FREE_2M_PAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")


@pytest.mark.skipif(not FREE_2M_PAGES.exists() or int(FREE_2M_PAGES.read_text()) > 0, reason="huge pages are free")
@pytest.mark.parametrize(("arguments", "pages"), [([], 5), (["-c", 2], 10), (["-s", "8M"], 28)])
def test_the_huge_pages_that_are_lacking_are_those_of_the_rings_that_are_made(ipcmark, arguments, pages):
    total = int(FREE_2M_PAGES.with_name("nr_hugepages").read_text())
    done = ipcmark("run", "-m", "shm", "-O", "huge-pages=2M", "-i", 10, *arguments)
    parts = [f"take {pages} huge pages of 2 MiB", f"echo {total + pages} > "]
    assert_refused(done, "ipcmark", *parts)


@pytest.mark.parametrize("case", RINGS)
def test_rings_that_cannot_be_made_are_found_before_anything_runs(ipcmark, case):
    arguments, parts = RINGS[case]
    assert_refused(ipcmark("run", "-m", "shm", "-i", 10, *arguments), "ipcmark", *parts)


def queue_limit(name):
    return int((Path("/proc/sys/fs/mqueue") / name).read_text())


QUEUES = {
    "size": (819_200, ["-s", queue_limit("msgsize_max") + 1], [f"msgsize_max={queue_limit('msgsize_max') + 1}"]),
    "depth": (819_200, ["-O", f"pmq.depth={queue_limit('msg_max') + 1}"], [f"msg_max={queue_limit('msg_max') + 1}"]),
    "endpoints": (
        819_200,
        ["-s", 1, "-O", "pmq.depth=1", "-c", queue_limit("queues_max")],
        [f"queues_max={2 * queue_limit('queues_max')}", "fewer endpoints"],
    ),
    "bytes": (
        819_200,
        ["-s", "1K", "-c", 64],
        [
            "64 endpoints have 128 message queues of 10 messages of 1024 bytes",
            "is 819200",
            "1433600 bytes of RLIMIT_MSGQUEUE",
            "fewer",
        ],
    ),
    "no bytes": (0, ["-s", 1], ["1 endpoint has 2 message queues", "is 0", "ulimit -q 1940, or give a smaller depth"]),
}


@pytest.mark.parametrize("case", QUEUES)
def test_queues_that_cannot_be_made_are_found_before_anything_runs(ipcmark, case):
    """With the limit that is in the way, both numbers, and the command that raises it."""
    bytes_allowed, arguments, parts = QUEUES[case]
    wrapper = ["prlimit", f"--msgqueue={bytes_allowed}:"]
    done = ipcmark("run", "-m", "uds,pmq", "-i", 1000, *arguments, wrapper=wrapper)
    assert_refused(done, "ipcmark", "module pmq: ", *parts)


def test_more_bytes_of_queues_than_the_hard_limit_need_more_than_ulimit(ipcmark):
    wrapper = ["prlimit", "--msgqueue=819200:819200"]
    done = ipcmark("run", "-m", "pmq", "-s", "1K", "-c", 64, "-i", 1000, wrapper=wrapper)
    parts = ["CAP_SYS_RESOURCE", "limits.conf", "--ulimit msgqueue=1433600", "fewer", "depth"]
    assert_refused(done, "ipcmark", "module pmq: ", *parts)


# Without privileges, with which the kernel takes far larger ones; the sanitizers look for their limits in /proc/sys.
@pytest.mark.skipif(build_options()["b_sanitize"] != "none", reason="a build with sanitizers")
def test_a_queue_above_limits_that_cannot_be_read_names_them(ipcmark):
    wrapper = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs tmpfs /proc/sys && exec "$@"', "sh"]
    done = ipcmark("run", "-m", "pmq", "-s", 9000, "-i", 10, "-q", wrapper=wrapper)
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "fs.mqueue.msgsize_max, which cannot be read here and is usually 8192" in done.stderr


def test_a_plan_of_any_length_can_be_asked_about(ipcmark):
    """What modules are asked is above the longest control message, 64 MiB."""
    path = "x" * 100_000
    done = ipcmark("run", "-m", "uds", "-i", 10, "-O", f"path={path}", "--repeat", 400)
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1 and "module uds: " in done.stderr and "socket path" in done.stderr


def test_huge_values_in_a_suite(ipcmark):
    (ipcmark.folder / "suite.yaml").write_text("tests:\n  - size: 64\n  - size: 1T\n")
    assert_refused(ipcmark("--suite", "suite.yaml"), "ipcmark", "suite.yaml:3", "1099511627776", "available")


@pytest.mark.parametrize(
    "test", ["mechanism: udx", "{mechanism: uds, module-option: {typ: x}}", "client-affinity: 4000", "rate: 0.00001"]
)
def test_a_test_of_a_suite_that_cannot_be_run_is_named_by_its_line(ipcmark, test):
    test = test if test.startswith("{") else "{" + test + "}"
    (ipcmark.folder / "suite.yaml").write_text(f"tests:\n  - size: [64, 1K]\n\n  - {test}\n")
    assert_refused(ipcmark("--suite", "suite.yaml"), "ipcmark", "suite.yaml:4")


def test_a_folder_for_a_new_module_that_cannot_be_made(ipcmark):
    (ipcmark.folder / "file").write_text("")
    assert_refused(ipcmark("new-module", "mine", "--dir", "file/mine"), "ipcmark", "file/mine", "--dir")


def test_a_duration_too_short_for_a_message_is_not_the_modules_fault(ipcmark):
    done = ipcmark("run", "-m", "uds", "-d", "1ns", "-q", "--one-way")
    assert done.returncode == 1
    assert "within the duration of 1ns" in done.stderr and "module" not in done.stderr


def test_a_time_out_before_the_first_message_has_kept_nothing(ipcmark):
    done = ipcmark("run", "-m", "uds", "--timeout", "1ns", "-q", "--one-way", "-w", "1M", "-o", "r.json")
    assert done.returncode == 1
    result = json.loads((ipcmark.folder / "r.json").read_text())["results"][0]
    kept = "nothing was measured by then" if result["one_way_results"] is None else "what was measured by then is kept"
    assert f"time-out of 1ns; {kept}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (["-m", "shm", "-O", "numa-node=1023"], "module shm: there is no NUMA node 1023; those of this machine: 0", 2),
        (["-m", "tcp", "--host", "192.0.2.1"], "module tcp: host 192.0.2.1 is not an address of this machine", 1),
        (["-m", "tcp", "--buffer-size", "5G"], "bytes: no kernel gives more than 1073741823 bytes, and the limit", 1),
    ],
)
def test_what_a_module_objects_to_is_in_its_words_alone(ipcmark, arguments, told, code):
    done = ipcmark("run", *arguments, "-i", 10, "-q", "--one-way")
    assert done.returncode == code
    assert told in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_the_caller_has_closed_is_written_into_nothing_else(ipcmark, closed):
    """The descriptor would else belong to the first thing that is opened: an output, or a worker's connection."""
    wrapper = ["sh", "-c", f'"$@" {closed}', "sh"]
    done = ipcmark("run", "-m", "uds", "-i", 50, "-w", 5, "-o", "r.json", "--log-file", "log", wrapper=wrapper)
    assert done.returncode == (1 if ">&-" in closed.replace("2>&-", "") else 0), done.stderr
    assert json.loads((ipcmark.folder / "r.json").read_text())["results"][0]["status"] == "Success"
    assert "mechanism" not in (ipcmark.folder / "log").read_text()
    if closed == ">&-":
        assert done.stderr.splitlines() == ["ipcmark: cannot write to standard output: Bad file descriptor"]


def test_a_huge_time_to_retry(ipcmark):
    done = ipcmark("connect", f"unix:{ipcmark.folder}/nobody", "--retry", "2000000h")
    assert_refused(done, "ipcmark", "retry", "2000000h", "8760h")


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("place", ["/no/such/folder/file", "/proc/file", "folder/"])
def test_an_output_that_cannot_be_written_is_found_before_the_run(ipcmark, witness, output, place):
    (ipcmark.folder / "taken").mkdir()
    done = ipcmark("run", *witness.arguments(), "-i", 10, output, place)
    assert_refused(done, "ipcmark", place.rstrip("/"))
    assert witness.records() == []


def test_nothing_is_started_where_the_last_of_many_tests_is_wrong(ipcmark, witness):
    done = ipcmark("run", *witness.arguments(), "-i", 10, "-s", f"64,{LIMIT}")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert witness.records() == []


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
@pytest.mark.parametrize("side", ["--server-affinity", "--client-affinity"])
def test_a_cpu_that_is_not_allowed_is_refused_with_those_that_are(ipcmark, side):
    first, *_, last = sorted(os.sched_getaffinity(0))
    done = ipcmark("run", "-m", "uds", "-i", 10, side, last, wrapper=["taskset", "-c", str(first)])
    assert_refused(done, "ipcmark", str(last), str(first))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["rnu"], ["'rnu'", "'run'"]),
        (["frobnicate"], ["'frobnicate'", "--help"]),
        (["shm"], ["'shm'", "-m shm"]),
        (["help", "rnu"], ["'rnu'"]),
        (["list", "uds"], ["'uds'"]),
        (["list", "--module-path", "/no/such/folder"], ["/no/such/folder"]),
        (["inspect"], ["MODULE"]),
        (["inspect", "usd"], ["'usd'", "'uds'"]),
        (["inspect", "uds", "tcp"], ["'tcp'"]),
        (["serve"], ["ADDRESS"]),
        (["serve", "nowhere"], ["nowhere"]),
        (["serve", "tcp:localhost:0"], ["0"]),
        (["connect"], ["ADDRESS"]),
        (["connect", "nowhere"], ["nowhere"]),
        (["connect", "unix:/tmp/x", "--retry", "soon"], ["--retry", "'soon'"]),
        (["schema", "--schema", "xml"], ["'xml'"]),
        (["new-module", "all"], ["'all'", "-m all", "choose another"]),
        (["new-module", "test"], ["'test'", "Meson", "choose another"]),
        (["new-module", "meson-thing", "--lang", "rust"], ["'meson-thing'", "Meson"]),
        (["new-module", "uds"], ["module 'uds' already", "uds.so", "choose another"]),
        (["new-module", "null"], ["module 'null' already"]),
        (["--help=run"], ["--help takes no value"]),
        (["list", "--help=run"], ["--help takes no value"]),
        (["list", "--version"], ["'--version'", "'ipcmark --version'"]),
        (["--server"], ["'--server'", "ipcmark serve", "ipc-benchmark --server"]),
        (["connect", "unix:/tmp/x", "--client"], ["'--client'", "ipcmark connect"]),
        (["check"], ["MODULE is missing: ipcmark check MODULE"]),
        (["check", "--wait", "block", "uds"], ["MODULE", "write it before the options"]),
        (["check", "--only", "loading.*", "build/x.so"], ["MODULE", "write it before the options"]),
        (["check", "uds", "tcp", "--list"], ["'tcp'"]),
    ],
)
def test_the_other_verbs(ipcmark, arguments, parts):
    assert_refused(ipcmark(*arguments), "ipcmark", *parts)
    assert list(ipcmark.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--server", "-m", "all"], ["--server", "'all'"]),
        (["--client", "-m", "uds", "tcp"], ["--client", "2"]),
        (["--server", "--client"], ["--server", "--client"]),
        (["--server", "-m", "tcp", "--port", "0"], ["--port", "'0'"]),
    ],
)
def test_the_stand_alone_ends_of_the_drop_in(ipc_benchmark, arguments, parts):
    assert_refused(ipc_benchmark(*arguments), "ipc-benchmark", *parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("size: 64\nsise: 5\n", ["suite.yaml:2", "'sise'", "'size'"]),
        ("tests:\n  - size: 0\n", ["suite.yaml:2", "'0'"]),
        ("tests:\n  - mechanism: uds\n    quiet: true\n", ["suite.yaml:3", "'quiet'"]),
        ("tests: [\n", ["suite.yaml:"]),
        ("", ["suite.yaml", "empty"]),
    ],
)
def test_suite_files(ipcmark, text, parts):
    (ipcmark.folder / "suite.yaml").write_text(text)
    assert_refused(ipcmark("--suite", "suite.yaml"), "ipcmark", *parts)


@pytest.mark.parametrize("arguments", [["run", "-o", "r.json"], ["run", "-m", "./mine.so"]])
def test_a_working_folder_that_is_gone(ipcmark, arguments):
    gone = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh"]
    assert_refused(ipcmark(*arguments, wrapper=gone), "ipcmark", "working folder", "No such file")


@takes_all_descriptors
@pytest.mark.parametrize("descriptors", [6, 12])
def test_too_few_descriptors(ipcmark, descriptors):
    """A worker is given low numbers, so that some above them are needed, too."""
    few = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"]
    done = ipcmark("run", "-m", "uds", "-i", 10, "-q", wrapper=few)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Too many open files" in done.stderr and "ulimit -n" in done.stderr


@pytest.mark.parametrize(
    ("file", "reason"), [("/proc/self/mem", "Input/output error"), ("/dev/zero", "it is not text")]
)
def test_a_suite_file_that_cannot_be_read(ipcmark, file, reason):
    assert_refused(ipcmark("run", "--suite", file), "ipcmark", "suite file", file, reason)


def test_a_suite_file_without_an_end(ipcmark):
    """One with lines for ever: a limit ends it."""
    wrapper = ["bash", "-c", '"$@" --suite <(yes)', "bash"]
    done = ipcmark("run", wrapper=wrapper)
    assert_refused(done, "ipcmark", "suite file", "it is larger than 64MiB")


# The sanitizers cannot be without /proc.
@pytest.mark.skipif(build_options()["b_sanitize"] != "none", reason="a build with sanitizers")
@pytest.mark.parametrize(("folder", "missing", "code"), [("/proc", "/proc/self/exe", 2), ("/dev", "/dev/null", 1)])
def test_an_empty_folder_of_the_system_is_named(ipcmark, folder, missing, code):
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    wrapper = [*namespace, "sh", "-c", f'mount -t tmpfs tmpfs {folder} && exec "$@"', "sh"]
    done = ipcmark("run", "-m", "uds", "-i", 10, wrapper=wrapper)
    assert done.returncode == code, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and missing in lines[0] and "cannot be" in lines[0], done.stderr


@pytest.mark.parametrize("limit", ["ulimit -f", "ulimit -v"])
@pytest.mark.skipif(build_options()["b_sanitize"] != "none", reason="sanitizers need all of the address space")
def test_rings_above_a_limit_of_the_process_say_which(ipcmark, limit):
    # The rings take more than that, and all else less.
    size, blocks = ("16M", 40_000) if limit == "ulimit -f" else ("64M", 200_000)
    wrapper = ["sh", "-c", f'{limit} {blocks}; exec "$@"', "sh"]
    done = ipcmark("run", "-m", "shm", "-s", size, "-w", 0, "-i", 3, "--one-way", wrapper=wrapper)
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "shared memory" in done.stderr and limit in done.stderr


# The sanitizers need descriptors of their own.
@pytest.mark.skipif(build_options()["b_sanitize"] != "none", reason="a build with sanitizers")
@pytest.mark.parametrize("mechanism", [["uds", "-O", "type=seqpacket"], ["shm"], ["pmq"]], ids=lambda it: it[0])
@pytest.mark.parametrize("descriptors", range(16, 24))
def test_descriptors_that_a_peer_passes_in_vain_are_told_of(ipcmark, mechanism, descriptors):
    """The kernel drops them without an error, and the peer looked like a stranger, for which the run waited in vain."""
    few = ["prlimit", f"--nofile={descriptors}"]
    done = ipcmark("run", "-m", *mechanism, "-c", 8, "-i", 80, "-q", "--round-trip", wrapper=few)
    assert done.returncode in (0, 1)
    assert (done.returncode == 0) == (done.stderr == ""), done.stderr
    assert "timed_out" not in done.stderr


@pytest.mark.skipif(build_options()["b_sanitize"] != "none", reason="a build with sanitizers")
def test_a_crowd_that_has_all_descriptors_does_not_keep_peers_out(ipcmark):
    """24 descriptors are enough without it."""
    port, over = free_port(), threading.Event()

    def crowd():
        held = deque(maxlen=150)
        while not over.is_set():
            try:
                held.append(socket.create_connection(("127.0.0.1", port), timeout=0.2))
            except OSError:
                time.sleep(0.005)

    with ThreadPoolExecutor(2) as threads:
        crowds = [threads.submit(crowd) for _ in range(2)]
        try:
            command = ["run", "-m", "tcp", "--port", port, "-c", 8, "-s", 64, "-i", 2000, "-q", "--round-trip"]
            done = ipcmark(*command, wrapper=["prlimit", "--nofile=48"])
        finally:
            over.set()
        assert done.returncode == 0, done.stderr
        assert all(each.result() is None for each in crowds)


# Where an address leads is not asked of the machine: it need not have it.
def test_an_address_of_one_link_without_its_interface_is_told_what_it_lacks(ipcmark):
    done = ipcmark("run", "-m", "tcp", "--host", "fe80::1234", "-i", 10, "-q")
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    assert "needs its interface, such as fe80::1234%eth0" in done.stderr


def congestion_controls(which):
    return Path(f"/proc/sys/net/ipv4/tcp_{which}_congestion_control").read_text().split()


@pytest.mark.skipif(
    set(congestion_controls("available")) == set(congestion_controls("allowed")), reason="all of them are allowed"
)
def test_a_congestion_control_that_is_there_and_not_allowed_is_told_as_such(ipcmark):
    allowed = " ".join(congestion_controls("allowed"))
    name = next(name for name in congestion_controls("available") if name not in allowed.split())
    wrapper = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []
    done = ipcmark("run", "-m", "tcp", "-O", f"congestion-control={name}", "-i", 10, "-q", wrapper=wrapper)
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    assert f"tcp_allowed_congestion_control ({allowed})" in done.stderr
    assert (
        "CAP_NET_ADMIN" in done.stderr
        and f"sysctl -w net.ipv4.tcp_allowed_congestion_control='{allowed} {name}'" in done.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--buffer-size", "16", "-s", "1"], None),
        (["--buffer-size", "8", "-s", "5000"], "maximum of 'uds', 4576 bytes"),
        (["--buffer-size", "64K", "-s", "200000"], "ask for a larger one"),
        (["-s", "5M"], "net.core.wmem_max"),
    ],
)
def test_a_packet_must_fit_the_buffer_that_there_is(ipcmark, arguments, told):
    done = ipcmark("run", "-m", "uds", "-O", "type=seqpacket", *arguments, "-i", 10, "-q", "--round-trip")
    assert done.returncode == (0 if told is None else 2), done.stderr
    assert told is None or told in done.stderr

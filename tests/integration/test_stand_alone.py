# SPDX-License-Identifier: Apache-2.0
"""The two ends of a measurement as two programs: ipcmark serve and ipcmark connect."""

import contextlib
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from descriptors import takes_all_descriptors
from support import FIXTURES, TIMEOUT_S, free_port
from witness import Event

QUICK = ["-i", 300, "-w", 10]


@pytest.fixture(params=["unix path", "unix name", "tcp", "tcp, IPv6"])
def address(request, leftovers):
    return {
        "unix path": f"unix:{leftovers.folder}/meet",
        "unix name": f"unix:@meet-{leftovers.tag[-8:]}",
        "tcp": f"tcp:127.0.0.1:{free_port()}",
        "tcp, IPv6": f"tcp:[::1]:{free_port()}",
    }[request.param]


def serving(ipcmark, address, *arguments):
    server = ipcmark.start("serve", address, *arguments)
    assert "serving" in server.stderr.readline()
    return server


def test_one_server_for_many_clients(ipcmark, address):
    server = serving(ipcmark, address)
    for output in ("first.json", "second.json"):
        done = ipcmark("connect", address, "-m", "uds,tcp", *QUICK, "-q", "-o", output)
        assert done.returncode == 0, done.stderr
        results = json.loads((ipcmark.folder / output).read_text())["results"]
        assert [r["module"]["id"] for r in results] == ["uds", "tcp"]
        for result in results:
            assert result["status"] == "Success"
            assert result["one_way_results"]["delivery"]["lost"] == 0
            assert result["round_trip_results"]["latency"]["total_samples"] > 0
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=TIMEOUT_S) == 0
    if address.startswith("unix:/"):
        assert not (ipcmark.leftovers.folder / "meet").exists()


@pytest.mark.parametrize("mode", ["--blocking", "--async"])
def test_messages_without_room_for_an_envelope(ipcmark, leftovers, mode):
    """Nothing but the message itself can tell the server there that it is the last one."""
    address = f"unix:{leftovers.folder}/meet"
    server = serving(ipcmark, address, "--once")
    done = ipcmark(
        *["connect", address, "-m", "uds,tcp,shm,pmq", "-s", "1,8,15", "-i", 300, "-w", 0, mode],
        *["--round-trip", "-q", "-o", "r.json"],
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((ipcmark.folder / "r.json").read_text())["results"]
    assert len(results) == 12
    for result in results:
        delivery = result["round_trip_results"]["delivery"]
        assert delivery["received"] == 300
        assert delivery["lost"] == delivery["duplicated"] == delivery["reordered"] == delivery["corrupted"] == 0
    assert server.wait(timeout=TIMEOUT_S) == 0


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["-m", "null", "--one-way"], ["null", "ipcmark run"]),
        (["-m", "uds", "--streaming-output-csv", "s.csv"], ["--round-trip", "one-way"]),
    ],
)
def test_what_two_programs_cannot_measure_is_refused(ipcmark, leftovers, arguments, parts):
    address = f"unix:{leftovers.folder}/meet"
    server = serving(ipcmark, address)
    done = ipcmark("connect", address, *QUICK, *arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    for part in parts:
        assert part in done.stderr
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=TIMEOUT_S) == 0


def slow_server(ipcmark, leftovers, witness, slow_recv):
    """Its address, and what a client gives to measure a stream that it takes its time for, but for the warm-up."""
    address = f"unix:{leftovers.folder}/meet"
    server = serving(ipcmark, address, "--module-path", witness.FOLDER)
    return server, ["connect", address, *witness.arguments(slow_recv=slow_recv), "-s", 64, "--one-way", "-q"]


@pytest.mark.parametrize("mode", ["--blocking", "--async"])
@pytest.mark.parametrize("endpoints", [1, 3])
def test_the_window_opens_when_the_server_has_taken_all_of_the_warm_up(ipcmark, leftovers, witness, mode, endpoints):
    warmup = 50
    server, connect = slow_server(ipcmark, leftovers, witness, "10ms")
    done = ipcmark(*connect, mode, "-c", endpoints, "-i", 5 * endpoints, "-w", warmup)
    assert done.returncode == 0, done.stderr
    witness.assert_taken_before_the_next(warmup + 1)
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=TIMEOUT_S) == 0


def test_a_client_waits_for_a_warm_up_that_takes_long(ipcmark, leftovers, witness):
    """Longer than it would wait for one of which it hears nothing."""
    warmup = 160
    server, connect = slow_server(ipcmark, leftovers, witness, "50ms")
    done = ipcmark(*connect, "-i", 2, "-w", warmup, "-o", "r.json")
    assert done.returncode == 0, done.stderr
    witness.assert_taken_before_the_next(warmup + 1)
    warnings = json.loads((ipcmark.folder / "r.json").read_text())["results"][0]["warnings"]
    assert "warm-up" not in [warning["code"] for warning in warnings]
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=TIMEOUT_S) == 0


@pytest.mark.parametrize("mode", ["--blocking", "--async"])
def test_ctrl_c_and_a_killed_server_end_the_wait_for_the_warm_up(ipcmark, leftovers, witness, mode):
    """Which would take minutes."""
    server, connect = slow_server(ipcmark, leftovers, witness, "2s")
    client = ipcmark.start(*connect, mode, "-i", 5, "-w", 200)
    while len(witness.of(Event.SEND, is_server=False)) < 201:
        time.sleep(0.05)
    client.send_signal(signal.SIGINT)
    assert client.wait(timeout=TIMEOUT_S) != 0
    sent = len(witness.of(Event.SEND, is_server=False))
    client = ipcmark.start(*connect, mode, "-i", 5, "-w", 200)
    while len(witness.of(Event.SEND, is_server=False)) < sent + 201:
        time.sleep(0.05)
    server.kill()
    server.wait()
    assert client.wait(timeout=TIMEOUT_S) == 1
    assert len(client.stderr.read().splitlines()) == 1
    (leftovers.folder / "meet").unlink()  # kill -9 leaves the name that the user chose


def test_from_the_actual_send_a_stream_to_another_program_is_not_measured(ipcmark, leftovers):
    """And the schema says so: its stamp is the planned moment."""
    address = f"unix:{leftovers.folder}/meet"
    server = serving(ipcmark, address, "--once")
    done = ipcmark("connect", address, "-m", "uds", *QUICK, "--rate", 1000, "-q", "-o", "r.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((ipcmark.folder / "r.json").read_text())["results"][0]
    assert result["one_way_results"]["latency"]["uncorrected"] is None
    assert result["round_trip_results"]["latency"]["uncorrected"]["total_samples"] == 300
    described = json.loads(ipcmark("schema").stdout)["$defs"]["Latency"]["properties"]["uncorrected"]["description"]
    assert "between two programs" in described
    assert server.wait(timeout=TIMEOUT_S) == 0


def test_once_ends_with_its_client(ipcmark, address):
    server = serving(ipcmark, address, "--once")
    assert ipcmark("connect", address, *QUICK, "-q").returncode == 0
    assert server.wait(timeout=TIMEOUT_S) == 0


def test_a_client_waits_for_its_server(ipcmark, address):
    client = ipcmark.start("connect", address, *QUICK, "-q", "--retry", "60s")
    time.sleep(0.5)
    assert client.poll() is None
    server = serving(ipcmark, address, "--once")
    assert client.wait(timeout=TIMEOUT_S) == 0, client.stderr.read()
    assert server.wait(timeout=TIMEOUT_S) == 0


def test_a_client_without_a_server_gives_up(ipcmark, address):
    done = ipcmark("connect", address, *QUICK, "--retry", "300ms")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("ipcmark: ")


@contextlib.contextmanager
def deaf_listener():
    """An address where nobody ever answers: the queue of waiting connections is full, so the kernel drops more."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"tcp:127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def silent_listener():
    """An address where a connection is made, and nothing ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"tcp:127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("nobody", [deaf_listener, silent_listener])
def test_a_client_gives_up_in_time_where_nobody_answers(ipcmark, nobody):
    # The kernel itself would try for two minutes; the rest is what starting and ending take on a busy machine.
    with nobody() as address:
        begin = time.monotonic()
        done = ipcmark("connect", address, *QUICK, "--retry", "1s")
        assert time.monotonic() - begin < 90
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("ipcmark: ")


@pytest.mark.parametrize("nobody", [deaf_listener, silent_listener])
def test_ctrl_c_ends_a_client_that_nobody_answers(ipcmark, nobody):
    with nobody() as address:
        client = ipcmark.start("connect", address, *QUICK, "--retry", "10m")
        time.sleep(1)
        client.send_signal(signal.SIGINT)
        assert client.wait(timeout=TIMEOUT_S) != 0


def test_a_client_waits_for_a_server_that_is_busy(ipcmark):
    address = f"tcp:127.0.0.1:{free_port()}"
    server = serving(ipcmark, address)
    first = ipcmark.start("connect", address, "-d", "6s", "--round-trip", "-q")
    assert "connected" in server.stderr.readline()
    done = ipcmark("connect", address, *QUICK, "-q", "--retry", "60s")
    assert first.wait(timeout=TIMEOUT_S) == 0
    assert done.returncode == 0, done.stderr
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=TIMEOUT_S) == 0


def test_ctrl_c_ends_a_client_that_waits(ipcmark, address):
    client = ipcmark.start("connect", address, *QUICK, "--retry", "60s")
    time.sleep(0.5)
    client.send_signal(signal.SIGINT)
    assert client.wait(timeout=TIMEOUT_S) != 0


def test_a_killed_client_leaves_a_server_that_goes_on(ipcmark, address):
    server = serving(ipcmark, address)
    client = ipcmark.start("connect", address, "-d", "1h", "-q")
    assert "connected" in server.stderr.readline()
    time.sleep(1)
    client.kill()
    client.wait()
    assert "the client was lost in the middle of a measurement" in server.stderr.readline()
    done = ipcmark("connect", address, *QUICK, "-q")
    assert done.returncode == 0, done.stderr
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=TIMEOUT_S) == 0


@pytest.mark.parametrize("mechanism", ["uds", "shm"])
def test_a_killed_client_fails_a_server_that_was_there_for_it(ipcmark, address, mechanism):
    server = serving(ipcmark, address, "--once")
    client = ipcmark.start("connect", address, "-m", mechanism, "-d", "1h", "-q")
    assert "connected" in server.stderr.readline()
    time.sleep(1)
    client.kill()
    client.wait()
    assert server.wait(timeout=TIMEOUT_S) == 1
    assert server.stderr.read().splitlines() == ["ipcmark: the client was lost in the middle of a measurement"]


def test_a_client_that_ends_by_itself_in_the_middle_is_not_lost(ipcmark, address):
    server = serving(ipcmark, address, "--once")
    client = ipcmark.start("connect", address, "-d", "1h", "-q")
    assert "connected" in server.stderr.readline()
    time.sleep(1)
    client.send_signal(signal.SIGINT)
    client.wait(timeout=TIMEOUT_S)
    assert server.wait(timeout=TIMEOUT_S) == 0
    assert "the client has gone" in server.stderr.read()


def test_a_killed_server_fails_the_test_with_the_reason(ipcmark, address):
    server = serving(ipcmark, address)
    client = ipcmark.start("connect", address, "-d", "1h", "-q")
    assert "connected" in server.stderr.readline()
    time.sleep(1)
    server.kill()
    server.wait()
    assert client.wait(timeout=TIMEOUT_S) == 1
    assert len(client.stderr.read().splitlines()) == 1
    if address.startswith("unix:/"):  # kill -9 leaves the name that the user chose, and nothing else
        (ipcmark.leftovers.folder / "meet").unlink(missing_ok=True)


def test_an_address_that_is_taken_is_named(ipcmark, address):
    server = serving(ipcmark, address)
    done = ipcmark("serve", address)
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    assert not address.startswith("tcp:") or f"in use by ipcmark (pid {server.pid})" in done.stderr
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=TIMEOUT_S) == 0


def test_a_stranger_does_not_disturb(ipcmark, leftovers):
    port = free_port()
    address = f"tcp:127.0.0.1:{port}"
    server = serving(ipcmark, address)
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
    silent = socket.create_connection(("127.0.0.1", port))
    done = ipcmark("connect", address, *QUICK, "-q", "--retry", "60s")
    assert done.returncode == 0, done.stderr
    silent.close()
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=TIMEOUT_S) == 0


def say(connection, message):
    body = json.dumps(message).encode()
    connection.sendall(struct.pack(">I", len(body)) + body)


def hear(connection):
    (length,) = struct.unpack(">I", connection.recv(4, socket.MSG_WAITALL))
    return json.loads(connection.recv(length, socket.MSG_WAITALL))


SPAWN = {"type": "spawn", "clock_kind": 1, "ns_per_tick_q32": 1, "endpoints": 1}
JOB = {"role": 0, "direction": 0, "module_path": "", "module_id": "uds", "module_version": "", "message_size": 64}
JOB |= {"options": {}, "soft_options": {}, "chosen_options": {}} | dict.fromkeys(
    ["endpoints", "window", "batch", "count"], 1
)
JOB |= dict.fromkeys(["warmup", "duration_ns", "send_delay_ns", "rate_per_second", "spin_ns"], 0)
JOB |= dict.fromkeys(["set_up_timeout_ns", "mode", "access", "wait", "debug_wrapper"], 0)
JOB |= {"cpus": [], "scratch_dir": ""}


def greet(server):
    """As a client does."""
    say(server, {"type": "hello", "protocol": 3, "version": "of the tests", "boot_id": ""})
    assert hear(server)["type"] == "hello"


# The right kind of message with the wrong things in it.
NONSENSE = [
    {"type": "exited"},
    {"type": "exited", "text": "", "slots": {}},
    {"type": "exited", "text": "", "slots": [1]},
    {"type": "finished", "ends": [{"status": "x"}]},
    {"type": "ready", "module": {}, "options": 3},
    {"type": "warming", "slots": []},
    {"type": "warming", "slots": [{"phase": 9, "consumed": 0}]},
]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_a_server_that_sends_nonsense_fails_the_test_and_no_more(ipcmark, nonsense):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        client = ipcmark.start("connect", address, "-m", "uds", *QUICK, "--round-trip", "-o", "r.json")
        server, _ = listener.accept()
        with server:
            hello = hear(server)
            boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            say(server, {**hello, "boot_id": boot_id})
            assert hear(server)["type"] == "clock"
            say(server, {"type": "clock", "ticks": 0})  # another one: it asks no more
            assert hear(server)["type"] == "spawn"
            say(server, nonsense)
            client.wait(timeout=TIMEOUT_S)
    assert client.returncode == 1
    failure = json.loads((ipcmark.folder / "r.json").read_text())["results"][0]["status"]["Failure"]
    assert "nonsense" in failure and "uds" in failure


@pytest.mark.parametrize("clock", ["monotonic", "auto"])
@pytest.mark.parametrize("ticks", [1, 2**62])
def test_one_way_is_refused_where_the_clocks_of_one_boot_differ(ipcmark, clock, ticks):
    """As on machines that were restored from one snapshot."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        client = ipcmark.start("connect", address, "-m", "tcp", *QUICK, "--clock", clock)
        server, _ = listener.accept()
        with server:
            say(server, {**hear(server), "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip()})
            assert hear(server)["type"] == "clock"
            say(server, {"type": "clock", "ticks": ticks})
            client.wait(timeout=TIMEOUT_S)
    assert client.returncode == 2
    (line,) = client.stderr.read().splitlines()
    assert "one-way" in line and "apart" in line and "--round-trip" in line


def in_a_time_namespace(shift_s):
    """A wrapper for what is to see another monotonic clock; skips the test where there cannot be one."""
    wrapper = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-T", "--monotonic", str(shift_s)]
    program = [sys.executable, "-c", "import time; print(time.monotonic_ns())"]
    done = subprocess.run([*wrapper, *program], capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode != 0 or abs(int(done.stdout) - time.monotonic_ns()) < abs(shift_s) * 10**9 // 2:
        pytest.skip(f"no time namespace here: {done.stderr.strip()}")
    return wrapper


@pytest.mark.parametrize("shift_s", [10_000, -10_000])
def test_one_way_is_refused_between_two_time_namespaces(ipcmark, leftovers, shift_s):
    if shift_s < -time.monotonic():
        pytest.skip("a clock cannot be set back to before its beginning")
    address = f"unix:{leftovers.folder}/meet"
    server = ipcmark.start("serve", address, wrapper=in_a_time_namespace(shift_s))
    assert "serving" in server.stderr.readline()
    command = ["connect", address, "-m", "uds", *QUICK, "--clock", "monotonic"]
    done = ipcmark(*command)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "monotonic clocks are" in done.stderr and "--round-trip" in done.stderr
    done = ipcmark(*command, "--round-trip", "-q", "-o", "r.json")
    assert done.returncode == 0, done.stderr
    document = json.loads((ipcmark.folder / "r.json").read_text())
    assert document["results"][0]["round_trip_results"]["latency"]["total_samples"] == 300
    assert document["metadata"]["server_system_info"]["clock"]["source"] == "none"
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=TIMEOUT_S) == 0


@pytest.mark.parametrize(("field", "value"), [("cpus", ["first"]), ("endpoints", 1_000_000), ("batch", 1_000_000)])
def test_a_client_that_sends_nonsense_does_not_end_the_server(ipcmark, field, value):
    port = free_port()
    address = f"tcp:127.0.0.1:{port}"
    server = serving(ipcmark, address)
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        greet(stranger)
        say(stranger, SPAWN)
        say(stranger, {"type": "job", "job": JOB | {field: value}})
        stranger.settimeout(TIMEOUT_S)
        answer = stranger.recv(65536)  # nothing where the connection was closed
        assert (b"out of range" in answer) == (field != "cpus"), answer
    done = ipcmark("connect", address, *QUICK, "-q")
    assert done.returncode == 0, done.stderr
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=TIMEOUT_S) == 0


def descriptors_of(process):
    return {int(entry.name) for entry in Path(f"/proc/{process.pid}/fd").iterdir()}


@contextlib.contextmanager
def without_free_descriptors(server):
    """While it lasts, the server can open nothing."""
    own = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    taken = descriptors_of(server)
    lowest_free = min(set(range(len(taken) + 1)) - taken)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (lowest_free, own[1]))
    yield
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, own)


def cpu_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@takes_all_descriptors
def test_whoever_connects_waits_until_there_is_a_descriptor_for_it(ipcmark, leftovers):
    address = f"unix:{leftovers.folder}/meet"
    server = serving(ipcmark, address)
    with without_free_descriptors(server):
        client = ipcmark.start("connect", address, *QUICK, "-q", "--retry", "60s")
        told = server.stderr.readline()
        assert "has to wait" in told and "ulimit -n" in told
        before = cpu_seconds(server)
        time.sleep(2)
        assert cpu_seconds(server) - before < 0.3, "it waits, too"
    assert client.wait(timeout=TIMEOUT_S) == 0, client.stderr.read()
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=TIMEOUT_S) == 0
    assert "has to wait" not in server.stderr.read(), "once is enough"


@takes_all_descriptors
def test_where_descriptors_are_short_the_silent_go_first(ipcmark):
    port = free_port()
    address = f"tcp:127.0.0.1:{port}"
    server = serving(ipcmark, address)
    with contextlib.ExitStack() as stack:
        taken = descriptors_of(server)
        stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        while descriptors_of(server) == taken:  # until it is let in
            time.sleep(0.01)
        with without_free_descriptors(server):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            told = server.stderr.readline()
        assert "sent away" in told and "ulimit -n" in told
        done = ipcmark("connect", address, *QUICK, "-q", "--retry", "30s")
        assert done.returncode == 0, done.stderr
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=TIMEOUT_S) == 0


# What somebody may have said who then says nothing more.
def _nothing(_):
    pass


def _half_a_hello(server):
    server.sendall(struct.pack(">I", 100) + b'{"type": "hello", ')


def _hello(server):
    greet(server)


def _half_a_job(server):
    greet(server)
    say(server, SPAWN)
    server.sendall(struct.pack(">I", 1000) + b'{"type": "job", ')


def _job(server):
    """The server's worker waits for a connection, and gives up; nobody tells it to go."""
    greet(server)
    say(server, SPAWN)
    say(server, {"type": "job", "job": JOB | {"set_up_timeout_ns": 10**9}})
    while (word := hear(server)["type"]) == "calls":
        pass
    assert word == "listening"


@pytest.mark.parametrize("silence", [_nothing, _half_a_hello])
def test_a_crowd_that_does_not_say_hello_keeps_nobody_waiting(ipcmark, silence):
    """One after the other, each would have its ten seconds."""
    port = free_port()
    address = f"tcp:127.0.0.1:{port}"
    server = serving(ipcmark, address)
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            silence(stack.enter_context(socket.create_connection(("127.0.0.1", port))))
        done = ipcmark("connect", address, *QUICK, "-q", "--retry", "30s")
        assert done.returncode == 0, done.stderr
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=TIMEOUT_S) == 0


def test_a_client_that_falls_silent_is_given_up(ipcmark):
    """Each silence takes its limit to be seen, so all of them at a time."""
    under_way = []
    with contextlib.ExitStack() as stack:
        for silence in (_hello, _half_a_job, _job):
            port = free_port()
            address = f"tcp:127.0.0.1:{port}"
            server = serving(ipcmark, address, "--once")
            silence(stack.enter_context(socket.create_connection(("127.0.0.1", port))))
            client = ipcmark.start("connect", address, *QUICK, "-q", "--retry", f"{TIMEOUT_S}s")
            under_way.append((silence.__name__, server, client))
        for name, server, client in under_way:
            assert client.wait(timeout=TIMEOUT_S) == 0, (name, client.stderr.read())
            # Not the one client that it was to serve.
            assert server.wait(timeout=TIMEOUT_S) == 0, name
            assert "its connection is closed" in server.stderr.read(), name


def test_a_client_of_another_version_is_told(ipcmark):
    port = free_port()
    server = serving(ipcmark, f"tcp:127.0.0.1:{port}")
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        say(stranger, {"type": "hello", "protocol": 0, "version": "0.0", "boot_id": ""})
        assert hear(stranger)["version"]
        assert stranger.recv(1) == b""
    assert "use the same version" in server.stderr.readline()
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=TIMEOUT_S) == 0


@pytest.mark.parametrize("direction", ["--one-way", "--round-trip"])
def test_a_module_that_writes_over_the_results_there_is_named_here(ipcmark, leftovers, direction):
    address = f"unix:{leftovers.folder}/meet"
    kinds = ["good", "destroys-results"]
    server = serving(ipcmark, address, "--module-path", FIXTURES)
    done = ipcmark(
        *["connect", address, "--module-path", FIXTURES, "-m", ",".join(f"fixture-{kind}" for kind in kinds)],
        *[*QUICK, direction, "-q", "-o", "r.json"],
    )
    assert done.returncode == 1, done.stderr
    kept, destroyed = json.loads((ipcmark.folder / "r.json").read_text())["results"]
    assert kept["status"] == "Success"
    assert "fixture-destroys-results" in destroyed["status"]["Failure"]
    assert "wrote over the memory" in destroyed["status"]["Failure"]
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=TIMEOUT_S) == 0


def test_a_server_that_ends_leaves_the_socket_of_another_one(ipcmark, leftovers):
    address = f"unix:{leftovers.folder}/meet"
    first = serving(ipcmark, address)
    (leftovers.folder / "meet").unlink()
    second = serving(ipcmark, address)
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=TIMEOUT_S) == 0
    done = ipcmark("connect", address, *QUICK, "-q")
    assert done.returncode == 0, done.stderr
    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=TIMEOUT_S) == 0
    assert not (leftovers.folder / "meet").exists()

# SPDX-License-Identifier: Apache-2.0
"""ipcmark serve and ipcmark connect on two machines, which are two network namespaces here."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from machines import of_another_boot, two_machines
from support import TIMEOUT_S, validator_of

QUICK = ["-i", 300, "-w", 10, "--round-trip"]
PORT = 7000
needs_ipv6 = pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6 here")


@pytest.fixture
def machines():
    with two_machines() as pair:
        yield pair


class Pair:
    def __init__(self, ipcmark, machines):
        self.ipcmark = ipcmark
        self.server, self.client = machines

    def serve(self, address, *arguments):
        process = self.ipcmark.start("serve", address, *arguments, wrapper=self.server.wrapper)
        assert "serving" in process.stderr.readline()
        return process

    def connect(self, address, *arguments, quiet=True):
        arguments = [*QUICK, *(["-q"] if quiet else []), *arguments]
        return self.ipcmark("connect", address, *arguments, "-o", "r.json", wrapper=self.client.wrapper)

    def document(self):
        document = json.loads((self.ipcmark.folder / "r.json").read_text())
        validator_of(self.ipcmark.path).validate(document)
        return document


@pytest.fixture
def pair(ipcmark, machines):
    return Pair(ipcmark, machines)


def host_of(document):
    """The option `host` of the only test, and whether it was given."""
    (result,) = document["results"]
    assert result["status"] == "Success"
    assert result["round_trip_results"]["delivery"]["lost"] == 0
    (option,) = (option for option in result["module"]["options"] if option["name"] == "host")
    return option["value"], option["given"]


def test_the_recipe_of_the_readme(pair):
    server = pair.serve(f"tcp:0.0.0.0:{PORT}", "--once")
    done = pair.connect(f"tcp:{pair.server.host}:{PORT}", "-m", "tcp")
    assert done.returncode == 0, done.stderr
    assert host_of(pair.document()) == (pair.server.host, False)
    assert server.wait(timeout=TIMEOUT_S) == 0


@pytest.mark.parametrize("everywhere", ["0.0.0.0", pytest.param("::", marks=needs_ipv6)])
@pytest.mark.parametrize("option", ["--host={}", "--module-option=host={}", "--module-option=tcp.host={}"])
def test_every_address_is_listened_at_and_the_servers_is_dialled(pair, everywhere, option):
    server = pair.serve(f"tcp:0.0.0.0:{PORT}", "--once")
    done = pair.connect(f"tcp:{pair.server.host}:{PORT}", "-m", "tcp", option.format(everywhere))
    assert done.returncode == 0, done.stderr
    assert host_of(pair.document()) == (pair.server.host, True)
    assert server.wait(timeout=TIMEOUT_S) == 0


@pytest.mark.parametrize("everywhere", ["0.0.0.0", pytest.param("::", marks=needs_ipv6)])
def test_every_address_on_one_machine(ipcmark, everywhere):
    document = ipcmark.measure("-m", "tcp", "-O", f"host={everywhere}", "-i", 300, "-w", 10)
    assert host_of(document) == (everywhere, True)


def test_an_address_that_was_given_is_taken(pair):
    pair.server.run("ip", "addr", "add", "10.219.7.9/24", "dev", pair.server.interface)
    server = pair.serve(f"tcp:0.0.0.0:{PORT}", "--once")
    done = pair.connect(f"tcp:{pair.server.host}:{PORT}", "-m", "tcp", "--host", "10.219.7.9")
    assert done.returncode == 0, done.stderr
    assert host_of(pair.document()) == ("10.219.7.9", True)
    assert server.wait(timeout=TIMEOUT_S) == 0


def link_local_of(machine):
    deadline = time.monotonic() + TIMEOUT_S
    while True:  # it may be used when no other one has answered to it
        shown = machine.run("ip", "-6", "addr", "show", "dev", machine.interface, "scope", "link", "-tentative")
        if found := re.search(r"inet6 (fe80:[^/]*)/", shown):
            return found[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@needs_ipv6
@pytest.mark.parametrize("arguments", [[], ["--host", "::"]])
@pytest.mark.parametrize("kind", ["global", "link-local"])
def test_by_ipv6(pair, kind, arguments):
    # Another number of the interface on each side, so that one's scope is no scope of the other.
    pair.client.run("ip", "link", "add", "other", "type", "veth", "peer", "name", "end")
    address = pair.server.host6
    if kind == "link-local":
        address = f"{link_local_of(pair.server)}%{pair.client.interface}"
        link_local_of(pair.client)
    server = pair.serve(f"tcp:[::]:{PORT}", "--once")
    done = pair.connect(f"tcp:[{address}]:{PORT}", "-m", "tcp", *arguments)
    assert done.returncode == 0, done.stderr
    assert host_of(pair.document()) == (address, bool(arguments))
    assert server.wait(timeout=TIMEOUT_S) == 0


@needs_ipv6
def test_every_address_of_ipv4_is_none_of_ipv6(pair):
    server = pair.serve(f"tcp:[::]:{PORT}")
    done = pair.connect(f"tcp:[{pair.server.host6}]:{PORT}", "-m", "tcp", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "--host ::" in done.stderr
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=TIMEOUT_S) == 0


# Passes connections on, as what publishes the ports of a container does: their addresses are its own ones.
RELAY = """
import asyncio, sys
outside, inside, *ports = sys.argv[1:]
async def copy(reader, writer):
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()
async def main():
    for port in ports:
        async def pass_on(reader, writer, port=port):
            there = await asyncio.open_connection(inside, port)
            await asyncio.gather(copy(reader, there[1]), copy(there[0], writer), return_exceptions=True)
        await asyncio.start_server(pass_on, outside, port)
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@contextlib.contextmanager
def relay(pair, *ports):
    """From an address that is the client's machine's to the server."""
    command = [sys.executable, "-c", RELAY, pair.client.host, pair.server.host, *map(str, ports)]
    with subprocess.Popen([*pair.client.wrapper, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield pair.client.host
        finally:
            process.kill()


def test_a_control_connection_that_is_none_of_tcp_says_nothing_of_addresses(ipcmark, leftovers):
    address = f"unix:{leftovers.folder}/meet"
    server = ipcmark.start("serve", address, "--once")
    done = ipcmark("connect", address, "-m", "tcp", *QUICK, "-o", "r.json")
    assert done.returncode == 0, done.stderr
    assert host_of(json.loads((ipcmark.folder / "r.json").read_text())) == ("127.0.0.1", False)
    assert server.wait(timeout=TIMEOUT_S) == 0


def test_an_address_that_is_not_the_servers_own_is_named(pair):
    port = 7001
    server = pair.serve(f"tcp:0.0.0.0:{PORT}")
    with relay(pair, PORT, port) as outside:
        address = f"tcp:{outside}:{PORT}"
        done = pair.connect(address, "-m", "tcp")
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert outside in done.stderr and "translated" in done.stderr and "--host" in done.stderr
        # As the error says.
        done = pair.connect(address, "-m", "tcp", "--host", "0.0.0.0", "--port", port)
        assert done.returncode == 0, done.stderr
        assert host_of(pair.document()) == (outside, True)
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=TIMEOUT_S) == 0


@pytest.mark.parametrize("mechanism", ["uds", "shm", "pmq"])
def test_what_works_within_a_machine_is_refused_between_two(ipcmark, leftovers, mechanism):
    address = f"unix:{leftovers.folder}/meet"
    wrapper, _ = of_another_boot(ipcmark.folder)
    server = ipcmark.start("serve", address, "--once", wrapper=wrapper)
    assert "serving" in server.stderr.readline()
    done = ipcmark("connect", address, "-m", f"tcp,{mechanism}", *QUICK)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"{mechanism} joins processes of one machine" in done.stderr and "modules that can: tcp" in done.stderr
    assert server.wait(timeout=TIMEOUT_S) == 0
    assert server.stderr.read().count("\n") == 2, "nothing was started there: a client came and went"


def test_what_is_refused_between_two_machines_leaves_the_others(ipcmark, leftovers):
    address = f"unix:{leftovers.folder}/meet"
    wrapper, _ = of_another_boot(ipcmark.folder)
    server = ipcmark.start("serve", address, wrapper=wrapper)
    assert "serving" in server.stderr.readline()
    go_on = ["--continue-on-error", *QUICK]
    assert ipcmark("connect", address, "-m", "uds,shm", *go_on, "-o", "none.json").returncode == 0
    failed = json.loads((ipcmark.folder / "none.json").read_text())["results"]
    assert (
        all("joins processes of one machine" in result["status"]["Failure"] for result in failed) and len(failed) == 2
    )
    done = ipcmark("connect", address, "-m", "uds,tcp", *go_on, "-o", "r.json")
    assert done.returncode == 0, done.stderr
    refused, measured = json.loads((ipcmark.folder / "r.json").read_text())["results"]
    assert "joins processes of one machine" in refused["status"]["Failure"]
    assert measured["status"] == "Success"
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=TIMEOUT_S) == 0


def test_the_document_knows_both_machines(pair):
    wrapper, boot_id = of_another_boot(pair.ipcmark.folder)
    pair.server.wrapper += [
        *wrapper,
        "unshare",
        "--uts",
        "sh",
        "-c",
        'echo "$0" >/proc/sys/kernel/hostname && exec "$@"',
    ]
    pair.server.wrapper += ["the-server"]
    server = pair.serve(f"tcp:0.0.0.0:{PORT}", "--once")
    address = f"tcp:{pair.server.host}:{PORT}"
    done = pair.connect(address, "-m", "tcp", quiet=False)
    assert done.returncode == 0, done.stderr
    metadata = pair.document()["metadata"]
    ours, theirs = metadata["system_info"], metadata["server_system_info"]
    assert metadata["control_address"] == address
    assert (theirs["boot_id"], theirs["hostname"]) == (boot_id, "the-server")
    assert ours["boot_id"] != boot_id and ours["hostname"] != "the-server"
    words = " ".join(done.stdout.split())
    assert f"machines: the client on {ours['hostname']} (" in words
    assert f"the server on the-server ({theirs['architecture']}, " in words
    assert f"connected to {address}" in words
    own = {"boot_id", "hostname", "clock"}
    assert {name: theirs[name] for name in theirs if name not in own} == {
        name: ours[name] for name in ours if name not in own
    }, "it is one machine after all"
    assert server.wait(timeout=TIMEOUT_S) == 0


def test_the_document_has_one_machine_where_there_is_one(ipcmark, leftovers):
    metadata = ipcmark.measure("-m", "uds", "-i", 300, "-w", 10)["metadata"]
    assert metadata["server_system_info"] is None and metadata["control_address"] is None
    address = f"unix:{leftovers.folder}/meet"
    server = ipcmark.start("serve", address, "--once")
    done = ipcmark("connect", address, "-m", "uds", *QUICK, "-o", "r.json")
    assert done.returncode == 0, done.stderr
    metadata = json.loads((ipcmark.folder / "r.json").read_text())["metadata"]
    assert metadata["server_system_info"] is None and metadata["control_address"] == address
    assert server.wait(timeout=TIMEOUT_S) == 0

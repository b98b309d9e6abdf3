# SPDX-License-Identifier: Apache-2.0
"""Where the two sides meet: socket files, ports and host names that are free, stale, somebody else's, or unknown."""

import contextlib
import ctypes
import errno
import os
import platform
import socket
import subprocess
import sys

import pytest
from machines import network
from support import TIMEOUT_S, free_port

QUICK = ["-i", 20, "-w", 0, "-q"]


def assert_taken(ipcmark, path):
    done = ipcmark("run", "-m", "uds", "-O", f"path={path}", *QUICK)
    assert done.returncode == 1
    assert f"the socket path {path} is taken" in done.stderr
    assert path.exists()
    served = ipcmark("serve", f"unix:{path}")
    assert served.returncode == 2
    assert served.stderr.startswith(f"ipcmark: cannot listen at unix:{path}: Address already in use; choose another")
    assert path.exists()


def unix_socket():
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def test_a_stale_socket_file_is_replaced(ipcmark):
    path = ipcmark.folder / "meet"
    with unix_socket() as killed:
        killed.bind(str(path))
        killed.listen()
    done = ipcmark("run", "-m", "uds", "-O", f"path={path}", *QUICK)
    assert done.returncode == 0, done.stderr
    assert not path.exists()


def test_a_file_that_is_no_socket_is_nobodys_to_replace(ipcmark):
    path = ipcmark.folder / "meet"
    path.write_text("mine")
    assert_taken(ipcmark, path)
    assert path.read_text() == "mine"


def test_a_socket_file_whose_owner_is_about_to_listen_is_taken(ipcmark):
    path = ipcmark.folder / "meet"
    with unix_socket() as bound:
        bound.bind(str(path))
        assert_taken(ipcmark, path)
    path.unlink()


def test_a_listener_whose_queue_is_full_is_there(ipcmark):
    path = ipcmark.folder / "meet"
    with contextlib.ExitStack() as sockets:
        busy = sockets.enter_context(unix_socket())
        busy.bind(str(path))
        busy.listen(0)
        with pytest.raises(BlockingIOError):
            while True:
                waiting = sockets.enter_context(unix_socket())
                waiting.setblocking(False)
                waiting.connect(str(path))
        assert_taken(ipcmark, path)
    path.unlink()


def assert_port_taken(ipcmark, port, *parts):
    done = ipcmark("run", "-m", "tcp", "--port", port, *QUICK)
    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken" in done.stderr
    for part in parts:
        assert part in done.stderr


@contextlib.contextmanager
def another_that_listens(host, port):
    code = "import socket, sys; s = socket.create_server((sys.argv[1], int(sys.argv[2]))); print(flush=True); input()"
    command = [sys.executable, "-c", code, host, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process.pid
        process.stdin.close()


def test_who_has_the_port_at_another_address_is_not_in_the_way(ipcmark):
    port = free_port()
    with socket.create_server(("127.0.0.2", port)):
        with another_that_listens("127.0.0.1", port) as pid:
            assert_port_taken(ipcmark, port, f"(pid {pid})")
        assert ipcmark("run", "-m", "tcp", "--port", port, *QUICK).returncode == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_who_has_the_port_at_every_address_is_named(ipcmark, host):
    port = free_port()
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    if host == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with socket.create_server((host, port), family=family, dualstack_ipv6=host == "::"):
        assert_port_taken(ipcmark, port, f"(pid {os.getpid()})")


def test_who_has_the_port_of_a_connection_is_named(ipcmark):
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.bind(("127.0.0.1", port))
        client.connect(server.getsockname())
        assert_port_taken(ipcmark, port, f"(pid {os.getpid()})")


def test_a_port_that_is_only_bound_is_said_to_be_perhaps_that(ipcmark):
    port = free_port()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", port))
        assert_port_taken(ipcmark, port, "bound socket that cannot be seen")


def refuse_to_bind():
    """Of this process: a seccomp filter that answers bind with EACCES."""
    number = {"x86_64": 49, "aarch64": 200}[platform.machine()]
    load, equal, give = 0x20, 0x15, 0x06
    program = [(load, 0, 0, 0), (equal, 0, 1, number), (give, 0, 0, 0x50000 | errno.EACCES), (give, 0, 0, 0x7FFF0000)]
    code = b"".join(
        a.to_bytes(2, sys.byteorder) + bytes([b, c]) + d.to_bytes(4, sys.byteorder) for a, b, c, d in program
    )

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # no new privileges
    assert libc.prctl(22, 2, ctypes.byref(Program(len(program), code)), 0, 0) == 0


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="bind has another number")
def test_a_port_of_the_kernels_choice_is_never_below_the_unprivileged_ones(ipcmark):
    done = ipcmark("run", "-m", "tcp", *QUICK, preexec_fn=refuse_to_bind)
    assert done.returncode == 1
    assert "cannot listen at 127.0.0.1:0: Permission denied" in done.stderr, done.stderr
    assert "ip_unprivileged_port_start" not in done.stderr


@pytest.mark.parametrize(
    ("host", "told"), [("[::1]", "leave out the brackets"), ("", "host is empty; give an address or a name")]
)
def test_a_host_that_is_none(ipcmark, host, told):
    done = ipcmark("run", "-m", "tcp", "-O", f"host={host}", *QUICK)
    assert done.returncode == 1
    assert told in done.stderr, done.stderr


def test_a_name_server_that_says_nothing_is_not_the_modules_fault(ipcmark):
    """Neither is it waited for so long that the module is said to hang."""
    file = ipcmark.folder / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\nsearch .\n")
    mute = (
        "import socket; s = socket.socket(type=2); s.bind(('127.0.0.1', 53)); print(flush=True); input()"  # datagrams
    )
    with network() as pid:
        inside = ["nsenter", f"--net=/proc/{pid}/ns/net"]
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True, timeout=TIMEOUT_S)
        command = [*inside, sys.executable, "-c", mute]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            server.stdout.readline()
            mounted = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', file]
            done = ipcmark("run", "-m", "tcp", "--host", "nowhere.example", *QUICK, wrapper=[*inside, *mounted])
            server.stdin.close()
    assert done.returncode == 1
    assert "cannot look up the host name nowhere.example" in done.stderr, done.stderr
    assert "hangs" not in done.stderr

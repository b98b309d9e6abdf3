# SPDX-License-Identifier: Apache-2.0
"""Where the two sides meet: socket files that are free, stale, or somebody else's."""

import contextlib
import socket

import pytest

QUICK = ["-i", 20, "-w", 0, "-q"]


def assert_taken(ipcmark, path):
    done = ipcmark("run", "-m", "uds", "-O", f"path={path}", *QUICK)
    assert done.returncode == 1
    assert f"the socket path {path} is taken" in done.stderr
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

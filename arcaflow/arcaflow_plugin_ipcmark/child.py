# SPDX-License-Identifier: Apache-2.0
"""Child processes: each in a session of its own, ended gently and then surely, and none that outlives the plugin."""

import contextlib
import errno
import os
import select
import shutil
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# So much of the end of standard error is kept: a child that writes for an hour costs no memory.
TAIL_BYTES = 64 * 1024
# From SIGTERM to SIGKILL. ipcmark needs some tens of milliseconds to write down what it has; the engine itself gives a
# step that it cancels five seconds.
GRACE_S = 4.0
# What poll can be told to wait at most, in milliseconds: under 25 days, and a time-out may be longer.
POLL_AT_MOST_MS = 2**31 - 1


@dataclass(frozen=True)
class Ended:
    """How a child ended. `returncode` is negative for a signal, as in subprocess."""

    returncode: int
    stdout: str
    stderr: str
    timed_out: bool = False
    cancelled: bool = False

    def describe(self) -> str:
        """'exited with code 1' or 'was killed by SIGSEGV (signal 11)'."""
        if self.returncode >= 0:
            return f"exited with code {self.returncode}"
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-self.returncode).name} (signal {-self.returncode})"
        return f"was killed by signal {-self.returncode}"


class Cancel:
    """Asked for once, from any thread or signal handler, and remembered for all children that come after."""

    def __init__(self) -> None:
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.requested = False
        weakref.finalize(self, os.close, self._event)
        _all_cancels.add(self)

    def request(self) -> None:
        self.requested = True
        os.eventfd_write(self._event, 1)

    def fileno(self) -> int:
        """Readable, and stays so, once it was requested."""
        return self._event


class _AllCancels:
    """Those that are there, and those of steps that are just being started."""

    def __init__(self) -> None:
        self._requested = False
        self._cancels: weakref.WeakValueDictionary[int, Cancel] = weakref.WeakValueDictionary()

    def add(self, cancel: Cancel) -> None:
        self._cancels[id(cancel)] = cancel
        if self._requested:
            cancel.request()

    def request(self) -> None:
        self._requested = True
        for reference in self._cancels.valuerefs():  # at once: threads may be adding more
            if cancel := reference():
                cancel.request()


_all_cancels = _AllCancels()


def cancel_all() -> None:
    """Ends all children of this process, as Cancel does, and all that are started later."""
    _all_cancels.request()


class _Reader(threading.Thread):
    """Reads a pipe to its end; keeps all of it or its last part."""

    def __init__(self, pipe, keep_bytes: int | None, on_line: Callable[[str], None] | None = None) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._keep_bytes = keep_bytes
        self._on_line = on_line
        self._kept = bytearray()
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in iter(self._pipe.readline, b""):
                self._kept += line
                if self._keep_bytes and len(self._kept) > 2 * self._keep_bytes:
                    del self._kept[: -self._keep_bytes]
                if self._on_line:
                    self._on_line(line.decode(errors="replace").rstrip("\n"))

    def text(self) -> str:
        # A process that left the session may still hold the pipe; its output is not waited for. What is in the pipe
        # already, or its end, is: the thread that reads it may have had no CPU.
        readable = select.poll()
        readable.register(self._pipe, select.POLLIN)
        begin = time.monotonic()
        while self.is_alive() and time.monotonic() < begin + (30.0 if readable.poll(0) else 1.0):
            self.join(timeout=0.02)
        if not self.is_alive():
            self._pipe.close()
        kept = self._kept[-self._keep_bytes :] if self._keep_bytes else self._kept
        return kept.decode(errors="replace")


def run(
    command: Sequence[str],
    timeout_s: float,
    cancel: Cancel,
    grace_s: float = GRACE_S,
    on_stderr_line: Callable[[str], None] | None = None,
) -> Ended:
    """Runs a command to its end and leaves no process of its session behind.

    Waiting costs no processor time, which the benchmark needs. Raises OSError where the command cannot be started.
    """
    if not shutil.which(command[0]):  # setpriv would say it in another way
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    _end_signals.leave_the_end_to_the_caller()
    child = subprocess.Popen(
        [*_dies_with_this_process(), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    pidfd = -1
    timed_out = cancelled = False
    try:
        stdout = _Reader(child.stdout, None)
        stderr = _Reader(child.stderr, TAIL_BYTES, on_stderr_line)
        pidfd = os.pidfd_open(child.pid)
        if not _wait(pidfd, timeout_s, cancel):
            cancelled = cancel.requested
            timed_out = not cancelled
    finally:
        if pidfd < 0 or not _wait(pidfd, 0):
            # To ipcmark alone, which ends its workers itself and writes down what they had measured.
            child.terminate()
            _wait(pidfd, grace_s)
        _kill_session(child)
        if pidfd >= 0:
            os.close(pidfd)
    return Ended(child.returncode, stdout.text(), stderr.text(), timed_out, cancelled)


def _wait(pidfd: int, timeout_s: float, cancel: Cancel | None = None) -> bool:
    """Until the process has ended (true), or the time is over or the end was asked for (false)."""
    poll = select.poll()
    if pidfd >= 0:
        poll.register(pidfd, select.POLLIN)
    if cancel:
        poll.register(cancel.fileno(), select.POLLIN)
    deadline = time.monotonic() + timeout_s
    while True:
        left_ms = max(0.0, deadline - time.monotonic()) * 1000
        ready = poll.poll(min(left_ms, POLL_AT_MOST_MS))
        if ready or left_ms <= POLL_AT_MOST_MS:
            return any(fd == pidfd for fd, _ in ready)


def _kill_session(child: subprocess.Popen) -> None:
    """Kills and reaps what is left. The child is reaped last: until then no other process can get its number."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    deadline = time.monotonic() + 1.0
    # The first process of a container inherits orphans, and they must not stay as zombies.
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            reaped = os.waitid(os.P_PGID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if reaped is None:
                time.sleep(0.005)
            elif reaped.si_pid == child.pid:
                child.wait()
            else:
                os.waitpid(reaped.si_pid, 0)
    child.wait()


def _dies_with_this_process() -> list[str]:
    """A prefix to a command that ends it when this process is killed and can end nothing itself any more."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


_END_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _EndSignals:
    """SIGTERM and SIGINT end what runs, as cancel does, and then this process.

    The interpreter runs signal handlers on the main thread, anywhere. An exception raised there while a child is being
    started would lose it, and one raised later what was measured; so once the main thread itself has run a child, as
    it does where the input is a file, it goes on to its end, which the cancel brings about at once.
    """

    def __init__(self) -> None:
        self._runs_children = False  # the main thread
        self.came = 0

    def install(self) -> None:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in _END_SIGNALS:
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._insist, args=(reader,), daemon=True).start()

    def _insist(self, reader: int) -> None:
        """Sees to it that the handler is run.

        A signal that comes just before the main thread begins to wait, for the engine's next message, or that another
        thread takes, does not end the wait; and the handler would be run after it, which may be never. One that comes
        in the wait ends it.
        """
        while (number := os.read(reader, 1)[0]) not in _END_SIGNALS:
            pass
        while not self.came:
            time.sleep(0.05)
            signal.pthread_kill(threading.main_thread().ident, number)

    def leave_the_end_to_the_caller(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._runs_children = True

    def _on_signal(self, number, _frame) -> None:
        for each in _END_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        self.came = number
        cancel_all()
        # Steps that run on threads of their own are waited for by the interpreter.
        if not self._runs_children:
            raise SystemExit(128 + number)


_end_signals = _EndSignals()


def end_children_on_signals() -> None:
    """From now on SIGTERM and SIGINT end what runs, and then this process. Only in the main thread."""
    _end_signals.install()


def signal_that_came() -> signal.Signals | None:
    """SIGTERM or SIGINT: the process is to end with 128 and its number, as soon as its results are written."""
    return signal.Signals(_end_signals.came) if _end_signals.came else None

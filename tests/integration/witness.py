# SPDX-License-Identifier: Apache-2.0
"""Reads what the witness module wrote down (witness/record.h)."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from support import BUILD_ROOT

HEADER = struct.Struct("<QQ")
RECORD = struct.Struct("<QQIIIHHIIiI")
CAPACITY = 1 << 20


class Event(IntEnum):
    LISTEN = 1
    ACCEPT = 2
    CONNECT = 3
    SEND = 4
    RECV = 5
    CLOSE = 6


@dataclass(frozen=True)
class Record:
    begin_ns: int
    end_ns: int
    pid: int
    tid: int
    endpoint: int
    event: Event
    cpu: int
    size: int
    checksum: int
    status: int
    is_server: bool


@dataclass(frozen=True)
class Trip:
    """A message of the client, and what came back for it."""

    sent: Record
    returned: Record

    @property
    def duration_ns(self):
        return self.returned.end_ns - self.sent.begin_ns


NOT_WRITTEN_YET = 0  # as an event: the place is taken, and the record is on its way


class Witness:
    """A log file of its own, the arguments that make the program use it, and what it says afterwards."""

    FOLDER = BUILD_ROOT / "tests" / "integration" / "witness"

    def __init__(self, folder: Path):
        self.path = folder / "witness.log"
        self.path.write_bytes(HEADER.pack(0, CAPACITY))
        with self.path.open("r+b") as file:
            file.truncate(HEADER.size + CAPACITY * RECORD.size)

    def arguments(self, **options):
        """Arguments of `ipcmark run`; options of the module with _ for -."""
        arguments = ["--module-path", self.FOLDER, "-m", "witness", "-O", f"log={self.path}"]
        for name, value in options.items():
            arguments += ["-O", f"{name.replace('_', '-')}={value}"]
        return arguments

    def _values(self):
        with self.path.open("rb") as file:
            count, capacity = HEADER.unpack(file.read(HEADER.size))
            assert count <= capacity, f"the log has room for {capacity} records; {count} were written"
            values = RECORD.iter_unpack(file.read(count * RECORD.size))
            return [each for each in values if each[5] != NOT_WRITTEN_YET]

    def records(self):
        found = []
        for values in self._values():
            record = Record(*values[:5], Event(values[5]), *values[6:10], bool(values[10]))
            found.append(record)
        return sorted(found, key=lambda record: record.begin_ns)

    def has_seen(self, event):
        """Whether there was a call of this kind yet; to be asked while others are being written down."""
        return any(values[5] == event for values in self._values())

    def of(self, event, *, is_server):
        """Successful calls of one kind by one side, in order of time."""
        return [r for r in self.records() if r.event == event and r.is_server == is_server and r.status == 0]

    def by_endpoint(self, event, *, is_server):
        """endpoint → its successful calls of one kind, in order of time."""
        found = {}
        for record in self.of(event, is_server=is_server):
            found.setdefault(record.endpoint, []).append(record)
        return found

    def assert_taken_before_the_next(self, messages):
        """The first messages of a stream: on each endpoint the server had them all before the client sent another."""
        sends = self.by_endpoint(Event.SEND, is_server=False)
        receives = self.by_endpoint(Event.RECV, is_server=True)
        for endpoint, own in sends.items():
            assert own[messages].begin_ns > receives[endpoint][messages - 1].end_ns

    def trips(self):
        """endpoint → its round trips in order, for a window of 1; the last message, which gets no answer, left out."""
        sends = self.by_endpoint(Event.SEND, is_server=False)
        returns = self.by_endpoint(Event.RECV, is_server=False)
        assert sends.keys() == returns.keys()
        pairs = {}
        for endpoint, answers in returns.items():
            assert len(sends[endpoint]) - len(answers) in (0, 1)
            pairs[endpoint] = [Trip(s, r) for s, r in zip(sends[endpoint], answers, strict=False)]
        return pairs

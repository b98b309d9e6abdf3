# SPDX-License-Identifier: Apache-2.0
"""What a benchmark step is asked to do.

The fields of the published rusty-comms plugin keep their names, types and, but for `blocking`, defaults; what ipcmark
adds is below them.
"""

import enum
from dataclasses import dataclass
from typing import Annotated, Optional

from arcaflow_plugin_sdk import schema, validation

from arcaflow_plugin_ipcmark.schema_fields import CPU_LIST, MECHANISM, doc


class WaitPolicy(enum.Enum):
    """How a side waits for a message."""

    block = "block"
    spin = "spin"
    adaptive = "adaptive"


class Clock(enum.Enum):
    """What stamps the messages."""

    auto = "auto"
    tsc = "tsc"
    monotonic = "monotonic"


@dataclass
class TestRunConfig:
    """One test: one run of ipcmark, for each of its mechanisms."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    mechanisms: Annotated[
        list[Annotated[str, validation.pattern(MECHANISM)]],
        *doc(
            "IPC mechanisms",
            "Mechanisms to measure: uds, shm, tcp, pmq, the name of any other module that is found, or all for"
            " uds, shm, tcp and pmq.",
        ),
        schema.min(1),
    ]
    message_size: Annotated[
        Optional[int], *doc("Message size", "Bytes of a message. Default: 1024."), schema.min(1)
    ] = None
    msg_count: Annotated[
        Optional[int],
        *doc("Message count", "Messages to measure; not used where a duration is set. Default: 10000."),
        schema.min(1),
    ] = None
    duration: Annotated[
        Optional[str],
        *doc("Duration", "Measure for this long, for example 30s, 5m or 500ms, instead of counting messages."),
    ] = None
    concurrency: Annotated[
        Optional[int],
        *doc("Concurrency", "Endpoints that exchange messages at the same time. Default: 1."),
        schema.min(1),
    ] = None
    blocking: Annotated[
        Optional[bool],
        *doc("Blocking mode", "true: a thread for each endpoint. false: one thread a side drives all by readiness."),
    ] = True
    buffer_size: Annotated[
        Optional[int],
        *doc("Buffer size", "Bytes of the transport's buffers. Default: the transport's own."),
        schema.min(1),
    ] = None
    warmup_iterations: Annotated[
        Optional[int],
        *doc("Warm-up iterations", "Messages before the measurement, on the measured connection. Default: 1000."),
        schema.min(0),
    ] = None
    percentiles: Annotated[
        Optional[list[float]], *doc("Percentiles", "Latency percentiles to report. Default: 50, 95, 99 and 99.9.")
    ] = None
    one_way: Annotated[
        Optional[bool], *doc("One way", "Measure one way. Both directions are measured where neither is asked for.")
    ] = None
    round_trip: Annotated[
        Optional[bool],
        *doc("Round trip", "Measure round trips. Both directions are measured where neither is asked for."),
    ] = None
    send_delay: Annotated[
        Optional[str],
        *doc("Send delay", "Pause between messages, for example 10ms or 50us; never part of a measured latency."),
    ] = None
    server_affinity: Annotated[
        Optional[int], *doc("Server CPU", "Run the server side on this CPU only."), schema.min(0)
    ] = None
    client_affinity: Annotated[
        Optional[int], *doc("Client CPU", "Run the client side on this CPU only."), schema.min(0)
    ] = None
    shm_direct: Annotated[
        Optional[bool],
        *doc("Shared memory, direct", "Write and read messages in place in shared memory. Implies blocking mode."),
    ] = None
    continue_on_error: Annotated[
        Optional[bool], *doc("Continue on error", "Go on with the other mechanisms of this test where one fails.")
    ] = None
    quiet: Annotated[Optional[bool], *doc("Quiet", "Keep ipcmark's own console output down to errors.")] = None
    include_first_message: Annotated[
        Optional[bool], *doc("Include the first message", "Count the first message after the warm-up too.")
    ] = None
    host: Annotated[Optional[str], *doc("TCP host", "Address for tcp. Default: 127.0.0.1.")] = None
    # No maximum, as published: the engine cannot compare it with a workflow's copy of the published schema.
    port: Annotated[Optional[int], *doc("TCP port", "Port for tcp. Default: a free one."), schema.min(1)] = None
    pmq_priority: Annotated[
        Optional[int],
        *doc("Queue priority", "Priority of messages in POSIX message queues. Default: 0."),
        schema.min(0),
    ] = None
    iterations: Annotated[
        Optional[int],
        *doc("Iterations", "Run this test so many times; the aggregates are computed over all of them."),
        schema.min(1),
    ] = 1
    timeout: Annotated[
        Optional[int],
        *doc("Time-out", "Seconds after which a run is ended; what it had measured is kept."),
        schema.min(1),
    ] = 3600
    extra_args: Annotated[
        Optional[list[str]], *doc("Extra arguments", "Further arguments for ipcmark, as they are.")
    ] = None
    # What ipcmark adds.
    rate: Annotated[
        Optional[float],
        *doc(
            "Rate",
            "Messages per second of all endpoints together, sent on a fixed schedule; latency counts from the planned"
            " moment of sending. Default: as fast as it goes.",
        ),
    ] = None
    wait: Annotated[
        Optional[WaitPolicy],
        *doc("Wait policy", "How a side waits for a message: block, spin or adaptive. Default: block."),
    ] = None
    spin: Annotated[
        Optional[str], *doc("Spin time", "With wait adaptive: spin for so long before sleeping, for example 20us.")
    ] = None
    window: Annotated[
        Optional[int], *doc("Window", "Round trips under way at once on an endpoint. Default: 1."), schema.min(1)
    ] = None
    batch: Annotated[
        Optional[int], *doc("Batch", "One way: messages handed to the transport in a call. Default: 1."), schema.min(1)
    ] = None
    repeat: Annotated[
        Optional[int],
        *doc("Repeat", "Times that ipcmark measures this test in one run; each time is a result. Default: 1."),
        schema.min(1),
    ] = None
    server_cpus: Annotated[
        Optional[str],
        *doc("Server CPUs", "CPUs of the server side, for example 0-3,8. Not together with the server CPU."),
        validation.pattern(CPU_LIST),
    ] = None
    client_cpus: Annotated[
        Optional[str],
        *doc("Client CPUs", "CPUs of the client side, for example 4-7. Not together with the client CPU."),
        validation.pattern(CPU_LIST),
    ] = None
    clock: Annotated[Optional[Clock], *doc("Clock", "What stamps messages: auto, tsc or monotonic. Default: auto.")] = (
        None
    )
    histogram: Annotated[
        Optional[bool],
        *doc(
            "Histogram",
            "Return every bucket of the histograms of latency, some thousand numbers for each direction; without it,"
            " the percentiles and histogram_data tell the shape.",
        ),
    ] = False
    module_options: Annotated[
        Optional[dict[str, str]],
        *doc(
            "Module options",
            "Options of the modules by name, as `ipcmark inspect` lists them: type, or uds.type for one module only.",
        ),
    ] = None
    module_path: Annotated[
        Optional[list[str]],
        *doc("Module path", "Folders that are searched for further modules, before the usual ones."),
    ] = None


@dataclass
class InputParams:
    """Input of the step run-benchmark."""

    tests: Annotated[
        list[TestRunConfig],
        *doc("Tests", "The tests, run one after the other; a test that fails leaves the results of the others."),
        schema.min(1),
    ]


@dataclass
class ServeParams:
    """Input of the step serve."""

    address: Annotated[
        str,
        *doc("Address", "Where clients find this end: tcp:HOST:PORT, unix:PATH or unix:@NAME. For control only."),
    ] = "tcp:0.0.0.0:7740"
    server_cpus: Annotated[
        Optional[str],
        *doc("Server CPUs", "CPUs for tests whose client asks for none, for example 0-3,8."),
        validation.pattern(CPU_LIST),
    ] = None
    once: Annotated[
        Optional[bool], *doc("Once", "End after the first client has gone; otherwise serve until cancelled.")
    ] = False
    timeout: Annotated[Optional[int], *doc("Time-out", "End after so many seconds."), schema.min(1)] = 3600
    module_path: Annotated[
        Optional[list[str]],
        *doc("Module path", "Folders that are searched for further modules, before the usual ones."),
    ] = None
    extra_args: Annotated[Optional[list[str]], *doc("Extra arguments", "Further arguments for ipcmark serve.")] = None


@dataclass
class ConnectParams:
    """Input of the step connect."""

    address: Annotated[str, *doc("Address", "Where the step serve is: tcp:HOST:PORT, unix:PATH or unix:@NAME.")]
    tests: Annotated[
        list[TestRunConfig],
        *doc("Tests", "The tests, run one after the other against that end."),
        schema.min(1),
    ]
    retry: Annotated[Optional[str], *doc("Retry", "How long to try to reach the other end. Default: 30s.")] = None

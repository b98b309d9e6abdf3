# SPDX-License-Identifier: Apache-2.0
"""From the inputs of a step to the command line of ipcmark. Every choice is said, defaults too, but for extra_args.

What may begin with '-' is joined to its flag by '=', so that it is a wrong value and never another option.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

from arcaflow_plugin_ipcmark.schema_inputs import ConnectParams, ServeParams, TestRunConfig, WaitPolicy

# What a test does where the input says nothing. The same as ipcmark's own defaults, which a test checks.
DEFAULT_MESSAGE_SIZE = 1024
DEFAULT_MSG_COUNT = 10_000
DEFAULT_CONCURRENCY = 1
DEFAULT_WARMUP = 1000
DEFAULT_PERCENTILES = (50.0, 95.0, 99.0, 99.9)


_FOR_ONE_MECHANISM = {"host": "tcp", "port": "tcp", "pmq_priority": "pmq", "shm_direct": "shm"}


class InputError(Exception):
    """Inputs contradict each other or cannot be said to ipcmark. The message names them."""


def run_arguments(test: TestRunConfig) -> list[str]:
    """What follows `ipcmark` on the command line of one test. Raises InputError."""
    return ["run", *_test_arguments(test)]


def connect_arguments(params: ConnectParams, test: TestRunConfig) -> list[str]:
    """As run_arguments, against the other end of `params`."""
    _check_texts(params)
    retry = [f"--retry={params.retry}"] if params.retry else []
    return ["connect", _address(params.address), *retry, *_test_arguments(test)]


def serve_arguments(params: ServeParams) -> list[str]:
    """What follows `ipcmark` on the command line of the step serve. Raises InputError."""
    _check_texts(params)
    arguments = ["serve", _address(params.address)]
    if params.once:
        arguments.append("--once")
    if params.server_cpus:
        arguments += ["--server-affinity", params.server_cpus]
    return [*arguments, *_module_path(params.module_path), *(params.extra_args or [])]


def not_for_these_mechanisms(test: TestRunConfig) -> list[str]:
    """The inputs that are for one mechanism only which this test does not have. They are left out of its command."""
    return [
        f"{name} is only for {mechanism}, which this test does not measure; ignored"
        for name, mechanism in _FOR_ONE_MECHANISM.items()
        if getattr(test, name) not in (None, False) and not _measures(test, mechanism)
    ]


def is_blocking(test: TestRunConfig) -> bool:
    """Blocking mode, as it runs: direct shared memory, where it is measured, implies it."""
    return bool(test.shm_direct and _measures(test, "shm")) or test.blocking is not False


def _test_arguments(test: TestRunConfig) -> list[str]:
    _check_texts(test)
    if not test.extra_args:
        test = _with_defaults(test)
    arguments = ["-m", *test.mechanisms]
    for flag, value in (
        ("-s", test.message_size),
        ("-i", None if test.duration else test.msg_count),
        ("-c", test.concurrency),
    ):
        if value:
            arguments += [flag, str(value)]
    if test.duration:
        arguments.append(f"--duration={test.duration}")
    arguments.append("--blocking" if is_blocking(test) else "--async")
    if test.warmup_iterations is not None:
        arguments += ["-w", str(test.warmup_iterations)]
    arguments += [f"--percentiles={_number(percentile)}" for percentile in test.percentiles or []]
    arguments += [flag for flag, asked in (("--one-way", test.one_way), ("--round-trip", test.round_trip)) if asked]
    arguments += _affinity("server", test.server_affinity, test.server_cpus)
    arguments += _affinity("client", test.client_affinity, test.client_cpus)
    arguments += _wait(test)
    for flag, value in (
        ("--send-delay", test.send_delay),
        ("--rate", None if test.rate is None else _number(test.rate)),
        ("--window", test.window),
        ("--batch", test.batch),
        ("--repeat", test.repeat),
        ("--buffer-size", test.buffer_size),
        ("--host", test.host if _measures(test, "tcp") else None),
        ("--port", test.port if _measures(test, "tcp") else None),
        ("--pmq-priority", test.pmq_priority if _measures(test, "pmq") else None),
        ("--clock", test.clock.value if test.clock else None),
    ):
        if value is not None and value != "":
            arguments.append(f"{flag}={value}")
    for flag, asked in (
        ("--shm-direct", test.shm_direct and _measures(test, "shm")),
        ("--include-first-message", test.include_first_message),
        ("--continue-on-error", test.continue_on_error),
        ("--quiet", test.quiet),
    ):
        if asked:
            arguments.append(flag)
    for name, value in sorted((test.module_options or {}).items()):
        arguments.append(f"--module-option={name}={value}")
    arguments += _module_path(test.module_path)
    # The document goes to standard output: nothing is written to a disk, which a container may not have.
    return [*arguments, *(test.extra_args or []), "--schema", "ipcmark", "--output-file", "-"]


def _with_defaults(test: TestRunConfig) -> TestRunConfig:
    """Only for inputs without extra_args: what those say would be a second value beside a default, and measured too."""
    both = not test.one_way and not test.round_trip
    return replace(
        test,
        message_size=test.message_size or DEFAULT_MESSAGE_SIZE,
        msg_count=test.msg_count or DEFAULT_MSG_COUNT,
        concurrency=test.concurrency or DEFAULT_CONCURRENCY,
        warmup_iterations=DEFAULT_WARMUP if test.warmup_iterations is None else test.warmup_iterations,
        percentiles=test.percentiles or list(DEFAULT_PERCENTILES),
        one_way=test.one_way or both,
        round_trip=test.round_trip or both,
    )


def _check_texts(inputs: TestRunConfig | ConnectParams | ServeParams) -> None:
    """A NUL ends a word of a command line, and half a surrogate pair is no character: neither can be said there."""
    for field in fields(inputs):
        for text in _texts_in(getattr(inputs, field.name)):
            if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
                raise InputError(
                    f"{field.name} ({text!r}) has a NUL or half a surrogate pair in it, which no command line can hold;"
                    " leave it out."
                )


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _texts_in(list(pair))


def _measures(test: TestRunConfig, mechanism: str) -> bool:
    return mechanism in test.mechanisms or "all" in test.mechanisms


def _affinity(side: str, cpu: int | None, cpus: str | None) -> list[str]:
    if cpu is not None and cpus:
        raise InputError(f"{side}_affinity ({cpu}) and {side}_cpus ({cpus}) are both set; set one of them.")
    if cpu is None and not cpus:
        return []
    return [f"--{side}-affinity", cpus or str(cpu)]


def _wait(test: TestRunConfig) -> list[str]:
    if test.spin and test.wait is not WaitPolicy.adaptive:
        raise InputError(f"spin ({test.spin}) is only for wait: adaptive; set that too, or leave spin out.")
    if test.wait is None:
        return []
    return ["--wait", f"adaptive:{test.spin}" if test.spin else test.wait.value]


def _module_path(folders: Iterable[str] | None) -> list[str]:
    return [f"--module-path={folder}" for folder in folders or []]


def _address(text: str) -> str:
    # It has no flag to be joined to.
    if text.startswith("-"):
        raise InputError(f"address ({text}) is none; write tcp:HOST:PORT, unix:PATH or unix:@NAME.")
    return text


def _number(value: float) -> str:
    """50 for 50.0 and 99.9 for 99.9, never an exponent."""
    text = f"{value:.12f}".rstrip("0").rstrip(".")
    return text or "0"

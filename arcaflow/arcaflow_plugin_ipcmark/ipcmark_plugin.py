#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Arcaflow plugin that measures inter-process communication with ipcmark.

Every step takes the cancel signal and returns what it has by then.
"""

import logging
import os
import sys

# The Python deployer and the image run this file as a program, from wherever it is.
if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from arcaflow_plugin_sdk import plugin, predefined_schemas

from arcaflow_plugin_ipcmark import binary, child, command
from arcaflow_plugin_ipcmark.engine_input import EngineInput
from arcaflow_plugin_ipcmark.ipcmark_schema import (
    ConnectParams,
    ErrorOutput,
    InputParams,
    ServeOutput,
    ServeParams,
    SuccessOutput,
)
from arcaflow_plugin_ipcmark.merge import output_of
from arcaflow_plugin_ipcmark.runner import run_tests

_CANCEL = predefined_schemas.cancel_signal_schema


class _Step:
    """What all steps have: one cancel signal a run."""

    def __init__(self) -> None:
        self.cancel = child.Cancel()

    @plugin.signal_handler(
        id=_CANCEL.id, name=_CANCEL.display.name, description=_CANCEL.display.description, icon=_CANCEL.display.icon
    )
    def cancel_step(self, _input: predefined_schemas.cancelInput) -> None:
        self.cancel.request()


class RunBenchmark(_Step):
    """Both ends of every test in this container."""

    @plugin.step_with_signals(
        id="run-benchmark",
        name="Run IPC benchmark",
        description="Measures latency and throughput of inter-process communication and returns them with statistics.",
        outputs={"success": SuccessOutput, "error": ErrorOutput},
        signal_handler_method_names=["cancel_step"],
        signal_emitters=[],
        step_object_constructor=lambda: RunBenchmark(),
    )
    def run_benchmark(self, params: InputParams) -> tuple[str, SuccessOutput | ErrorOutput]:
        try:
            program = binary.find()
        except binary.BinaryNotFound as error:
            return "error", ErrorOutput(error=str(error))
        return output_of(run_tests(program, params.tests, command.run_arguments, self.cancel))


class Connect(_Step):
    """The client end here, the server end in a step serve elsewhere."""

    @plugin.step_with_signals(
        id="connect",
        name="Run IPC benchmark against the step serve",
        description="As run-benchmark, with the server side of every test in the step serve, in another container.",
        outputs={"success": SuccessOutput, "error": ErrorOutput},
        signal_handler_method_names=["cancel_step"],
        signal_emitters=[],
        step_object_constructor=lambda: Connect(),
    )
    def connect(self, params: ConnectParams) -> tuple[str, SuccessOutput | ErrorOutput]:
        try:
            program = binary.find()
        except binary.BinaryNotFound as error:
            return "error", ErrorOutput(error=str(error))
        return output_of(
            run_tests(program, params.tests, lambda test: command.connect_arguments(params, test), self.cancel)
        )


class Serve(_Step):
    """The server end, until it is cancelled."""

    @plugin.step_with_signals(
        id="serve",
        name="Serve the server side of benchmarks",
        description="Waits for the step connect and is the server side of its tests, until it is cancelled.",
        outputs={"success": ServeOutput, "error": ErrorOutput},
        signal_handler_method_names=["cancel_step"],
        signal_emitters=[],
        step_object_constructor=lambda: Serve(),
    )
    def serve(self, params: ServeParams) -> tuple[str, ServeOutput | ErrorOutput]:
        try:
            line = [binary.find(), *command.serve_arguments(params)]
            ended = child.run(line, params.timeout or 3600, self.cancel)
        except (binary.BinaryNotFound, command.InputError, OSError) as error:
            return "error", ErrorOutput(error=str(error))
        except Exception as error:  # an output of this step, which its workflow can handle, and no end of the plugin
            logging.getLogger("ipcmark_plugin").exception("serve")
            return "error", ErrorOutput(error=f"ipcmark serve failed: {type(error).__name__}: {error}")
        log = (ended.stdout + ended.stderr).splitlines()[-100:]
        if ended.returncode != 0 and not ended.cancelled and not ended.timed_out:
            return "error", ErrorOutput(error=f"ipcmark serve {ended.describe()}: " + "\n".join(log))
        return "success", ServeOutput(params.address, ended.cancelled, ended.timed_out, log)


SCHEMA = plugin.build_schema(RunBenchmark.run_benchmark, Serve.serve, Connect.connect)


def main() -> None:
    """The plugin as a program. Never returns."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=_CurrentStderr())
    child.end_children_on_signals()
    code = plugin.run(SCHEMA, stdin=EngineInput(sys.stdin.buffer) if "--atp" in sys.argv else sys.stdin)
    if came := child.signal_that_came():
        sys.stderr.write(f"Ended by {came.name}; the output has what was measured by then.\n")
        code = 128 + came
    sys.exit(code)


class _CurrentStderr:
    """The SDK puts another stream in the place of sys.stderr while a step runs: its debug log."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


if __name__ == "__main__":
    main()

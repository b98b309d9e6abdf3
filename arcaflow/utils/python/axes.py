# SPDX-License-Identifier: Apache-2.0
"""Logarithmic axes with the units that a reader thinks in: 20 µs, not 20k ns; 8 KiB, not 8.192k."""

import math
from collections.abc import Iterable
from typing import Any

_TIME_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_MANY_DECADES = 2.5  # more have no room for the steps between


def time_text(nanoseconds: float) -> str:
    """20 µs for 20000."""
    for unit, name in _TIME_UNITS:
        if nanoseconds >= unit:
            return f"{nanoseconds / unit:g} {name}"
    return f"{nanoseconds:g} ns"


def count_text(count: float) -> str:
    """20k for 20000."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:g}{name}"
    return f"{count:g}"


def logarithmic(values: Iterable[float], text=count_text, room_below: float = 1.15) -> dict[str, Any]:
    """An axis that holds all of the values, with ticks at 1, 2 and 5, or at 1 where there are many decades.

    It begins at the smallest value divided by `room_below`.
    """
    values = [value for value in values if value and value > 0]
    low, high = (min(values) / room_below, max(values) * 1.15) if values else (1.0, 10.0)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = [digit * 10.0**exponent for exponent in range(first, last + 1) for digit in range(1, 10)]
    steps = [step for step in steps if low <= step <= high]
    few = math.log10(high / low) <= _MANY_DECADES
    ticks = [step for step in steps if _digit(step) in ((1, 2, 5) if few else (1,))]
    if len(ticks) < 2:  # what was measured differs by little
        ticks = _even_steps(low, high)
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [text(tick) for tick in ticks],
        "minor": {"tickvals": steps, "showgrid": True, "gridcolor": "#f3f5f9"},
    }


def at_values(values: Iterable[float], text) -> dict[str, Any]:
    """A logarithmic axis with a tick at each value that was measured."""
    ticks = sorted(set(values))
    return {**logarithmic(ticks), "tickvals": ticks, "ticktext": [text(tick) for tick in ticks], "minor": {}}


def _even_steps(low: float, high: float) -> list[float]:
    """Some two to six round numbers."""
    least = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _digit(step: float) -> int:
    return round(step / 10 ** math.floor(math.log10(step) + 1e-9))

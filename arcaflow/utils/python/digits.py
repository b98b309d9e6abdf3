# SPDX-License-Identifier: Apache-2.0
"""Figures to so many significant digits: decimals would make nothing of a small one."""

import math

_DIGITS = 6  # more than any measurement has


def significant(value: float) -> float:
    """Rounded to no more digits than any measurement has."""
    return float(f"{value:.{_DIGITS}g}")


def decimal_text(value: float, decimals: int) -> str:
    """With so many decimals, or as many more as three significant digits take; never with an exponent."""
    if value:
        decimals = max(decimals, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"

"""Checks that a study's grids share: numbers within their limits, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cotrain.errors import InputError


def check_between(name: str, values: Sequence[float], low: float, high: float = math.inf) -> None:
    """Refuse no values at all, and values that are not above ``low``, below ``high`` and finite.

    >>> check_between("widths", [8, 16], 0)

    Raises:
        InputError: Names the first such value.
    """
    wrong = [value for value in values if not low < value < high]
    if wrong or not values:
        end = "" if high == math.inf else f" and below {high:g}"
        found = f"{wrong[0]:g}" if wrong else "none"
        raise InputError(f"{name} must be above {low:g}{end}, got {found}")


def check_least(name: str, value: float, least: float, most: float = math.inf) -> None:
    """Refuse a value below ``least``, above ``most`` or not finite.

    >>> check_least("dropout", 1, 0, 1)

    Raises:
        InputError: Names the value.
    """
    if not (least <= value <= most and math.isfinite(value)):
        end = "" if most == math.inf else f" and at most {most:g}"
        raise InputError(f"{name} must be at least {least:g}{end}, got {value}")

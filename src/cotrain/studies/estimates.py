"""Numbers of a study with their intervals: the number itself, then its values in R draws of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from cotrain.arrays import Array
from cotrain.results import Interval
from cotrain.stats import interval

Estimates = TypeVar("Estimates")


def stacked(found: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Name of a number → ``[1 + R, ...]``, from the numbers of the data and of R draws of them."""
    return {name: np.stack([own[name] for own in found]) for name in found[0]}


def with_intervals(kind: type[Estimates], numbers: Mapping[str, Array]) -> Estimates:
    """Every number with the interval of its draws.

    Args:
        kind: A dataclass whose fields are intervals, or tuples of them.
        numbers: Name of a field → ``[1 + R]``, for tuples of n intervals ``[1 + R, n]``.
    """

    def read(values: Array) -> Interval | tuple[Interval, ...]:
        if values.ndim == 1:
            return interval(float(values[0]), values[1:])
        return tuple(interval(float(own[0]), own[1:]) for own in values.T)

    return kind(**{name: read(values) for name, values in numbers.items()})

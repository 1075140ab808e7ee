"""Resampling, means of what is known, and intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotrain.results import Interval

LEVEL = 95.0  # percent, of every interval

Labels = tuple[NDArray[np.intp], NDArray[np.float64]]  # labelled rows and their labels


def draw_rows(draw: np.random.Generator, rows: int) -> NDArray[np.intp]:
    """``[N]`` how often each of N rows is drawn when N rows are drawn with replacement.

    Draws are shared by all tasks: a task's result cannot depend on the tasks' order.
    """
    return np.bincount(draw.integers(0, rows, rows), minlength=rows)


def redraw(labels: Labels, count: NDArray[np.integer[Any]]) -> Labels:
    """The labelled rows, each as often as it was drawn.

    >>> redraw((np.array([0, 2]), np.array([1.0, 0.0])), np.array([2, 5, 0]))
    (array([0, 0]), array([1., 1.]))
    """
    rows, target = labels
    times = count[rows]
    return np.repeat(rows, times), np.repeat(target, times)


def interval(value: float, replicates: NDArray[np.float64]) -> Interval:
    """A value with the percentile interval of its replicates, moved so that their median is the value.

    Drawing S seeds with replacement keeps about two thirds of them, which costs a contender with noisy
    seeds more than the others: without the move such a contender would lose by construction. NaN
    replicates are left out.
    """
    seen = replicates[np.isfinite(replicates)]
    if not len(seen) or not np.isfinite(value):
        return Interval(value=value, low=float("nan"), high=float("nan"))
    seen = seen - np.median(seen) + value
    low, high = np.percentile(seen, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Interval(value=value, low=float(low), high=float(high))

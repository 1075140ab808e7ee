"""Bootstrap draws of rows, shared by all tasks: a task's result cannot depend on the tasks' order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = tuple[NDArray[np.intp], NDArray[np.float64]]  # labelled rows and their labels


def draw_rows(draw: np.random.Generator, rows: int) -> NDArray[np.intp]:
    """``[N]`` how often each of N rows is drawn when N rows are drawn with replacement."""
    return np.bincount(draw.integers(0, rows, rows), minlength=rows)


def redraw(labels: Labels, count: NDArray[np.integer[Any]]) -> Labels:
    """The labelled rows, each as often as it was drawn.

    >>> redraw((np.array([0, 2]), np.array([1.0, 0.0])), np.array([2, 5, 0]))
    (array([0, 0]), array([1., 1.]))
    """
    rows, target = labels
    times = count[rows]
    return np.repeat(rows, times), np.repeat(target, times)

"""Resampling, means and correlations of what is known, and intervals: written once for the package."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from cotrain.arrays import Array
from cotrain.results import Interval

LEVEL = 95.0  # percent, of every interval
UPPER = (1 + LEVEL / 100) / 2  # quantile at the upper end of a symmetric interval

Floats = NDArray[np.floating[Any]]
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


def student_interval(values: Array) -> Interval:
    """Mean of the finite ones of ``[n]`` values with Student's interval; none of fewer than two.

    >>> student_interval(np.array([1.0, 2.0, 3.0, np.nan]))
    Interval(value=2.0, low=-0.48413771175033..., high=4.48413771175033...)
    """
    known = values[np.isfinite(values)]
    if len(known) < 2:
        mean = float(known[0]) if len(known) else float("nan")
        return Interval(value=mean, low=float("nan"), high=float("nan"))
    mean = float(known.mean())
    half = float(known.std(ddof=1) / np.sqrt(len(known)) * stdtrit(len(known) - 1, UPPER))
    return Interval(value=mean, low=mean - half, high=mean + half)


def seeds_and_rows_interval(values: Array, redrawn: Array) -> Interval:
    """Mean of ``[S]`` values with an interval in which variances over seeds and over test rows add up.

    Args:
        values: Of the seeds, on all test rows.
        redrawn: ``[B]`` their mean in bootstrap draws of the test rows; NaN where it is not defined.

    >>> seeds_and_rows_interval(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0]))
    Interval(value=2.0, low=-0.48413771175033..., high=4.48413771175033...)
    """
    seeds = student_interval(values)
    seen = redrawn[np.isfinite(redrawn)]
    rows = ndtri(UPPER) * seen.std(ddof=1) if len(seen) > 1 else np.nan
    half = float(np.hypot(seeds.high - seeds.value, rows))
    return Interval(value=seeds.value, low=seeds.value - half, high=seeds.value + half)


def finite_mean(values: Floats, axis: int | tuple[int, ...] = 0) -> Array:
    """Mean of the finite values over some axes; NaN where there are none.

    >>> finite_mean(np.array([[1.0, np.nan], [3.0, np.inf]]))
    array([ 2., nan])
    """
    finite = np.isfinite(values)
    count = finite.sum(axis=axis)
    total = np.where(finite, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def correlation(a: Array, b: Array, fewest: int = 2) -> float:
    """Pearson's correlation over the cells where both are finite.

    Args:
        a: Values of any shape.
        b: Others of the same shape.
        fewest: Cells below which it is NaN, as where one is constant.
    """
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    if len(a) < fewest or a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def rank_correlation(a: Array, b: Array) -> float:
    """Spearman's correlation over the cells where both are finite; NaN where it is not defined.

    >>> rank_correlation(np.array([1.0, 2.0, 5.0]), np.array([10.0, 20.0, 21.0]))
    1.0
    """
    from scipy.stats import rankdata  # loads all of SciPy's statistics

    known = np.isfinite(a) & np.isfinite(b)
    return correlation(rankdata(a[known]), rankdata(b[known]))


def slope(x: Array, values: Array) -> float:
    """Least squares of the finite values on ``x``; NaN for fewer than two different ``x``.

    >>> slope(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, np.nan]))
    2.0
    """
    known = np.isfinite(values)
    x, y = x[known], values[known]
    if len(x) < 2 or x.std() == 0:
        return float("nan")
    return float(((x - x.mean()) @ (y - y.mean())) / ((x - x.mean()) ** 2).sum())

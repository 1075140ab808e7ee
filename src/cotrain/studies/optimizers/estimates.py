"""What the scores of the optimizer study say, with 95 % intervals over test rows and seeds.

Everything is compared seed by seed: networks of a seed start alike and see the same batches. An interval
adds in quadrature the percentiles of the bootstrap over test rows and Student's interval over the few
seeds, whose bootstrap would be far too narrow (measured with three seeds: half of the intervals of a true
zero excluded it).
Letters: D = 1 + R draws of the rows (the first are the rows themselves), O optimizers, M methods,
L learning rates, S seeds, T tasks, C image sets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.results import Interval
from cotrain.stats import interval, student_interval
from cotrain.tasks import Kind, Task

NEAR = 1.0  # per cent of Δm: rates that are nearly as good as the best


def relative_loss(tasks: Sequence[Task], scores: Array, baseline: Array) -> Array:
    """How much worse than the baseline, per cent, as the summands of Δm.

    Δm = (1/T) Σ_t (−1)^{l_t} (metric − baseline) / baseline, l = 1 where higher is better (Elich et al.
    2023, arXiv 2311.04698, and Maninis et al. 2019): lower is better, negative beats the baseline. The
    metric of a regression is the root mean squared error, that of the other tasks their score.

    Args:
        tasks: T tasks.
        scores: ``[..., T]`` scores, see :func:`~cotrain.tasks.score`.
        baseline: ``[..., T]`` those of the baseline, of a shape that fits.

    >>> tasks = [Task(name="a", kind=Kind.BINARY, classes=("0", "1")), Task(name="b", kind=Kind.REGRESSION)]
    >>> relative_loss(tasks, np.array([0.88, 0.91]), np.array([0.8, 0.75])).round(1)
    array([-10., -40.])
    """
    squared = np.array([task.kind is Kind.REGRESSION for task in tasks])
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt((1 - scores) / (1 - baseline)) - 1
        found: Array = 100 * np.where(squared, error, (baseline - scores) / baseline)
    return found


def pareto_optimal(losses: Array) -> NDArray[np.bool_]:
    """``[R]``: runs of which none other is as good on every task and better on one.

    Args:
        losses: ``[R, T]``, lower is better; a run with a NaN is never optimal and beats no other.

    >>> pareto_optimal(np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 3.0], [np.nan, 0.0]]))
    array([ True,  True, False, False])
    """
    known: NDArray[np.bool_] = np.asarray(np.isfinite(losses).all(axis=1))
    filled = np.where(known[:, None], losses, np.inf)
    as_good = (filled[:, None] <= filled[None]).all(axis=2)
    better = (filled[:, None] < filled[None]).any(axis=2)
    beaten: NDArray[np.bool_] = np.asarray((as_good & better).any(axis=0))
    return known & ~beaten


def estimate(values: Array) -> Interval:
    """Mean over seeds of ``[D, S]`` with its interval over rows and seeds."""
    rows = interval(float(values[0].mean()), values[1:].mean(axis=1))
    seeds = student_interval(values[0])
    low = np.hypot(rows.value - rows.low, seeds.value - seeds.low)
    high = np.hypot(rows.high - rows.value, seeds.high - seeds.value)
    return Interval(value=rows.value, low=float(rows.value - low), high=float(rows.value + high))


def fronts(losses: Array) -> Array:
    """``[D, O]`` how many of an optimizer's M runs are Pareto-optimal among all ``[D, O, M, T]`` losses."""
    draws, optimizers, methods, tasks = losses.shape
    flat = losses.reshape(draws, -1, tasks)
    counts = np.stack(
        [pareto_optimal(own).reshape(optimizers, methods).sum(axis=1) for own in flat]
    )
    return counts.astype(np.float64)


def near_best(losses: Array) -> Array:
    """``[O, M]`` share of the rates whose Δm is within one per cent of the best, from ``[O, M, L]``."""
    known = np.isfinite(losses)
    filled = np.where(known, losses, np.inf)
    near = known & (filled <= filled.min(axis=2, keepdims=True) + NEAR)
    found: Array = near.mean(axis=2)
    return found

"""How far runs are behind a baseline, and which of them no other run beats on every task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cotrain.tasks import Kind, Task

Array = NDArray[np.float64]


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

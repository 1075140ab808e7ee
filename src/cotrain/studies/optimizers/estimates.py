"""What the scores of the optimizer study say, with 95 % intervals over test rows and seeds.

Everything is compared seed by seed: networks of a seed start alike and see the same batches. An interval
adds in quadrature the percentiles of the bootstrap over test rows and Student's interval over the few
seeds, whose bootstrap would be far too narrow (measured with three seeds: half of the intervals of a true
zero excluded it).
Letters: D = 1 + R draws of the rows (the first are the rows themselves), O optimizers, M methods,
L learning rates, S seeds, T tasks, C image sets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cotrain.results import Interval
from cotrain.stats import interval, student_interval
from cotrain.studies.optimizers.pareto import pareto_optimal

Array = NDArray[np.float64]
NEAR = 1.0  # per cent of Δm: rates that are nearly as good as the best


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

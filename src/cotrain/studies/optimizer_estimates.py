"""What the scores of the optimizer study say, with intervals. Test rows and seeds are drawn together.

Letters: D = 1 + R draws (the first is the data themselves), O optimisers, M methods, L learning rates,
S seeds, T tasks, C image sets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cotrain.result import Interval
from cotrain.statistics import interval
from cotrain.studies.pareto import pareto_optimal, relative_loss
from cotrain.tasks import Task

Array = NDArray[np.float64]
NEAR = 1.0  # per cent of Δm: rates that are nearly as good as the best
REPLICATES = 1000


def mean_losses(tasks: Sequence[Task], scores: Array, baseline: Array, *, seed: int) -> Array:
    """``[D, ..., T]`` summands of Δm, means over the seeds drawn; see :func:`relative_loss`.

    Args:
        tasks: T tasks.
        scores: ``[D, ..., S, T]``, drawn rows.
        baseline: ``[D, S, T]`` on the same draws.
        seed: Draws the seeds, the same for all; the first draw has each once.
    """
    rng, seeds = np.random.default_rng(seed), baseline.shape[1]
    found = []
    for at, (own, base) in enumerate(zip(scores, baseline, strict=True)):
        drawn = rng.integers(0, seeds, seeds) if at else np.arange(seeds)
        losses = relative_loss(tasks, own[..., drawn, :], base[drawn].mean(axis=0))
        found.append(losses.mean(axis=-2))
    return np.stack(found)


def estimate(values: Array) -> Interval:
    """The first of ``[D]`` with the interval of the others."""
    return interval(float(values[0]), values[1:])


def fronts(losses: Array) -> Array:
    """``[D, O]`` how many of an optimiser's M runs are Pareto-optimal among all ``[D, O, M, T]``."""
    draws, optimisers, methods, tasks = losses.shape
    flat = losses.reshape(draws, -1, tasks)
    counts = np.stack(
        [pareto_optimal(own).reshape(optimisers, methods).sum(axis=1) for own in flat]
    )
    return counts.astype(np.float64)


def near_best(losses: Array) -> Array:
    """``[O, M]`` share of the rates whose Δm is within one per cent of the best, from ``[O, M, L]``."""
    filled = np.where(np.isfinite(losses), losses, np.inf)
    found: Array = (filled <= filled.min(axis=2, keepdims=True) + NEAR).mean(axis=2)
    return found


def over_runs(values: Array, *, seed: int) -> Interval:
    """Mean over runs ``[n]`` with its interval, runs drawn with replacement."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(value=float("nan"), low=float("nan"), high=float("nan"))
    rng = np.random.default_rng(seed)
    drawn = known[rng.integers(0, len(known), (REPLICATES, len(known)))].mean(axis=1)
    return interval(float(known.mean()), drawn)


def corrupted_losses(tasks: Sequence[Task], robustness: Array, *, seed: int) -> Array:
    """``[D, C]`` Δm of features learned together over those learned alone, on every image set.

    Args:
        tasks: T tasks.
        robustness: ``[D, 2, S, C, T]`` scores, together and alone.
        seed: As for :func:`mean_losses`.
    """
    sets = [
        mean_losses(tasks, robustness[:, 0, :, c], robustness[:, 1, :, c], seed=seed).mean(axis=1)
        for c in range(robustness.shape[3])
    ]
    return np.stack(sets, axis=1)

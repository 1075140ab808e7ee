"""Upper bounds on the published objective for any number of tasks.

In a group of n tasks, a task scores at most u(a, n): the mean of its n − 1 best partners. Hence at most k
groups of sizes n₁ … n_k serve at most n₁ … n_k tasks at those scores. Relaxing "every task is served once"
with prices π (Lagrange) bounds the sum of scores by

    D(π) = Σ_a π_a + k · max_n Σ of the n largest (u(a, n) − π_a)⁺        for every π,

and a good π is found by subgradient steps. Tightest where groups have to be large: best partners alone
(n = 2) are the bound for many groups. Letters: T tasks, k groups.
"""

from __future__ import annotations

import numpy as np

from cotrain.grouping.constraints import Constraints
from cotrain.grouping.objective import Matrix, set_scores
from cotrain.measure.gains.sets import Sets

STEPS = 300


def relaxed_bound(affinity: Matrix, alone: Matrix, constraints: Constraints, groups: Sets) -> float:
    """No groups under the constraints score above this; ``groups [k, T]`` are known ones."""
    counts = constraints.counts(len(affinity))
    size = _most_in_a_group(constraints, len(affinity))
    best = ideal(affinity, alone, size)[counts > 0]
    known = set_scores(affinity, alone, groups).max(axis=0)[counts > 0]
    most = constraints.most_groups(len(affinity))
    return _lowest(best, known, most) / len(best)


def ideal(affinity: Matrix, alone: Matrix, size: int) -> Matrix:
    """``[T, size]`` u(a, n) for n = 1 … size: the best that task a can score among n tasks."""
    off = np.where(np.eye(len(affinity), dtype=bool), -np.inf, affinity)
    partners = -np.sort(-off, axis=1)[:, : size - 1]
    means = partners.cumsum(axis=1) / np.arange(1, partners.shape[1] + 1)
    return np.concatenate([alone[:, None], means], axis=1)


def _most_in_a_group(constraints: Constraints, tasks: int) -> int:
    return tasks if constraints.max_size is None else min(constraints.max_size, tasks)


def _lowest(best: Matrix, known: Matrix, most: int) -> float:
    """The least D(π) that subgradient steps (Polyak) find from the known solution's own scores."""
    price, target = best.max(axis=1), float(known.sum())
    lowest, stretch = float(price.sum()), 1.0
    for _ in range(STEPS):
        total, slope = _dual(best, price, most)
        if total < lowest - 1e-6 * abs(lowest):
            lowest = total
        else:
            stretch *= 0.97
        if not slope.any() or total <= target:
            break
        price = price - stretch * (total - target) / float(slope @ slope) * slope
    return lowest


def _dual(best: Matrix, price: Matrix, most: int) -> tuple[float, Matrix]:
    """D(π) at prices ``[T]``, and ``[T]`` a subgradient of it."""
    gain = np.maximum(best - price[:, None], 0.0)
    gain[np.isnan(gain)] = 0.0
    sorted_gain = -np.sort(-gain, axis=0)
    size = np.arange(1, best.shape[1] + 1)
    totals = sorted_gain.cumsum(axis=0)[np.minimum(size, len(best)) - 1, size - 1]
    n = int(totals.argmax())
    served = np.zeros(len(best))
    served[np.argsort(-gain[:, n], kind="stable")[: n + 1]] = 1.0
    served[gain[:, n] <= 0] = 0.0
    return float(price.sum() + most * totals[n]), 1.0 - most * served

"""The published group score (TAG, arXiv 2109.04617): a task gains what the others give it on average.

score(a, g) = mean over b ∈ g∖a of Z[a, b], row = recipient. A task alone scores ``alone[a]``: TAG forbids
singletons, we give them a reference, because a method that cannot say "train alone" is wrong for us.
"""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def clean(affinity: Matrix) -> Matrix:
    """The matrix with unmeasured pairs counted as no help, and a zero diagonal."""
    filled = np.nan_to_num(affinity, nan=0.0)
    np.fill_diagonal(filled, 0.0)
    return filled


def group_score(affinity: Matrix, alone: Matrix, group: tuple[int, ...], task: int) -> float:
    """What ``task`` gets from training in ``group``.

    >>> z = np.array([[0.0, 2.0, 4.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    >>> group_score(z, np.zeros(3), (0, 1, 2), 0)
    3.0
    """
    others = [b for b in group if b != task]
    return float(affinity[task, others].mean()) if others else float(alone[task])


def all_scores(affinity: Matrix, alone: Matrix) -> Matrix:
    """``[2^T, T]`` score of every task in every set (bit t of the row number = task t); -inf outside."""
    tasks = len(affinity)
    sets = np.arange(2**tasks)
    member = (sets[:, None] >> np.arange(tasks)) & 1 == 1
    size = member.sum(axis=1, keepdims=True)
    scores = (member @ affinity.T) / np.maximum(size - 1, 1)
    scores = np.where(size == 1, alone, scores)
    return np.where(member, scores, -np.inf)


def upper_bound(affinity: Matrix, alone: Matrix) -> float:
    """No grouping beats every task's single best partner, or being alone."""
    off = np.where(np.eye(len(affinity), dtype=bool), -np.inf, affinity)
    return float(np.maximum(off.max(axis=1), alone).mean())

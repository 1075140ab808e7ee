"""The published group score (TAG, arXiv 2109.04617): a task gains what the others give it on average.

score(a, g) = mean over b ∈ g∖a of Z[a, b], row = recipient. A task alone scores ``alone[a]``: TAG forbids
singletons, we give them a reference, because a method that cannot say "train alone" is wrong for us.
Letters: M sets, T tasks.
"""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Sets = NDArray[np.bool_]
Numbers = NDArray[np.intp]


def clean(affinity: Matrix) -> Matrix:
    """The matrix with unmeasured pairs counted as no help, and a zero diagonal."""
    filled = np.nan_to_num(affinity, nan=0.0)
    np.fill_diagonal(filled, 0.0)
    return filled


def own_order(*matrices: Matrix) -> Numbers:
    """``[T]`` tasks sorted by what stands in their rows and columns, wherever it stands.

    Whatever is drawn or computed in this order is the same however the tasks are listed.

    >>> own_order(np.array([[0.0, 2.0], [1.0, 0.0]]))
    array([1, 0])
    """
    sides = [np.sort(side, axis=1) for matrix in matrices for side in (matrix, matrix.T)]
    return np.lexsort(np.concatenate(sides, axis=1).T[::-1])


def group_score(affinity: Matrix, alone: Matrix, group: tuple[int, ...], task: int) -> float:
    """What ``task`` gets from training in ``group``.

    >>> z = np.array([[0.0, 2.0, 4.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    >>> group_score(z, np.zeros(3), (0, 1, 2), 0)
    3.0
    """
    others = [b for b in group if b != task]
    return float(affinity[task, others].mean()) if others else float(alone[task])


def set_scores(affinity: Matrix, alone: Matrix, sets: Sets) -> Matrix:
    """``[M, T]`` score of each task in each of ``[M, T]`` sets, -inf outside; zero diagonal assumed."""
    size = sets.sum(axis=1, keepdims=True)
    scores = (sets @ affinity.T) / np.maximum(size - 1, 1)
    return np.where(sets, np.where(size == 1, alone, scores), -np.inf)


def all_sets(tasks: int) -> Sets:
    """``[2^T, T]`` every set, bit t of the row number = task t; the first is empty."""
    member = (np.arange(2**tasks)[:, None] >> np.arange(tasks)) & 1 == 1
    return np.asarray(member)


def all_scores(affinity: Matrix, alone: Matrix) -> Matrix:
    """``[2^T, T]`` score of every task in every set (bit t of the row number = task t); -inf outside."""
    return set_scores(affinity, alone, all_sets(len(affinity)))


def upper_bound(affinity: Matrix, alone: Matrix) -> float:
    """No grouping beats every task's single best partner, or being alone."""
    off = np.where(np.eye(len(affinity), dtype=bool), -np.inf, affinity)
    return float(np.maximum(off.max(axis=1), alone).mean())

"""The published group score (TAG, arXiv 2109.04617): a task gains what the others give it on average.

score(a, g) = mean over b ∈ g∖a of Z[a, b], row = recipient. A task alone scores ``alone[a]``: TAG forbids
singletons, we give them a reference, because a method that cannot say "train alone" is wrong for us.
Letters: M sets, T tasks.
"""

import numpy as np
from numpy.typing import NDArray

from cotrain.measure.gains.sets import Numbers, Sets, every_set

Matrix = NDArray[np.float64]


def clean(affinity: Matrix) -> Matrix:
    """The matrix with unmeasured pairs counted as no help, and a zero diagonal."""
    filled = np.nan_to_num(affinity, nan=0.0)
    np.fill_diagonal(filled, 0.0)
    return filled


def own_order(keys: Matrix) -> Numbers:
    """``[T]`` tasks sorted by the first of ``[K, T]`` keys, ties by the next; as they come if K = 0.

    Whatever is drawn or computed in an order that follows from the tasks' own numbers is the same however
    the tasks are listed.

    >>> own_order(np.array([[1.0, 0.0, 1.0], [2.0, 5.0, 1.0]]))
    array([1, 2, 0])
    """
    return np.lexsort(keys[::-1]) if len(keys) else np.arange(keys.shape[1])


def profiles(*matrices: Matrix) -> Matrix:
    """``[K, T]`` keys for :func:`own_order`: what stands in each task's row and column, sorted."""
    sides = [np.sort(side, axis=1) for matrix in matrices for side in (matrix, matrix.T)]
    return np.concatenate(sides, axis=1).T


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


def all_scores(affinity: Matrix, alone: Matrix) -> Matrix:
    """``[2^T - 1, T]`` score of every task in every set (``every_set(T)``); -inf outside."""
    return set_scores(affinity, alone, every_set(len(affinity)))

"""How much the predictions of one task tell of the labels of another.

Letters: N rows, C and K outputs, T tasks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cotrain.arrays import Array
from cotrain.data.dataset import TaskData
from cotrain.engine.models.losses import predictions
from cotrain.tasks import Kind, Task

Reals = NDArray[np.floating[Any]]


def indicators(labels: Array, task: Task) -> Array:
    """``[N, K]`` values, or one column a class."""
    if task.kind is not Kind.MULTICLASS:
        return labels[:, None]
    return np.eye(len(task.classes))[labels.astype(np.intp)]


def alignment(a: Reals, b: Reals) -> float:
    """Linear centred kernel alignment of ``[N, C]`` with ``[N, K]``, from 0 to 1; 0 if one is constant.

    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> round(alignment(x, 5 - 2 * x), 6), alignment(x, np.ones((4, 1)))
    (1.0, 0.0)
    """
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    scale = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / scale) if scale > 0 else 0.0


def above_chance(cross: Reals, a: Reals, b: Reals, rows: int) -> float:
    """The alignment less its mean over all orders of the rows of one of the two, which is known exactly.

    Args:
        cross: ``[C, K]`` products of the centred columns of both, ``aᵀ b``.
        a: ``[C, C]`` products of the first's own, ``aᵀ a``.
        b: ``[K, K]`` of the second's.
        rows: N, more than 1.

    >>> rng = np.random.default_rng(0)
    >>> a, b = (x - x.mean(axis=0) for x in (rng.normal(size=(9, 2)), rng.normal(size=(9, 3))))
    >>> mean = np.mean([alignment(a, rng.permutation(b)) for _ in range(4000)])
    >>> bool(abs(alignment(a, b) - mean - above_chance(a.T @ b, a.T @ a, b.T @ b, 9)) < 0.01)
    True
    """
    scale = np.linalg.norm(a) * np.linalg.norm(b)
    if not scale > 0:
        return 0.0
    return float((np.linalg.norm(cross) ** 2 - np.trace(a) * np.trace(b) / (rows - 1)) / scale)


def aligned(data: TaskData, outputs: Tensor, task: int) -> Array:
    """``[T]`` alignment of every task's predictions with one task's labels.

    Args:
        data: N rows.
        outputs: ``[1, O, N]``.
        task: Whose labels; 0 everywhere if it has none.
    """
    rows, labels = data.labels(task)
    wanted = indicators(labels, data.tasks[task])
    found = [own[0].reshape(len(data), -1)[rows] for own in predictions(data.tasks, outputs)]
    return np.array([alignment(own, wanted) for own in found])

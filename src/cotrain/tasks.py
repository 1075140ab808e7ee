"""A task: one thing to predict, with its kind, its metric and its place among the outputs.

Every metric is *higher is better* and has a known level for an uninformed guess, so a gain means the
same for every kind of task: ROC AUC for binary tasks, balanced accuracy for multi-class tasks, R² for
regression.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]


class Kind(StrEnum):
    """What is predicted: one of two classes, one of several, or a number."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


_NAMES = 6  # named in a sentence

METRIC_NAMES = {
    Kind.BINARY: "ROC AUC",
    Kind.MULTICLASS: "balanced accuracy",
    Kind.REGRESSION: "R²",
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One prediction task.

    Args:
        name: Column name, shown to people; never used as a path or as a seed.
        kind: Binary, multi-class or regression.
        classes: Class labels in the order of their codes (for a binary task: negative, positive);
            empty for regression.
        mean: Mean of the training labels in the user's units (regression; 0 otherwise).
        scale: Standard deviation of the training labels in the user's units (regression; 1 otherwise).
        head: Tasks of the same head have the same outputs of the network: one label space in several
            domains. Empty: a head of its own.

    >>> Task(name="toxic", kind=Kind.BINARY, classes=("0", "1")).outputs
    1
    >>> Task(name="colour", kind=Kind.MULTICLASS, classes=("b", "g", "r")).outputs
    3
    """

    name: str
    kind: Kind
    classes: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    head: str = ""

    @property
    def outputs(self) -> int:
        """How many outputs of the network belong to this task."""
        return len(self.classes) if self.kind is Kind.MULTICLASS else 1

    @property
    def metric_name(self) -> str:
        """What :func:`score` computes for this kind of task."""
        return METRIC_NAMES[self.kind]


def listed(names: Sequence[str]) -> str:
    """Names for a sentence, the first few of many.

    >>> listed(["a", "b"]), listed([str(at) for at in range(9)])
    ('a, b', '0, 1, 2, 3, 4, 5 and 3 more')
    """
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def output_slices(tasks: Sequence[Task]) -> tuple[slice, ...]:
    """The columns of the fused output that belong to each task, in task order.

    >>> yes_no = Task(name="a", kind=Kind.BINARY, classes=("no", "yes"))
    >>> output_slices([yes_no, Task(name="b", kind=Kind.MULTICLASS, classes=("x", "y", "z"))])
    (slice(0, 1, None), slice(1, 4, None))
    """
    ends = np.cumsum([task.outputs for task in tasks]).tolist()
    return tuple(slice(end - task.outputs, end) for task, end in zip(tasks, ends, strict=True))


def head_rows(tasks: Sequence[Task]) -> tuple[int, ...]:
    """The row of the fused head that each output comes from: tasks of the same head share their rows.

    >>> here, there = (Task(name=n, kind=Kind.BINARY, classes=("0", "1"), head="h") for n in "ab")
    >>> head_rows([here, Task(name="c", kind=Kind.REGRESSION), there])
    (0, 1, 0)
    """
    first: dict[str, int] = {}
    rows: list[int] = []
    free = 0
    for task in tasks:
        start = first.setdefault(task.head, free) if task.head else free
        rows += range(start, start + task.outputs)
        free = max(free, start + task.outputs)
    return tuple(rows)


def score(
    task: Task, prediction: FloatArray, target: FloatArray, spread: float | None = None
) -> float:
    """The task's metric on labelled rows; NaN where it is not defined.

    Args:
        task: The task, which decides the metric.
        prediction: ``[n]`` probabilities of the positive class, ``[n, classes]`` probabilities, or
            ``[n]`` values.
        target: ``[n]`` class codes or values. Missing labels have been removed by the caller.
        spread: Variance of values that R² refers to; that of ``target`` unless given. With it, a few rows
            of almost equal values have a score that can be compared.

    >>> toxic = Task(name="toxic", kind=Kind.BINARY, classes=("0", "1"))
    >>> score(toxic, np.array([0.1, 0.4, 0.35, 0.8]), np.array([0.0, 0.0, 1.0, 1.0]))
    0.75
    """
    if task.kind is Kind.REGRESSION and spread is not None and len(target):
        return 1 - float(np.mean((target - prediction) ** 2)) / spread if spread else float("nan")
    if len(target) == 0 or target.min() == target.max():
        return float("nan")
    if task.kind is Kind.BINARY:
        return _roc_auc(prediction, target)
    if task.kind is Kind.MULTICLASS:
        return _balanced_accuracy(prediction.argmax(axis=1), target)
    residual, around = target - prediction, target - target.mean()
    return float(1 - (residual @ residual) / (around @ around))


def _roc_auc(prediction: FloatArray, target: FloatArray) -> float:
    """Share of (positive, negative) pairs in the right order, ties counted half (Mann-Whitney).

    scikit-learn's ``roc_auc_score`` gives the same value (tested); this one is called tens of
    thousands of times by the bootstrap and skips its input checks.
    """
    positive, negative = prediction[target > 0.5], np.sort(prediction[target <= 0.5])
    below = np.searchsorted(negative, positive, "left").sum()
    not_above = np.searchsorted(negative, positive, "right").sum()
    return float((below + not_above) / (2 * len(positive) * len(negative)))


def _balanced_accuracy(predicted: NDArray[np.intp], target: FloatArray) -> float:
    recalls = [np.mean(predicted[target == label] == label) for label in np.unique(target)]
    return float(np.mean(recalls))

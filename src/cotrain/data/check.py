"""Is a split good enough to measure on? Every task needs labels and two classes in every split."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from cotrain.data.splits.split import SPLIT_NAMES
from cotrain.errors import InputError, refuse_all
from cotrain.tasks import Kind, Task

MINIMUM_ROWS = 30
"""Fewest labelled rows that can be cut in three."""

_FIX = "use --split stratified, or leave the target out"
_SPREAD = (
    "its labels are too few to spread over three splits: leave the target out, or label more rows"
)


def check_split(
    assignment: NDArray[np.int8],
    values: NDArray[np.float64],
    tasks: Sequence[Task],
    *,
    stratified: bool = False,
) -> None:
    """Refuse a split on which some task cannot be learned or measured.

    Args:
        assignment: Split of each row ``[N]``.
        values: Class codes or values ``[N, T]``, NaN where there is no label.
        tasks: The tasks, T of them.
        stratified: Whether the split has spread classes evenly, so that this is no way out.

    >>> task = Task(name="t", kind=Kind.BINARY, classes=("no", "yes"))
    >>> check_split(np.zeros(30, np.int8), np.zeros((30, 1)), [task])
    Traceback (most recent call last):
    cotrain.errors.InputError: the valid split has no rows: use more rows or another split
    """
    if len(assignment) < MINIMUM_ROWS:
        raise InputError(
            f"{len(assignment)} labelled rows are too few: at least {MINIMUM_ROWS} are needed, "
            f"some hundreds are better"
        )
    for code, name in enumerate(SPLIT_NAMES):
        if not (assignment == code).any():
            raise InputError(f"the {name} split has no rows: use more rows or another split")
    refused = {}
    for column, task in zip(values.T, tasks, strict=True):
        problem = _problem(assignment, column, task)
        if problem:
            refused[task.name] = f"{problem}: {_SPREAD if stratified else _FIX}"
    refuse_all(list(refused.values()), leave_out(refused))


def leave_out(names: Collection[str]) -> str:
    """How to do without some targets."""
    return f"to leave out all {len(names)}: --ignore '{','.join(names)}'"


def _problem(assignment: NDArray[np.int8], column: NDArray[np.float64], task: Task) -> str:
    """Why a task cannot be learned or measured on a split; empty if it can."""
    parts = [column[(assignment == code) & ~np.isnan(column)] for code in range(3)]
    for name, part in zip(SPLIT_NAMES, parts, strict=True):
        if len(part) and (part != part[0]).any():
            continue
        problem = f"no labels in the {name} split"
        if len(part):
            problem = f"only {_value(task, part[0])} in the {name} split"
        counts = "; ".join(
            f"{other}: {_counts(task, labels)}"
            for other, labels in zip(SPLIT_NAMES, parts, strict=True)
        )
        return f"target {task.name!r} has {problem} ({counts})"
    return ""


def _value(task: Task, value: float) -> str:
    if task.kind is Kind.REGRESSION:
        return f"the value {value:g}"
    return f"the class {task.classes[int(value)]!r}"


def _counts(task: Task, labels: NDArray[np.float64]) -> str:
    if task.kind is Kind.REGRESSION:
        return f"{len(labels):,} labels"
    counts = np.bincount(labels.astype(np.intp), minlength=len(task.classes))
    shown = [f"{n:,} {label!r}" for label, n in zip(task.classes[:4], counts, strict=False)]
    return ", ".join(shown) + (", …" if len(task.classes) > 4 else "")

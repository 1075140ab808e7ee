"""Iterative stratification: every class of every task keeps its share in every split.

K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD 2011,
Algorithm 1. Letters: N rows, S strata, K splits. Departures: a missing label belongs to no stratum,
regression labels are cut into quarters, and ties between strata are broken by which rows they hold
and not by their position, so that permuting the tasks changes nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cotrain.tasks import Kind, Task


def label_strata(values: NDArray[np.float64], tasks: Sequence[Task]) -> NDArray[np.bool_]:
    """Membership ``[N, S]`` of rows in strata: a stratum a class, or a quarter of the values.

    >>> task = Task(name="t", kind=Kind.BINARY, classes=("0", "1"))
    >>> label_strata(np.array([[0.0], [1.0], [np.nan]]), [task]).astype(int).tolist()
    [[1, 0], [0, 1], [0, 0]]
    """
    strata = [_strata(column, task) for column, task in zip(values.T, tasks, strict=True)]
    return np.concatenate(strata, axis=1)


def _strata(column: NDArray[np.float64], task: Task) -> NDArray[np.bool_]:
    codes = column if task.kind is not Kind.REGRESSION else _quarters(column)
    count = 4 if task.kind is Kind.REGRESSION else len(task.classes)
    member: NDArray[np.bool_] = codes[:, None] == np.arange(count)
    return member


def _quarters(column: NDArray[np.float64]) -> NDArray[np.float64]:
    edges = np.nanquantile(column, (0.25, 0.5, 0.75))
    quarters = np.searchsorted(edges, column, side="left").astype(np.float64)
    return np.where(np.isnan(column), np.nan, quarters)


def stratify(strata: NDArray[np.bool_], fractions: Sequence[float], seed: int) -> NDArray[np.int8]:
    """Assign rows to splits so that each stratum is spread in the given proportions.

    Args:
        strata: Membership ``[N, S]``; rows may belong to several strata or to none.
        fractions: Share of each of the K splits.
        seed: Decides the order of the rows.

    >>> halves = stratify(np.eye(2, dtype=bool)[[0] * 4 + [1] * 8], (0.5, 0.5), seed=0)
    >>> int(halves[:4].sum()), int(halves[4:].sum())
    (2, 4)
    """
    order = np.random.default_rng(seed).permutation(len(strata))
    member = np.asfortranarray(strata[order])
    placed = np.full(len(order), -1, dtype=np.int8)
    left = member.sum(axis=0)
    want = np.outer(fractions, left)  # [K, S] rows of a stratum that a split still wants
    room = np.asarray(fractions) * len(order)
    tie = np.arange(len(order)) @ member
    while left.any():
        stratum = _scarcest(left, tie)
        for row in np.flatnonzero(member[:, stratum] & (placed < 0)):
            placed[row] = _place(want, room, stratum)
            want[placed[row]] -= member[row]
            left -= member[row]
    for row in np.flatnonzero(placed < 0):
        placed[row] = np.argmax(room)
        room[placed[row]] -= 1
    assignment = np.empty_like(placed)
    assignment[order] = placed
    return assignment


def _scarcest(left: NDArray[np.int_], tie: NDArray[np.int_]) -> int:
    """The stratum with the fewest rows left, but some."""
    few = np.flatnonzero(left == left[left > 0].min())
    return int(few[tie[few].argmin()])


def _place(want: NDArray[np.float64], room: NDArray[np.float64], stratum: int) -> int:
    """The split that wants the stratum most, then the one with the most room, which it fills."""
    split = max(range(len(room)), key=lambda k: (want[k, stratum], room[k]))
    room[split] -= 1
    return split

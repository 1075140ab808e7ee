"""The best few of many candidate sets: at most k groups, each task served by the group that scores it best.

For up to ten tasks the proven optimum over the candidates (dynamic programming over served blocks, see
:mod:`cotrain.grouping.exact`); for more, greedy choice improved by exchanging one group at a time.
Letters: M candidate sets, T tasks, k groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cotrain.grouping import exact
from cotrain.grouping.groups import Grouping
from cotrain.measure.gains.gains import Sets, Table

MOST_EXACT = 10  # tasks
_STARTS = 8
_LEAST = 1e-12  # improvement that counts


@dataclass(frozen=True, kw_only=True)
class Cover:
    """Chosen groups.

    Args:
        groups: ``[k, T]`` bool, each of them serves a task.
        server: ``[T]`` the group that serves each task.
        value: Mean score of the tasks in their serving groups.
        exact: Whether no other choice among the candidates is better.
    """

    groups: Sets
    server: NDArray[np.intp]
    value: float
    exact: bool

    @classmethod
    def of(cls, groups: Sets, scores: Table, *, exact: bool = False) -> Cover:
        """Serve every task by its best group; groups that serve nobody are dropped.

        Args:
            groups: ``[k, T]`` that cover all tasks.
            scores: ``[k, T]``, -inf outside a group.
            exact: See the class.
        """
        server = scores.argmax(axis=0)
        used, position = np.unique(server, return_inverse=True)
        value = float(scores.max(axis=0).mean())
        return cls(groups=groups[used], server=position, value=value, exact=exact)

    def grouping(self, bound: float) -> Grouping:
        """As a plan, given that no plan scores above ``bound``."""
        members = [tuple(int(t) for t in np.flatnonzero(group)) for group in self.groups]
        order = sorted(range(len(members)), key=lambda g: members[g])
        return Grouping(
            groups=tuple(members[g] for g in order),
            server=tuple(order.index(int(g)) for g in self.server),
            objective=self.value,
            bound=max(bound, self.value),
            exact=self.exact,
        )


def best_cover(sets: Sets, gain: Table, max_groups: int) -> Cover:
    """The best at most ``max_groups`` of the candidates.

    Args:
        sets: ``[M, T]`` bool, distinct; one of them has all tasks, so that all can be served.
        gain: ``[M, T]``, NaN outside the set.
        max_groups: k ≥ 1.

    >>> sets = np.array([[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]], dtype=bool)
    >>> best_cover(sets, np.where(sets, [[1.0], [3], [2], [0]], np.nan), 2).groups.astype(int)
    array([[1, 1, 0],
           [0, 1, 1]])
    """
    scores = np.where(np.isfinite(gain), gain, -np.inf)
    search = _exact if sets.shape[1] <= MOST_EXACT else _exchange
    rows = search(sets, scores, max_groups)
    return Cover.of(sets[rows], scores[rows], exact=search is _exact)


def _exact(sets: Sets, scores: Table, max_groups: int) -> list[int]:
    tasks = sets.shape[1]
    number = sets @ (1 << np.arange(tasks))
    table = np.full((2**tasks, tasks), -np.inf)
    table[number] = scores
    row = dict(zip(number.tolist(), range(len(sets)), strict=True))
    groups = exact.best_cover(table, max_groups=max_groups).groups
    return sorted(row[sum(1 << task for task in group)] for group in groups)


def _exchange(sets: Sets, scores: Table, max_groups: int) -> list[int]:
    """Greedy from several first groups; then exchange groups as long as it helps."""
    known = scores[np.isfinite(scores)]
    least = known.min() - sets.shape[1] * (np.ptp(known) + 1)  # serving one task more always wins
    scores = np.where(np.isfinite(scores), scores, least)
    starts = np.argsort(-scores.mean(axis=1), kind="stable")[:_STARTS]
    found = [_exchanged(scores, [int(start)], max_groups) for start in starts]
    return max(found, key=lambda rows: float(scores[rows].max(axis=0).sum()))


def _exchanged(scores: Table, rows: list[int], max_groups: int) -> list[int]:
    while len(rows) < max_groups:
        rows = [*rows, int(np.maximum(scores, scores[rows].max(axis=0)).sum(axis=1).argmax())]
    best = float(scores[rows].max(axis=0).sum())
    at, tried = 0, 0
    while tried < len(rows):
        others = rows[:at] + rows[at + 1 :]
        rest = scores[others].max(axis=0, initial=-np.inf)
        totals = np.maximum(scores, rest).sum(axis=1)
        row = int(totals.argmax())
        better = totals[row] > best + _LEAST * max(1.0, abs(best))
        if better:
            rows, best = [*rows[:at], row, *rows[at + 1 :]], float(totals[row])
        tried = 0 if better else tried + 1
        at = (at + 1) % len(rows)
    return rows


def refined(cover: Cover, gain: Callable[[Sets], Table], max_groups: int) -> Cover:
    """Add or remove one task of one group, or split off one task, as long as the value grows.

    Args:
        cover: Where to start.
        gain: ``[M, T]`` sets to their ``[M, T]`` gains, NaN outside.
        max_groups: k ≥ 1.
    """
    while True:
        tasks = cover.groups.shape[1]
        near = [cover.groups ^ one for one in np.eye(tasks, dtype=bool)]
        sets = np.unique(np.concatenate([*near, cover.groups, np.eye(tasks, dtype=bool)]), axis=0)
        sets = sets[sets.any(axis=1)]
        scores = np.nan_to_num(gain(sets), nan=-np.inf)
        own = np.nan_to_num(gain(cover.groups), nan=-np.inf)
        better = _one_step(cover, own, sets, scores, max_groups)
        if better.value <= cover.value + _LEAST * max(1.0, abs(cover.value)):
            return cover
        cover = better


def _one_step(cover: Cover, own: Table, sets: Sets, scores: Table, max_groups: int) -> Cover:
    """The best cover after replacing one group, or adding one if there is room."""
    found = [cover]
    for at in range(len(cover.groups) + (len(cover.groups) < max_groups)):
        kept = np.arange(len(cover.groups)) != at
        rest = own[kept].max(axis=0, initial=-np.inf)
        row = int(np.maximum(scores, rest).mean(axis=1).argmax())
        groups = np.concatenate([cover.groups[kept], sets[[row]]])
        found.append(Cover.of(groups, np.concatenate([own[kept], scores[[row]]])))
    return max(found, key=lambda one: one.value)

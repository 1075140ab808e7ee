"""The best few of many candidate sets: at most k groups, each task served by the group that scores it best.

For up to ten tasks the proven optimum over the candidates (dynamic programming over served blocks, see
:mod:`cotrain.grouping.exact`); for more, greedy choice improved by exchanging one group at a time.
Letters: M candidate sets, T tasks, k groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cotrain.grouping.constraints import Constraints
from cotrain.grouping.exact import table_grouping
from cotrain.grouping.groups import Grouping
from cotrain.grouping.table import ScoreTable
from cotrain.measure.gains.gains import Table
from cotrain.measure.gains.sets import Numbers, Sets, among, distinct, neighbours, numbers_of

MOST_EXACT = 10  # tasks
_STARTS = 8
_LEAST = 1e-12  # improvement that counts


def best_cover(sets: Sets, gain: Table, max_groups: int) -> Grouping:
    """The best at most ``max_groups`` of the candidates.

    Args:
        sets: ``[M, T]`` bool, distinct; one of them has all tasks, so that all can be served.
        gain: ``[M, T]``, NaN or -inf outside the set and where the set must not serve the task.
        max_groups: k ≥ 1.

    >>> sets = np.array([[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]], dtype=bool)
    >>> found = best_cover(sets, np.where(sets, [[1.0], [3], [2], [0]], np.nan), 2)
    >>> found.groups, found.rows, found.exact
    (((0, 1), (1, 2)), (1, 2), True)
    """
    scores = scores_of(gain)
    rows = best_rows(sets, scores, max_groups)
    bound = None if is_exact(sets) else float(scores.max(axis=0).mean())
    return Grouping.of(sets[rows], scores[rows], bound=bound, rows=rows)


def best_rows(sets: Sets, scores: Table, max_groups: int) -> Numbers:
    """``[k]`` the rows of the best candidates, each of which serves a task.

    Args:
        sets: ``[M, T]``, see :func:`best_cover`.
        scores: ``[M, T]``, -inf where a set does not serve a task.
        max_groups: At most this many rows.
    """
    search = _exact if is_exact(sets) else _exchange
    rows = search(sets, scores, max_groups)
    return rows[serving(scores[rows])]


def is_exact(sets: Sets) -> bool:
    """Whether the best of these candidates is found for certain."""
    return len(sets[0]) <= MOST_EXACT


def scores_of(gain: Table) -> Table:
    """``[M, T]`` gains with -inf where there is none, as a choice between sets needs them."""
    return np.where(np.isfinite(gain), gain, -np.inf)


def serving(scores: Table) -> Numbers:
    """``[k]`` the groups that serve a task, of ``[k', T]`` scores in some groups."""
    return np.unique(scores.argmax(axis=0))


def _exact(sets: Sets, scores: Table, max_groups: int) -> Numbers:
    order = np.argsort(numbers_of(sets))  # of equal groups the one of the least number
    table = ScoreTable.of(sets=sets[order], scores=scores[order])
    found = table_grouping(table, Constraints(max_groups=max_groups))
    return np.sort(order[list(found.rows or ())])


def _exchange(sets: Sets, scores: Table, max_groups: int) -> Numbers:
    """Greedy from several first groups; then exchange groups as long as it helps."""
    known = scores[np.isfinite(scores)]
    least = known.min() - sets.shape[1] * (np.ptp(known) + 1)  # serving one task more always wins
    scores = np.where(np.isfinite(scores), scores, least)
    starts = np.argsort(-scores.mean(axis=1), kind="stable")[:_STARTS]
    found = [_exchanged(scores, [int(start)], max_groups) for start in starts]
    return np.array(max(found, key=lambda rows: float(scores[rows].max(axis=0).sum())))


def _exchanged(scores: Table, rows: list[int], max_groups: int) -> list[int]:
    """Add rows while there is room and one helps, then exchange one at a time; until neither helps."""
    ones, buffer = np.ones(scores.shape[1]), np.empty_like(scores)
    best, tried = float(scores[rows].max(axis=0).sum()), 0
    at = len(rows) % (slots := min(len(rows) + 1, max_groups))
    while tried < slots:
        kept = rows[:at] + rows[at + 1 :]
        rest = scores[kept].max(axis=0, initial=-np.inf)
        totals = np.maximum(scores, rest, out=buffer) @ ones
        row = int(totals.argmax())
        tried += 1
        if totals[row] > best + _LEAST * max(1.0, abs(best)):
            rows, best, tried = [*rows[:at], row, *rows[at + 1 :]], float(totals[row]), 0
            slots = min(len(rows) + 1, max_groups)
        at = (at + 1) % slots
    return rows


Groups = tuple[Sets, Table]  # [k, T] groups, each of which serves a task, and [k, T] their scores


def refined(chosen: Groups, gain: Callable[[Sets], Table], max_groups: int) -> Groups:
    """Groups after adding or removing one task of one group, or splitting off one task, again and again.

    The step that raises the mean score most is taken as long as there is one; what earlier steps could
    have led to stays on offer.

    Args:
        chosen: Where to start.
        gain: ``[M, T]`` sets to their ``[M, T]`` gains, NaN outside.
        max_groups: k ≥ 1.
    """
    groups = chosen[0]
    sets = np.concatenate([groups, np.eye(groups.shape[1], dtype=bool)])
    sets = distinct(np.concatenate([neighbours(groups), sets]))
    scores = scores_of(gain(sets))
    while True:
        value = _value(chosen)
        better = max(_one_step(*chosen, sets, scores, max_groups), key=_value)
        if _value(better) <= value + _LEAST * max(1.0, abs(value)):
            return chosen
        chosen = better
        more = neighbours(chosen[0])
        more = more[~among(more, sets)]
        if len(more):
            sets = np.concatenate([sets, more])
            scores = np.concatenate([scores, scores_of(gain(more))])


def _one_step(
    groups: Sets, own: Table, sets: Sets, scores: Table, max_groups: int
) -> Iterator[Groups]:
    """With one group replaced by the best of the sets, or one added if there is room."""
    ones = np.ones(scores.shape[1])
    for at in range(len(groups) + (len(groups) < max_groups)):
        kept = np.arange(len(groups)) != at
        rest = own[kept].max(axis=0, initial=-np.inf)
        row = int((np.maximum(scores, rest) @ ones).argmax())
        served = np.concatenate([own[kept], scores[[row]]])
        used = serving(served)
        yield np.concatenate([groups[kept], sets[[row]]])[used], served[used]


def _value(chosen: Groups) -> float:
    """Mean score of the tasks, each in its best group."""
    return float(chosen[1].max(axis=0).mean())

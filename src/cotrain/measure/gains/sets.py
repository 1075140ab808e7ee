"""Candidate sets: every set of few tasks, and of many tasks a pool that knows what has been seen.

Letters: M candidates, N measured sets, T tasks.
"""

from __future__ import annotations

import numpy as np

from cotrain.grouping.objective import all_sets
from cotrain.measure.gains.gains import Sets

MOST_SETS = 1023  # so up to ten tasks have all of their sets


def every_set(tasks: int) -> Sets:
    """``[2^T - 1, T]`` all sets of a few tasks; row n - 1 is the set number n (bit t = task t).

    >>> every_set(2).astype(int)
    array([[1, 0],
           [0, 1],
           [1, 1]])
    """
    return all_sets(tasks)[1:]


def fixed_sets(tasks: int) -> Sets:
    """``[T + 1, T]`` the singles and the set of all tasks; one set if T is 1."""
    return distinct(np.concatenate([np.eye(tasks, dtype=bool), np.ones((1, tasks), dtype=bool)]))


def random_sets(tasks: int, count: int, rng: np.random.Generator) -> Sets:
    """Up to ``count`` distinct sets of two or more tasks but not all, every size as likely."""
    if tasks < 3:
        return np.zeros((0, tasks), dtype=bool)
    size = rng.integers(2, tasks, count)
    rank = rng.random((count, tasks)).argsort(axis=1).argsort(axis=1)
    return distinct(rank < size[:, None])


def neighbours(sets: Sets) -> Sets:
    """All sets that differ by one task, the empty one left out."""
    near = np.concatenate([sets ^ one for one in np.eye(sets.shape[1], dtype=bool)])
    return distinct(near[near.any(axis=1)])


def distinct(sets: Sets) -> Sets:
    """Without repetition, in the order in which they first appear."""
    _, first = np.unique(sets, axis=0, return_index=True)
    return sets[np.sort(first)]


def among(sets: Sets, others: Sets) -> Sets:
    """``[M]`` whether each set is one of the others."""
    known = {one.tobytes() for one in others}
    return np.array([one.tobytes() in known for one in sets], dtype=bool)


def spread_out(sets: Sets, seen: Sets, count: int) -> Sets:
    """``count`` of the sets, one after the other the one farthest from all that are seen or chosen.

    The distance of two sets is the number of tasks that are in only one of them.
    """
    chosen: list[int] = []
    distance = _apart(sets, seen).min(axis=1, initial=sets.shape[1] + 1)
    for _ in range(min(count, len(sets))):
        row = int(distance.argmax())
        chosen.append(row)
        distance = np.minimum(distance, _apart(sets, sets[[row]])[:, 0])
        distance[chosen] = -1
    return sets[chosen]


def _apart(a: Sets, b: Sets) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    common = a.astype(np.int64) @ b.T.astype(np.int64)
    return np.asarray(a.sum(axis=1)[:, None] + b.sum(axis=1) - 2 * common)

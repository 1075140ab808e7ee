"""Sets of tasks as rows of a table: numbering, listing, drawing and comparing them.

A set is a row of T booleans; its number has bit t for task t. Letters: M sets, N other sets, T tasks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Sets = NDArray[np.bool_]
Numbers = NDArray[np.intp]

MOST_SETS = 1023  # so up to ten tasks have all of their sets


def numbered(numbers: Numbers, tasks: int) -> Sets:
    """``[M, T]`` the sets with these ``[M]`` numbers.

    >>> numbered(np.array([0, 2]), 2).astype(int)
    array([[0, 0],
           [0, 1]])
    """
    return np.asarray((numbers[:, None] >> np.arange(tasks)) & 1 == 1)


def numbers_of(sets: Sets) -> Numbers:
    """``[M]`` the number of every set: the inverse of :func:`numbered`."""
    return np.asarray(sets @ (1 << np.arange(sets.shape[1])))


def every_set(tasks: int) -> Sets:
    """``[2^T - 1, T]`` all sets of a few tasks but the empty one, by their numbers.

    >>> every_set(2).astype(int)
    array([[1, 0],
           [0, 1],
           [1, 1]])
    """
    return numbered(np.arange(1, 2**tasks), tasks)


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
    """All sets that differ from one of ``[M, T]`` by one task, the empty one left out."""
    near = np.concatenate([sets ^ one for one in np.eye(sets.shape[1], dtype=bool)])
    return distinct(near[near.any(axis=1)])


def distinct(sets: Sets) -> Sets:
    """The sets without repetition, in the order in which they first appear."""
    rows = range(len(sets))
    first = dict(zip(reversed(_keys(sets)), reversed(rows), strict=True))
    return sets[sorted(first.values())]


def among(sets: Sets, others: Sets) -> Sets:
    """``[M]`` whether each set is one of the others."""
    known = set(_keys(others))
    return np.array([key in known for key in _keys(sets)], dtype=bool)


def _keys(sets: Sets) -> list[bytes]:
    """``[M]`` equal if and only if the sets are: much faster to compare than rows are to sort."""
    packed = np.packbits(sets, axis=1)
    return [bytes(key) for key in packed.view(f"V{packed.shape[1]}")[:, 0].tolist()]


def hamming_distance(sets: Sets, others: Sets) -> Numbers:
    """``[M, N]`` how many tasks are in only one of two sets.

    >>> hamming_distance(every_set(2), every_set(2)[2:]).T
    array([[1, 1, 0]])
    """
    common = sets.astype(np.intp) @ others.T.astype(np.intp)
    return np.asarray(sets.sum(axis=1)[:, None] + others.sum(axis=1) - 2 * common)


def spread_out(sets: Sets, seen: Sets, count: int) -> Sets:
    """``count`` sets, each of the largest Hamming distance to all that are seen or already chosen."""
    chosen: list[int] = []
    distance = hamming_distance(sets, seen).min(axis=1, initial=sets.shape[1] + 1)
    for _ in range(min(count, len(sets))):
        row = int(distance.argmax())
        chosen.append(row)
        distance = np.minimum(distance, hamming_distance(sets, sets[[row]])[:, 0])
        distance[chosen] = -1
    return sets[chosen]

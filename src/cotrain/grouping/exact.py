"""The optimum of the published objective by dynamic programming over task sets, for up to 15 tasks.

Every task is served by one group, so a solution splits the tasks into served blocks S₁ … S_k, block S
inside its group g. With F(S) = max over g ⊇ S of Σ_{a∈S} score(a, g), the optimum is the best split into
at most k blocks: best(k, S) = max over B ⊆ S of F(B) + best(k−1, S∖B). Both steps visit 3^T pairs.
"""

import numpy as np
from numpy.typing import NDArray

from cotrain.grouping.grouping import Grouping
from cotrain.grouping.score import Matrix, all_scores, clean

MOST_TASKS = 15


def exact_grouping(affinity: Matrix, *, max_groups: int, alone: Matrix | None = None) -> Grouping:
    """The best at most ``max_groups`` groups.

    Args:
        affinity: ``[T, T]``, row = recipient; NaN counts as no help; the diagonal is not used.
        max_groups: k ≥ 1.
        alone: ``[T]`` score of training alone; zero unless given; -inf forbids singletons, as TAG does.

    >>> z = np.array([[0, 3, -1, -1], [3, 0, -1, -1], [-1, -1, 0, 2], [-1, -1, 2, 0]], dtype=float)
    >>> exact_grouping(z, max_groups=2).groups
    ((0, 1), (2, 3))
    """
    affinity = clean(affinity)
    tasks = len(affinity)
    if tasks > MOST_TASKS:
        raise ValueError(f"exact grouping serves at most {MOST_TASKS} tasks, got {tasks}")
    return best_cover(
        all_scores(affinity, np.zeros(tasks) if alone is None else alone), max_groups=max_groups
    )


def best_cover(scores: Matrix, *, max_groups: int) -> Grouping:
    """The best at most ``max_groups`` groups by any score of a task in a set.

    Args:
        scores: ``[2^T, T]``, bit t of the row number = task t; -inf where the task is not in the set or
            must not be served by it.
        max_groups: k ≥ 1.

    >>> alone, together = [0.0, -np.inf], [2.0, -1.0]
    >>> scores = np.array([[-np.inf] * 2, alone, alone[::-1], together])
    >>> best_cover(scores, max_groups=2).groups, best_cover(scores, max_groups=1).groups
    (((0, 1), (1,)), ((0, 1),))
    """
    tasks = scores.shape[1]
    value, group = _best_groups(scores)
    blocks, total = _split(value, max_groups)
    serving = [next(int(group[b]) for b in blocks if b >> t & 1) for t in range(tasks)]
    chosen = list(dict.fromkeys(serving))  # two blocks may share a group
    objective = total / tasks
    return Grouping(
        groups=tuple(tuple(t for t in range(tasks) if g >> t & 1) for g in chosen),
        server=tuple(chosen.index(g) for g in serving),
        objective=objective,
        bound=objective,
        exact=True,
    )


def _subsets(bits: list[int]) -> NDArray[np.int64]:
    """All sums of a set of bits: the subsets of a task set, as set numbers."""
    subsets = np.zeros(1, dtype=np.int64)
    for bit in bits:
        subsets = np.concatenate([subsets, subsets + bit])
    return subsets


def _best_groups(scores: Matrix) -> tuple[Matrix, NDArray[np.int64]]:
    """F(S) and the group that reaches it, for every set S."""
    sets, tasks = scores.shape
    value = np.full(sets, -np.inf)
    group = np.arange(sets, dtype=np.int64)
    for g in range(1, sets):
        members = [t for t in range(tasks) if g >> t & 1]
        subsets, sums = _subsets([1 << t for t in members]), np.zeros(1)
        for t in members:
            sums = np.concatenate([sums, sums + scores[g, t]])
        better = sums > value[subsets]
        value[subsets[better]] = sums[better]
        group[subsets[better]] = g
    value[0] = 0.0
    return value, group


def _split(value: Matrix, max_groups: int) -> tuple[list[int], float]:
    """The blocks of the best split of all tasks, and its total."""
    sets = len(value)
    best = [value]
    first = [np.arange(sets, dtype=np.int64)]  # the block that is split off
    tasks = sets.bit_length() - 1
    for _ in range(min(max_groups, tasks) - 1):
        total, block = best[-1].copy(), np.zeros(sets, dtype=np.int64)
        for s in range(1, sets):
            subsets = _subsets([1 << t for t in range(tasks) if s >> t & 1])
            sums = value[subsets] + best[-1][s - subsets]
            at = int(sums.argmax())
            total[s], block[s] = sums[at], subsets[at]
        best.append(total)
        first.append(block)
    blocks: list[int] = []
    rest = sets - 1
    for step in range(len(best) - 1, -1, -1):
        split_off = rest if step == 0 else int(first[step][rest])
        blocks.append(split_off)
        rest -= split_off
    return [b for b in blocks if b], float(best[-1][sets - 1])
